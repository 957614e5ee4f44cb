// Pictures by gnuplot, from data that stand in the script itself.
#pragma once

#include <string>

/// What gnuplot prints when it runs `script`: with `set terminal svg` and no output file, a picture. Throws
/// gradus::FileError where gnuplot is not installed, with the name of Debian's package, or refuses the script.
std::string gnuplot(const std::string& script);

/// The text as a string of gnuplot, between single quotes.
std::string gnuplot_quoted(const std::string& text);
