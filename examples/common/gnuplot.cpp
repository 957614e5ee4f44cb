#include "gnuplot.hpp"

#include <gradus/core/error.hpp>

#ifndef _WIN32
#include <sys/wait.h>
#endif

#include <cstdio>
#include <cstdlib>
#include <filesystem>

using gradus::FileError;

namespace {

/// A file that is gone with its handle.
struct TemporaryFile {
  std::string path = (std::filesystem::temp_directory_path() / "gradus_plot_XXXXXX").string();

  explicit TemporaryFile(const std::string& text) {
    const int descriptor = mkstemp(path.data());
    std::FILE* file = descriptor < 0 ? nullptr : fdopen(descriptor, "w");
    const bool written = file && std::fputs(text.c_str(), file) >= 0;
    if (!file || std::fclose(file) != 0 || !written) throw FileError(path + ": cannot be written");
  }
  ~TemporaryFile() { std::remove(path.c_str()); }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
};

/// Of a program, by what pclose() says; -1 where it was killed.
int exit_code(int status) {
#ifdef _WIN32
  return status;
#else
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
#endif
}

}  // namespace

std::string gnuplot(const std::string& script) {
  const TemporaryFile file(script);
  std::FILE* pipe = popen(("gnuplot " + file.path + " 2>&1").c_str(), "r");
  if (!pipe) throw FileError("gnuplot cannot be started");
  std::string output;
  char block[4096];
  while (const std::size_t count = std::fread(block, 1, sizeof block, pipe)) output.append(block, count);
  const int code = exit_code(pclose(pipe));
  if (code == 127)
    throw FileError("pictures are drawn by gnuplot, which is not installed: apt-get install gnuplot-nox");
  if (code != 0) throw FileError("gnuplot refuses the picture: " + output.substr(0, 200));
  return output;
}

std::string gnuplot_quoted(const std::string& text) {
  std::string quoted = "'";
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < ' ')
      quoted += '?';
    else if (c == '\'')
      quoted += "''";
    else
      quoted += c;
  }
  return quoted + "'";
}
