// How index_select, gather and x[index] pair the elements of two tensors: read one way, they are the operations, the
// other way their adjoints. Threads share out reads as they like, but writes so that no place is seen by two, since two
// indices may name one; each place sees its elements in order.
#pragma once

#include "kernels/split.hpp"
#include "ops/strided.hpp"

#include <algorithm>
#include <optional>

namespace gradus::detail {

enum class Access { read, write };

inline constexpr auto read = [](auto& large, auto& small) { small = large; };
inline constexpr auto write = [](auto& large, auto& small) { large = small; };
inline constexpr auto add_back = []<class T>(T& large, T& small) { large = static_cast<T>(large + small); };

/// Calls f(large[i], small[i]) for i in [first, last).
template <class T, class F>
void pair_run(T* large, T* small, std::int64_t first, std::int64_t last, F f) {
  if constexpr (std::same_as<F, std::remove_const_t<decltype(read)>>) {
    std::copy(large + first, large + last, small + first);
  } else {
    for (std::int64_t i = first; i < last; ++i) f(large[i], small[i]);
  }
}

/// f(owns) on several threads, where owns(place) is true on one of them; for many places alike.
template <class F>
void share_places(std::int64_t elements, F f) {
  constexpr std::int64_t classes = 64;  // of places, by their remainder
  kernels::split(classes, elements / classes, 1, [&](std::int64_t first, std::int64_t last) {
    f([first, last](std::int64_t place) { return first <= place % classes && place % classes < last; });
  });
}

/// Calls f(element of `large`, element of `small`) for all that index_select(large, dim, index) pairs.
template <class T, class F>
void pair_selected(T* large, const Shape& shape, int dim, const Tensor& index, T* small, F f,
                   Access access = Access::write) {
  const std::int64_t inner = strides_of(shape)[dim], n = index.numel(), block = shape[dim] * inner;
  if (block == 0 || n == 0) return;
  const auto* const at = elements<std::int64_t>(index);
  const std::int64_t rows = numel(shape) / block * n;
  if (access == Access::write && inner >= 64 && shape[dim] >= 64) {  // whole rows: parts of a page are slow to write
    share_places(rows * inner, [=](auto owns) {
      for (std::int64_t row = 0; row < rows; ++row) {
        const std::int64_t place = at[row % n];
        if (owns(place)) pair_run(large + row / n * block + place * inner, small + row * inner, 0, inner, f);
      }
    });
    return;
  }
  share_matrix({rows, access == Access::read ? 1 : n}, {inner, 16},
               [=](std::int64_t row, std::int64_t end, std::int64_t left, std::int64_t right) {
                 T* from = large + row / n * block;
                 for (std::int64_t k = row % n; row < end; k = 0, from += block) {
                   const std::int64_t stop = row + std::min(n - k, end - row);
                   if (inner == 1) {
#pragma GCC unroll 4
                     for (; row < stop; ++row, ++k) f(from[at[k]], small[row]);
                   } else {
                     for (; row < stop; ++row, ++k) {
                       pair_run(from + at[k] * inner, small + row * inner, left, right, f);
                     }
                   }
                 }
               });
}

/// The same for gather(large, dim, index); `small` has the shape of the index. Calls refuse(), which throws, for an
/// index out of range.
template <class T, class F, class Refuse>
void pair_gathered(T* large, const Shape& shape, int dim, const Tensor& index, T* small, F f, Access access,
                   Refuse refuse) {
  if (index.numel() == 0) return;
  Shape strides = strides_of(shape);
  const std::int64_t stride = shape.empty() ? 1 : std::exchange(strides[dim], 0);
  const auto extent = static_cast<std::uint64_t>(shape.empty() ? 1 : shape[dim]);
  const auto pair = [extent, f, refuse](T* from, std::int64_t k, std::int64_t pace, T& to) {
    if (static_cast<std::uint64_t>(k) >= extent) [[unlikely]]
      refuse();
    f(from[k * pace], to);
  };
  Walk<1> walk = walk_of(index.shape(), strides);
  const Walk<1>::Dimension inner = walk.pop();
  const std::int64_t n = inner.extent, step = inner.stride[0], rows = walk.count();
  std::int64_t before = 1;  // blocks that are written apart from one another
  for (int d = 0; d < dim; ++d) before *= index.shape()[d];
  const bool reads = access == Access::read;
  share_matrix({rows, reads ? 1 : std::max<std::int64_t>(rows / before, 1)}, {n, reads || step != 0 ? 16 : n},
               [&](std::int64_t first, std::int64_t last, std::int64_t left, std::int64_t right) {
                 walk.for_each(first, last, [&](std::int64_t row, auto offset) {
                   T *const from = large + offset[0], *const to = small + row * n;
                   const std::int64_t* const at = elements<std::int64_t>(index) + row * n;
                   if (step == 0 && stride == 1) {
#pragma GCC unroll 4
                     for (std::int64_t i = left; i < right; ++i) pair(from, at[i], 1, to[i]);
                   } else {
                     for (std::int64_t i = left; i < right; ++i) pair(from + i * step, at[i], stride, to[i]);
                   }
                 });
               });
}

/// Calls f(element of `large`, element of `small`) for the runs of `run` neighbours that begin at these offsets.
template <class T, class F>
void pair_runs(T* large, const Tensor& offsets, std::int64_t run, T* small, F f, Access access = Access::write) {
  const auto* const at = elements<std::int64_t>(offsets);
  const std::int64_t n = offsets.numel();
  if (n == 0) return;
  share_matrix({n, access == Access::read ? 1 : n}, {run, 16},
               [=](std::int64_t first, std::int64_t last, std::int64_t left, std::int64_t right) {
                 if (run == 1) {
                   for (std::int64_t k = first; k < last; ++k) f(large[at[k]], small[k]);
                   return;
                 }
                 for (std::int64_t k = first; k < last; ++k) pair_run(large + at[k], small + k * run, left, right, f);
               });
}

/// The first index outside [0, extent), if any.
std::optional<std::int64_t> index_outside(const Tensor& index, std::int64_t extent);
/// Throws IndexError for one.
void check_slices(const Tensor& index, int dim, const Shape& shape, const char* op = __builtin_FUNCTION());
/// Throws RuntimeError that names the first index outside dimension `dim` of a shape; there is one.
[[noreturn]] void refuse_index(const Tensor& index, int dim, const Shape& shape);

}  // namespace gradus::detail
