// Finds the first wrong line of a backward pass, and says what it should be about.
#pragma once

#include "backward.hpp"

#include <optional>
#include <string>

namespace exercise {

using Backward = void (*)(const Tensor& dy, const Nodes& node, const Tensor& weight, Derivatives& d);

/// A line of backward.cpp that is not right.
struct Mistake {
  std::string line;       ///< "d.bias"
  std::string diagnosis;  ///< what is wrong with it, as far as its value tells
  std::string hint;       ///< what to think about; not the solution
};

/// Compares every line with autograd, for a random batch (5, 3) in float64 and weight other than 1; nothing if all are
/// right. A backward pass that throws is a mistake too.
std::optional<Mistake> first_mistake(Backward backward);

}  // namespace exercise
