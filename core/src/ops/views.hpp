// Views and parts under a name of their own, and the adjoint of gather, which max, min and sort need too.
#pragma once

#include "tensor/tensor_impl.hpp"

namespace gradus::detail {

/// x seen in `shape`, which has as many elements; `name` is that of the node.
Tensor reshaped(const Tensor& x, const Shape& shape, const char* name);

/// select and narrow with arguments that are checked; `name` is that of the node.
Tensor take_one(const Tensor& x, int dim, std::int64_t index, const char* name);
Tensor take_range(const Tensor& x, int dim, std::int64_t start, std::int64_t length, const char* name);

/// Zeros of `shape`, with x added where gather(…, dim, index) reads. Differentiable in x.
Tensor scatter_add(const Tensor& x, const Shape& shape, int dim, const Tensor& index);

}  // namespace gradus::detail
