// What the programs ask of a command line, beside what CLI11 checks.
#pragma once

#include <cmath>
#include <cstdint>
#include <functional>
#include <string>

namespace CLI {
class App;
}

/// Reads the command line into the variables of `app`. Where nothing is left to do, after --help or a mistake, it
/// throws what run_program() makes the exit status.
void parse_command_line(CLI::App& app, int argc, char** argv);

// For CLI11's check(): what is wrong with the text, or nothing.
using Check = std::function<std::string(const std::string&)>;
std::string not_empty(const std::string& text);
Check whole_number(std::int64_t least, std::int64_t most = INT64_MAX);
Check number(double least, double below = INFINITY);  ///< a finite one from `least` to below `below`

/// Throws gradus::FileError unless all that was printed has arrived. To be called in the end.
void finish_output();

/// The exit status of `run`; 1, with a line on stderr, when it throws, or when not all that was printed has arrived.
int run_program(const char* name, const std::function<int()>& run);
