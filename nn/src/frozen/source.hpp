// A program as source code.
#pragma once

#include "frozen/program.hpp"

namespace gradus::nn::frozen {

struct SourceOptions {
  bool cpp = true;  ///< C++17, else C99
  std::string name;
  bool int8_weights = false;
};

/// One scale for each output: the largest weight of its row is 127 of them.
std::vector<double> int8_scales(const Product& product);
/// The weights as int8 holds them.
void round_to_int8(Program& program);

/// The text of a header. `x` and `y` are an example of a row and what the program makes of it.
std::string source(const Program& program, const SourceOptions& options, std::span<const float> x,
                   std::span<const float> y);

}  // namespace gradus::nn::frozen
