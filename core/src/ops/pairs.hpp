// How index_select and gather pair the elements of two tensors: read one way, they are the operations, the other way
// their adjoints.
#pragma once

#include "ops/strided.hpp"
#include "runtime/parallel_for.hpp"

#include <optional>

namespace gradus::detail {

/// Calls f(element of `large`, element of `small`) for all that index_select(large, dim, index) pairs. Threads share
/// out what lies behind `dim`, so that no place is seen by two, and each in order.
template <class T, class F>
void pair_selected(T* large, const Shape& shape, int dim, const Tensor& index, T* small, F f) {
  const std::int64_t inner = strides_of(shape)[dim], n = index.numel(), block = shape[dim] * inner;
  const std::int64_t outer = block == 0 ? 0 : numel(shape) / block;
  const auto* at = elements<std::int64_t>(index);
  const auto range = [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t o = 0; o < outer; ++o) {
      for (std::int64_t k = 0; k < n; ++k) {
        T* const to = large + o * block + at[k] * inner;
        T* const from = small + (o * n + k) * inner;
        for (std::int64_t i = first; i < last; ++i) f(to[i], from[i]);
      }
    }
  };
  parallel_for(0, inner, worth_a_thread / (outer * n + 1) + 1, range, 16);
}

enum class Access { read, write };

/// The same for gather(large, dim, index); `small` has the shape of the index. Only reads are shared out to threads,
/// since two indices may name one place.
template <class T, class F>
void pair_gathered(T* large, const Shape& shape, int dim, const Tensor& index, T* small, F f,
                   Access access = Access::write) {
  if (index.numel() == 0) return;
  Shape strides = strides_of(shape);
  const std::int64_t stride = shape.empty() ? 1 : std::exchange(strides[dim], 0);
  Walk<1> walk = walk_of(index.shape(), strides);
  const Walk<1>::Dimension inner = walk.pop();
  const std::int64_t n = inner.extent, step = inner.stride[0], rows = walk.count();
  parallel_for(0, rows, access == Access::read ? worth_a_thread / n + 1 : rows,
               [&](std::int64_t first, std::int64_t last) {
                 walk.for_each(first, last, [&](std::int64_t row, auto offset) {
                   T *const from = large + offset[0], *const to = small + row * n;
                   const std::int64_t* at = elements<std::int64_t>(index) + row * n;
                   if (step == 0 && stride == 1) {
#pragma GCC unroll 4
                     for (std::int64_t i = 0; i < n; ++i) f(from[at[i]], to[i]);
                   } else {
                     for (std::int64_t i = 0; i < n; ++i) f(from[i * step + at[i] * stride], to[i]);
                   }
                 });
               });
}

inline constexpr auto read = [](auto& large, auto& small) { small = large; };
inline constexpr auto write = [](auto& large, auto& small) { large = small; };
inline constexpr auto add_back = []<class T>(T& large, T& small) { large = static_cast<T>(large + small); };

/// The first index outside [0, extent), if any.
std::optional<std::int64_t> index_outside(const Tensor& index, std::int64_t extent);

}  // namespace gradus::detail
