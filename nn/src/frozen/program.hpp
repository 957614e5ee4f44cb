// A net in evaluation as a list of steps over one row at a time: what Plan runs and export_header writes. BatchNorm is
// folded into the products beside it, Dropout and the like are gone. Numbers are in double until they are stored.
#pragma once

#include <gradus/nn/module.hpp>

#include <variant>

namespace gradus::nn::frozen {

/// The element-wise functions that take a step of their own, or, the first three, end a product.
enum class Function { none, relu, leaky_relu, sigmoid, tanh, gelu, softplus, elu, silu, hardtanh };

struct Activation {
  Function function = Function::none;
  double a = 0, b = 0;  ///< slope of leaky_relu, alpha of elu, limits of hardtanh
};

/// y (rows, outputs): row r is then(weight x[r stride .. r stride + inputs] + bias). A Linear has one row, or one for
/// each vector; a Conv1d over (L, C), channels last, has a row for each position, and its windows overlap.
struct Product {
  std::int64_t rows, stride, inputs, outputs;
  std::vector<double> weight = {};  ///< (outputs, inputs)
  std::vector<double> bias = {};    ///< (outputs)
  Activation then = {};
};

/// y = (x - mean) scale + shift, element i with the constants of i % mean.size(): a BatchNorm1d that no product took.
struct Norm {
  std::vector<double> mean, scale, shift;
};

struct Softmax {
  std::int64_t groups, size;
  bool log;
};

/// (length, channels) to (out_length, channels); what lies outside counts as -infinity, or as 0.
struct Pool {
  std::int64_t length, channels, out_length, kernel, stride, padding;
  bool max, count_padding;
};

/// (rows, columns) to (columns, rows).
struct Transpose {
  std::int64_t rows, columns;
};

/// Zeros on both sides.
struct Pad {
  std::int64_t before, after;
};

struct Step {
  std::variant<Product, Norm, Activation, Softmax, Pool, Transpose, Pad> work;
  std::string layers;    ///< "0 Linear, 1 BatchNorm1d, 2 ReLU"
  std::int64_t in, out;  ///< elements of a row
};

struct Program {
  Shape in, out;  ///< of a row
  std::vector<Step> steps;
};

/// The program of `net` for rows of shape `row`, without the batch. `caller` begins the text of errors.
/// Throws ValueError for a net in training mode, for a layer that has no such form, by its name, for a running_var that
/// is negative or NaN and for weights that are not finite; what the layers themselves throw for shapes that do not fit.
Program freeze(const Module& net, const Shape& row, const char* caller);

/// The shape of a row that the first layer of `net` takes. Throws ValueError when it does not tell.
Shape row_of(const Module& net, const char* caller);

/// Throws ValueError that says what is wrong with the layer `name`.
[[noreturn]] void refuse(const char* caller, const std::string& name, const Module& module, const std::string& why);

}  // namespace gradus::nn::frozen
