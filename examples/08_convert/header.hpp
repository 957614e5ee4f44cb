// The weights of a perceptron as a header of C++ or C.
#pragma once

#include <gradus/gradus.hpp>

struct HeaderWish {
  std::string activation = "relu";  // between the layers; files do not tell
  std::string name = "net";
  bool int8 = false;
};

/// Whether the extension of `path` is that of a header.
bool is_header(const std::string& path);

/// Makes a net of the Linears and BatchNorm1ds that the names tell of, in their order, with the activation before every
/// Linear but the first, and exports it. Throws ValueError for anything else among the weights.
void write_header(const gradus::StateDict& weights, bool keeps_order, const std::string& path, const HeaderWish& wish);
