// The lines of a tensor along one dimension.
#pragma once

#include "ops/strided.hpp"

namespace gradus::detail {

/// `outer` blocks, each of `inner` lines side by side; a line has `size` elements, `inner` apart. A 0-d tensor is a
/// line of one element.
struct Lines {
  Lines(const Shape& shape, int dim)
      : size(shape.empty() ? 1 : shape[dim]), inner(shape.empty() ? 1 : strides_of(shape)[dim]) {
    const std::int64_t block = size * inner;
    outer = block == 0 ? 0 : numel(shape) / block;
  }
  std::int64_t size, inner, outer;
};

}  // namespace gradus::detail
