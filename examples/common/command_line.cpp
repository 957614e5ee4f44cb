#include "command_line.hpp"

#include "text.hpp"

#include <gradus/core/error.hpp>

#include <CLI/CLI.hpp>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <exception>

std::optional<int> parse_command_line(CLI::App& app, int argc, char** argv) {
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? 0 : 1;
  }
  return std::nullopt;
}

std::string not_empty(const std::string& text) { return text.empty() ? "expected a name" : ""; }

std::string fits_64_bits(const std::string& number) {
  errno = 0;
  (void)std::strtoll(number.c_str(), nullptr, 0);
  return errno == ERANGE ? "expected a number of at most 64 bits, got " + number : "";
}

void finish_output() {
  if (std::fflush(stdout) != 0 || std::ferror(stdout)) {
    throw gradus::FileError("cannot write to the standard output");
  }
}

int run_program(const char* name, const std::function<int()>& run) {
  try {
    const int status = run();
    finish_output();
    return status;
  } catch (const std::exception& e) {
    std::fprintf(stderr, "%s: %s\n", name, printable(one_line(e.what())).c_str());
    return 1;
  }
}
