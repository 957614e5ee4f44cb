// The adjoint of gather, which max and min along a dimension need too.
#pragma once

#include "tensor/tensor_impl.hpp"

namespace gradus::detail {

/// Zeros of `shape`, with x added where gather(…, dim, index) reads. Differentiable in x.
Tensor scatter_add(const Tensor& x, const Shape& shape, int dim, const Tensor& index);

}  // namespace gradus::detail
