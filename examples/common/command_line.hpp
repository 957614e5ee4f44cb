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
