// Views of the same elements under a name of their own.
#pragma once

#include "tensor/tensor_impl.hpp"

namespace gradus::detail {

/// x seen in `shape`, which has as many elements; `name` is that of the node.
Tensor reshaped(const Tensor& x, const Shape& shape, const char* name);

}  // namespace gradus::detail
