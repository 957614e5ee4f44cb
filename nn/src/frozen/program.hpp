// A net in evaluation as a list of steps over one row at a time: what Plan runs and export_header writes. BatchNorm is
// folded into the products beside it. Numbers are in double until they are stored.
#pragma once

#include "frozen/layers.hpp"

namespace gradus::nn::frozen {

/// y (rows, groups · outputs): of row r and group g then(weight_g x_gr + bias_g), with `inputs` elements of x from
/// (g rows + r) stride on. A Linear has one row, or one for each vector; a Conv1d over (L, C), channels last, has a row
/// for each position, and its windows overlap.
struct Product {
  std::int64_t rows, stride, inputs, outputs, groups = 1;
  std::vector<double> weight = {};  ///< (groups, outputs, inputs)
  std::vector<double> bias = {};    ///< (groups, outputs)
  Activation then = {};
};

/// Outputs with those that fill the last register, see kernels/dense.hpp; loops over products write as many.
constexpr std::int64_t group_size = 16;
constexpr std::int64_t padded(std::int64_t outputs) { return (outputs + group_size - 1) / group_size * group_size; }

/// The windows of a convolution, one behind the other: (length, channels) to (groups, positions, kernel, channels /
/// groups).
struct Patches {
  std::int64_t positions, stride, kernel, dilation, channels, groups;
};

/// y = (x - mean) scale + shift, element i with the constants of (i / each) % mean.size(): a BatchNorm1d that no
/// product took.
struct Norm {
  std::vector<double> mean, scale, shift;
  std::int64_t each;
};

/// Each `weight.size()` elements normalised over themselves.
struct RowNorm {
  std::vector<double> weight, bias;
  double eps;
};

struct Softmax {
  std::int64_t groups, size;
  bool log;
};

/// (length, channels) to (places, channels).
struct Pool {
  Windows windows;
  std::int64_t channels;
  bool max;
};

/// (rows, columns) to (columns, rows).
struct Transpose {
  std::int64_t rows, columns;
};

/// Zeros on both sides.
struct Pad {
  std::int64_t before, after;
};

using Work = std::variant<Product, Patches, Norm, RowNorm, Activation, Softmax, Pool, Transpose, Pad>;

struct Step {
  Work work;
  std::string layers;    ///< "0 Linear, 1 BatchNorm1d, 2 ReLU"
  std::int64_t in, out;  ///< elements of a row
};

struct Program {
  Shape in, out;  ///< of a row
  std::vector<Step> steps;
};

/// The program of `net` for rows of shape `row`. Throws as layers_of, and ValueError for a running_var that is negative
/// or NaN, for weights that are not finite, for a softmax over a dimension in the middle, and when a module of the
/// user's own computes something else than its layers do.
Program freeze(const Module& net, const Shape& row, const char* caller);

}  // namespace gradus::nn::frozen
