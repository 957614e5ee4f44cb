// Pictures by gnuplot.
#pragma once

#include "output_file.hpp"

#include <gradus/core/tensor.hpp>

/// Draws `script` as SVG, with the lines 1 (blue) and 2 (orange) of two colours that all can tell apart. Throws
/// gradus::FileError where gnuplot, which says why, does not draw it.
void draw_picture(OutputFile& file, int width, int height, const std::string& script);

/// A (rows, columns) as the data block `$name` of a script.
std::string data_block(const std::string& name, const gradus::Tensor& table);

/// The text as a string of gnuplot, between single quotes.
std::string gnuplot_quoted(const std::string& text);
