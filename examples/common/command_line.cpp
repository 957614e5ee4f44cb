#include "command_line.hpp"

#include "text.hpp"

#include <gradus/core/error.hpp>

#include <CLI/CLI.hpp>

#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <exception>

namespace {

struct Ended {
  int status;
};

}  // namespace

void parse_command_line(CLI::App& app, int argc, char** argv) {
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    throw Ended{app.exit(e) == 0 ? 0 : 1};
  }
}

std::string not_empty(const std::string& text) { return text.empty() ? "expected a name" : ""; }

Check whole_number(std::int64_t least, std::int64_t most) {
  return [least, most](const std::string& text) -> std::string {
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error == std::errc() && *end == '\0' && least <= value && value <= most) return "";
    const std::string range = std::to_string(least) + " to " + std::to_string(most);
    return "expected a whole number from " + range + ", got " + text;
  };
}

Check number(double least, double below) {
  return [least, below](const std::string& text) -> std::string {
    char* end = nullptr;
    const double value = std::strtod(text.c_str(), &end);
    if (end != text.c_str() && *end == '\0' && least <= value && value < below) return "";
    return formatted("expected a number from %g to below %g, got ", least, below) + text;
  };
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
  } catch (const Ended& ended) {
    return ended.status;
  } catch (const std::exception& e) {
    std::fprintf(stderr, "%s: %s\n", name, printable(one_line(e.what())).c_str());
    return 1;
  }
}
