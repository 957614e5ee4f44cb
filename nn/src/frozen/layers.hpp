// A net in evaluation as a list of layers, one behind the other: what freeze makes steps of, and export_onnx operators.
// Sequentials are opened, Dropout and Identity are gone, modules of the user's own are seen through.
#pragma once

#include "windows.hpp"

#include <gradus/nn/batch_norm.hpp>
#include <gradus/nn/conv.hpp>
#include <gradus/nn/layer_norm.hpp>
#include <gradus/nn/linear.hpp>

#include <variant>

namespace gradus::nn::frozen {

/// The element-wise functions; the first three may end a product.
enum class Function { none, relu, leaky_relu, hardtanh, sigmoid, tanh, gelu, softplus, elu, silu };

struct Activation {
  Function function = Function::none;
  double a = 0, b = 0;  ///< slope of leaky_relu, alpha of elu, limits of hardtanh
};

struct SoftmaxOver {
  std::int64_t dim;  ///< of a batch, from 1 on
  bool log;
};

struct Pooling {
  Windows windows;
  bool max;
};

struct Reshape {};

struct Layer {
  std::string name, type;  ///< "encoder.0", "Linear"
  std::variant<const Linear*, const Conv1d*, const BatchNorm1d*, const LayerNorm*, Activation, SoftmaxOver, Pooling,
               Reshape>
      what;
  Shape before, after;  ///< of a row, without the batch
};

struct Layers {
  std::vector<Layer> list;
  Shape in, out;
  bool traced = false;  ///< a module of the user's own is among them
};

/// The layers of `net` for rows of shape `row`. `caller` begins the text of errors.
/// Throws ValueError for a net in training mode, for a layer that is none of these, that has hooks, or that rows of
/// this shape do not fit, by its name.
Layers layers_of(const Module& net, const Shape& row, const char* caller);

/// A batch of rows to try `module` with.
Tensor batch_of(Shape row, const Module& module, bool random);

/// The shape of a row that the first layer of `net` takes. Throws ValueError when it does not tell.
Shape row_of(const Module& net, const char* caller);

/// Throws ValueError that says what is wrong with the layer.
[[noreturn]] void refuse(const char* caller, const std::string& name, const std::string& type, const std::string& why);

}  // namespace gradus::nn::frozen
