// What losses that compare x with a target element by element share.
#pragma once

#include "arguments.hpp"

#include <gradus/nn/functional.hpp>

namespace gradus::nn {

using detail::fail;
using detail::message, detail::torch_size, detail::type_name;

inline Tensor reduced(const Tensor& losses, Reduction reduction) {
  switch (reduction) {
    case Reduction::none: return losses;
    case Reduction::mean: return losses.mean();
    case Reduction::sum: break;
  }
  return losses.sum();
}

/// The share of one loss in the reduced value.
inline double share(Reduction reduction, std::int64_t n) {
  return reduction == Reduction::mean ? 1 / static_cast<double>(n) : 1;
}

inline void check_same_size(const Tensor& x, const Tensor& target) {
  if (x.shape() == target.shape()) return;
  gradus::broadcast_shapes(x.shape(), target.shape());  // throws where PyTorch does
  fail<ValueError>("Using a target size (", torch_size(target.shape()), ") that is different to the input size (",
                   torch_size(x.shape()),
                   "). This will likely lead to incorrect results due to broadcasting. Please ensure they have "
                   "the same size.\nreshape one of them, e.g. target.reshape(x.shape())");
}

/// The dtype in which the loss is computed. `kernel` names it for PyTorch's text.
inline Dtype common_dtype(const char* kernel, const Tensor& x, const Tensor& target) {
  check_same_size(x, target);
  const Dtype dtype = promote(x.dtype(), target.dtype());
  require_floating(kernel, dtype);
  return dtype;
}

}  // namespace gradus::nn
