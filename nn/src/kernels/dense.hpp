// Products of packed weights: y = then(W x + bias), for one row of x or many. The order of the sum over the inputs does
// not depend on the number of rows.
#pragma once

#include <cstdint>

namespace gradus::nn::kernels {

/// What ends a product.
enum class Then { nothing, relu, leaky_relu };

/// Outputs in groups of 16, groups in panels of `panel` (the last may be narrower); a panel holds its weights input by
/// input. Missing outputs have weight 0. `bias` has a float for each output of every group.
struct Dense {
  std::int64_t inputs, outputs;
  const void* weight;
  const float* bias;
  Then then = Then::nothing;
  float slope = 0;
};

struct DenseRows {
  float* y;        ///< row r at y + r * y_stride
  const float* x;  ///< row r at x + r * stride
  std::int64_t rows, stride, y_stride;
};

struct DenseTable {
  using Kernel = void(const Dense& dense, const DenseRows& rows);
  Kernel *with_float, *with_half;  ///< weights as float, or as the bits of IEEE's half
  int panel;
};

}  // namespace gradus::nn::kernels
