// What the programs ask of a command line, beside what CLI11 checks.
#pragma once

#include <functional>
#include <optional>
#include <string>

namespace CLI {
class App;
}

/// Reads the command line into the variables of `app`; the exit status when there is nothing more to do.
std::optional<int> parse_command_line(CLI::App& app, int argc, char** argv);

// For CLI11's check(): what is wrong with the text, or nothing.
std::string not_empty(const std::string& text);
std::string fits_64_bits(const std::string& number);  ///< CLI11 would take the nearest number that does

/// Throws gradus::FileError unless all that was printed has arrived. To be called in the end.
void finish_output();

/// The exit status of `run`; 1, with a line on stderr, when it throws, or when not all that was printed has arrived.
int run_program(const char* name, const std::function<int()>& run);

/// The same of run(options), with the options that parse(argc, argv, options) finds on the command line, unless that
/// says with which status to end.
template <class Options, class Run>
int run_program(const char* name, int argc, char** argv, std::optional<int> (*parse)(int, char**, Options&), Run run) {
  return run_program(name, [&] {
    Options options;
    const std::optional<int> status = parse(argc, argv, options);
    return status ? *status : run(options);
  });
}
