// A trained net as one source file, for programs that know nothing of gradus.
#pragma once

#include <gradus/nn/module.hpp>

namespace gradus::nn {

struct HeaderOptions {
  std::string name = "net";   ///< namespace of C++, beginning of every name of C
  Shape row = {};             ///< of one input without the batch; needed when the first layer does not tell, as Flatten
  bool int8_weights = false;  ///< weights as 8 bits with a scale for each output: a quarter of the size
  Tensor example = {};        ///< a row for the self-check; undefined: some numbers between -1 and 1
};

/// Writes what `net` computes in eval() as a header of its own: C++17 for ".hpp", ".hh", C99 for ".h". It holds the
/// weights, BatchNorm folded into them (see Plan, which takes the same layers), the sizes as constants, `predict`,
/// a checksum, and an example with its output, on which `self_check` tries it all:
///
///     #include "digits.hpp"
///     float scores[digits::outputs];
///     digits::predict(pixels, scores);   // C: digits_predict(pixels, scores)
///
/// It includes `<cstddef>`, and `<math.h>` only if an activation needs it; no heap, no exceptions, no static state.
/// Against net(x) outputs differ by rounding, some 1e-7 of their size; with int8_weights by some 1e-2.
/// Throws as Plan, ValueError for a name that is none in C++, an example of another size, an unknown extension;
/// FileError when `path` cannot be written. It is written whole or not at all.
void export_header(const Module& net, const std::string& path, const HeaderOptions& options = {});

}  // namespace gradus::nn
