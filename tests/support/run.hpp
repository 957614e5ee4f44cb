// Running the examples as a user does.
#pragma once

#include "paths.hpp"

#include <sys/wait.h>

#include <array>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>

namespace gradus::test {

struct Outcome {
  int status;
  std::string out;  // both streams
};

/// Runs `program` of the examples through the shell, in `folder`: run_example("03_train_mlp --quiet").
inline Outcome run_example(const std::string& command, const std::string& folder = ".") {
  FILE* pipe = popen(("cd '" + folder + "' && " + example_path(command) + " 2>&1").c_str(), "r");
  if (!pipe) throw std::runtime_error("cannot start " + command);
  Outcome outcome{0, ""};
  std::array<char, 4096> part;
  while (const std::size_t n = fread(part.data(), 1, part.size(), pipe)) outcome.out.append(part.data(), n);
  const int status = pclose(pipe);
  outcome.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return outcome;
}

inline std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error("cannot open " + path);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace gradus::test
