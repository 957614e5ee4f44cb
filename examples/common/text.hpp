// Numbers and texts as the programs print them.
#pragma once

#include <gradus/core/tensor.hpp>

#include <string>

/// As std::printf prints it.
[[gnu::format(printf, 1, 2)]] std::string formatted(const char* format, ...);

/// The text of a number; never "-0".
std::string fixed(double value, int digits = 6);
std::string scientific(double value, int digits = 1);
std::string short_number(double value, int digits = 4);  ///< at most so many digits: 0.088, -1.4, 1.038e-06
std::string percent(double share, int digits = 1);       ///< "all" of an infinite share

/// A line for each row of a (rows, columns), its numbers with commas between them: CSV without the names of columns.
std::string csv_rows(const gradus::Tensor& table);

/// Columns that UTF-8 text takes.
std::size_t width(const std::string& text);

/// The text with codes, such as \x1b, instead of what a terminal would obey.
std::string printable(const std::string& text);

/// The text of an error without its line ends.
std::string one_line(std::string text);
