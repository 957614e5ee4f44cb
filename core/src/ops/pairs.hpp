// How index_select and gather pair the elements of two tensors: read one way, they are the operations, the other way
// their adjoints.
#pragma once

#include "ops/strided.hpp"

namespace gradus::detail {

/// Calls f(element of `large`, element of `small`) for all that index_select(large, dim, index) pairs.
template <class T, class F>
void pair_selected(T* large, const Shape& shape, int dim, const Tensor& index, T* small, F f) {
  const std::int64_t inner = strides_of(shape)[dim], n = index.numel(), block = shape[dim] * inner;
  const auto* at = elements<std::int64_t>(index);
  for (T* const end = large + numel(shape); large != end; large += block) {
    for (std::int64_t k = 0; k < n; ++k) {
      for (std::int64_t i = 0; i < inner; ++i) f(large[at[k] * inner + i], *small++);
    }
  }
}

/// The same for gather(large, dim, index); `small` has the shape of the index.
template <class T, class F>
void pair_gathered(T* large, const Shape& shape, int dim, const Tensor& index, T* small, F f) {
  if (index.numel() == 0) return;
  Shape strides = strides_of(shape);
  const std::int64_t stride = shape.empty() ? 1 : std::exchange(strides[dim], 0);
  const auto* at = elements<std::int64_t>(index);
  Walk(index.shape(), strides).for_each(0, index.numel(), [&](std::int64_t i, std::int64_t offset) {
    f(large[offset + at[i] * stride], small[i]);
  });
}

inline constexpr auto read = [](auto& large, auto& small) { small = large; };
inline constexpr auto write = [](auto& large, auto& small) { large = small; };
inline constexpr auto add_back = []<class T>(T& large, T& small) { large = static_cast<T>(large + small); };

/// The first index outside [0, extent), if any.
std::optional<std::int64_t> index_outside(const Tensor& index, std::int64_t extent);

}  // namespace gradus::detail
