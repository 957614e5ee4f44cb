// What programs need that show on a terminal how far they are.
#pragma once

#include <cstdint>
#include <string>

/// Seconds since some fixed moment.
double now();

/// "#########.....................": the share of `all` that is done.
std::string bar(std::int64_t done, std::int64_t all);

/// The text of an error without its line ends.
std::string one_line(std::string text);
