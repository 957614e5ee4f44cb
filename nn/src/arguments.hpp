// What functions of nn ask of their arguments alike, and what losses do with them.
#pragma once

#include "autograd/record.hpp"
#include "tensor/message.hpp"

#include <gradus/nn/functional.hpp>

namespace gradus::nn {

/// Refuses an argument that wants a gradient which `function` does not give.
inline void refuse_gradient(const char* function, const char* argument, const Tensor& x) {
  if (!detail::tracks(x)) return;
  detail::fail<RuntimeError>("The function '", function, "' is not differentiable with respect to argument '", argument,
                             "'. This input cannot have requires_grad True.\nhand over ", argument, ".detach()");
}

/// Refuses an x that is not floating. `kernel` is its name in PyTorch's text.
inline void require_floating(const char* kernel, Dtype dtype) {
  if (is_floating(dtype)) return;
  detail::fail<RuntimeError>("\"", kernel, "\" not implemented for '", detail::type_name(dtype),
                             "'\nconvert first: x.to(float32)");
}

/// Refuses a tensor, if it is defined, of another dtype than x.
inline void require_dtype_of(const Tensor& x, const Tensor& other, const char* remedy) {
  if (!other.defined() || other.dtype() == x.dtype()) return;
  detail::fail<RuntimeError>("expected scalar type ", detail::type_name(x.dtype()), " but found ",
                             detail::type_name(other.dtype()), '\n', remedy);
}

/// A row of what a graph keeps of a normalisation: (rows, C) in double.
inline double* row_of(const Tensor& statistics, int row) {
  return detail::elements<double>(statistics) + row * statistics.shape()[1];
}

// --- windows that slide along a dimension

/// What a window of `kernel` elements, `dilation` apart, covers. Both throw RuntimeError for what int64 cannot count.
inline std::int64_t window_length(const char* op, std::int64_t kernel, std::int64_t dilation) {
  std::int64_t last = 0, length = 0;
  const bool fits = !__builtin_mul_overflow(dilation, kernel - 1, &last) && !__builtin_add_overflow(last, 1, &length);
  detail::throw_if<RuntimeError>(!fits, op, ": a window of ", kernel, " with dilation ", dilation,
                                 " is longer than int64 can count");
  return length;
}

/// `length` and the padding on either side.
inline std::int64_t padded_length(const char* op, std::int64_t length, std::int64_t before, std::int64_t after) {
  std::int64_t half = 0, padded = 0;
  const bool fits = !__builtin_add_overflow(length, before, &half) && !__builtin_add_overflow(half, after, &padded);
  detail::throw_if<RuntimeError>(!fits, op, ": a padding of ", before, " is more than int64 can count");
  return padded;
}

// --- losses

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
  detail::fail<ValueError>("Using a target size (", detail::torch_size(target.shape()),
                           ") that is different to the input size (", detail::torch_size(x.shape()),
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
