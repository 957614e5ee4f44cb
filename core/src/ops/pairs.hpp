// How index_select, gather and x[index] pair the elements of two tensors: read one way, they are the operations, the
// other way their adjoints. Threads share out reads as they like, but writes so that no place is seen by two, since two
// indices may name one; each place sees its elements in order.
#pragma once

#include "kernels/split.hpp"
#include "ops/elementwise.hpp"

#include <algorithm>
#include <optional>

namespace gradus::detail {

inline constexpr auto read = [](auto& large, auto& small) { small = large; };
inline constexpr auto write = [](auto& large, auto& small) { large = small; };
inline constexpr auto add_back = [](auto& large, auto& small) { large = plus(large, small); };

template <class F>
inline constexpr bool only_reads = std::same_as<F, std::remove_const_t<decltype(read)>>;

/// Calls f(large[i], small[i]) for i in [first, last).
template <class T, class F>
void pair_run(T* large, T* small, std::int64_t first, std::int64_t last, F f) {
  if constexpr (only_reads<F>) {
    std::copy(large + first, large + last, small + first);
  } else {
    for (std::int64_t i = first; i < last; ++i) f(large[i], small[i]);
  }
}

/// f(owns) on several threads, where owns(place) is true on one of them; neighbours fall to different ones.
template <class F>
void share_places(std::int64_t elements, F f) {
  constexpr std::uint64_t golden_ratio = 0x9E3779B97F4A7C15;  // its multiples fill the range evenly
  constexpr int bits = 6, classes = 1 << bits;
  kernels::split(classes, elements / classes, 1, [&](std::int64_t first, std::int64_t last) {
    f([first, last](std::int64_t place) {
      const auto of = static_cast<std::int64_t>(static_cast<std::uint64_t>(place) * golden_ratio >> (64 - bits));
      return first <= of && of < last;
    });
  });
}

/// Calls f(element of `large`, element of `small`) for the runs of `run` neighbours that begin at these offsets, which
/// count steps of `pace` elements, in each of `blocks` blocks of `block` elements. Where run is 1, so is pace. Two runs
/// are the same or apart.
template <class T, class F>
void pair_runs(T* large, std::int64_t block, const Tensor& offsets, std::int64_t run, T* small, F f,
               std::int64_t pace = 1, std::int64_t blocks = 1) {
  const auto* const at = elements<std::int64_t>(offsets);
  const std::int64_t n = offsets.numel();
  if (n == 0) return;
  // Parts of a page are slow to write: of many places a thread takes whole runs, unless it can take whole blocks.
  if (!only_reads<F> && run >= 64 && block >= 64 * run && blocks < run / 16) {
    share_places(blocks * n * run, [=](auto owns) {
      for (std::int64_t i = 0; i < blocks; ++i) {
        for (std::int64_t k = 0; k < n; ++k) {
          if (owns(at[k])) pair_run(large + i * block + at[k] * pace, small + (i * n + k) * run, 0, run, f);
        }
      }
    });
    return;
  }
  share_matrix({blocks * n, only_reads<F> ? 1 : n}, {run, 16},
               [=](std::int64_t row, std::int64_t end, std::int64_t left, std::int64_t right) {
                 T* from = large + row / n * block;
                 for (std::int64_t k = row % n; row < end; k = 0, from += block) {
                   const std::int64_t stop = row + std::min(n - k, end - row);
                   if (run == 1) {
#pragma GCC unroll 4
                     for (; row < stop; ++row, ++k) f(from[at[k]], small[row]);
                   } else {
                     for (; row < stop; ++row, ++k) pair_run(from + at[k] * pace, small + row * run, left, right, f);
                   }
                 }
               });
}

/// The same for all that index_select(large, dim, index) pairs.
template <class T, class F>
void pair_selected(const Tensor& large, int dim, const Tensor& index, const Tensor& small, F f) {
  const Lines lines(large.shape(), dim);
  pair_runs(elements<T>(large), lines.size * lines.inner, index, lines.inner, elements<T>(small), f, lines.inner,
            lines.outer);
}

/// Throws RuntimeError that names the first index outside dimension `dim` of a shape; there is one.
[[noreturn]] void refuse_index(const Tensor& index, int dim, const Shape& shape);

/// The same for gather(large, dim, index); `small` has the shape of the index. Calls `refuse` for an index out of
/// range.
template <class T, auto refuse = refuse_index, class F>
void pair_gathered(const Tensor& large, int dim, const Tensor& index, const Tensor& small, F f) {
  if (index.numel() == 0) return;
  const Shape& shape = large.shape();
  Shape strides = strides_of(shape);
  const std::int64_t stride = shape.empty() ? 1 : std::exchange(strides[dim], 0);
  const auto extent = static_cast<std::uint64_t>(shape.empty() ? 1 : shape[dim]);
  const auto outside = [&] { refuse(index, dim, shape); };
  const auto pair = [extent, f, outside](T* from, std::int64_t k, std::int64_t pace, T& to) {
    if (static_cast<std::uint64_t>(k) >= extent) [[unlikely]]
      outside();
    f(from[k * pace], to);
  };
  Walk<1> walk = walk_of(index.shape(), strides);
  const Walk<1>::Dimension inner = walk.pop();
  const std::int64_t n = inner.extent, step = inner.stride[0], rows = walk.count();
  std::int64_t before = 1;  // blocks that are written apart from one another
  for (int d = 0; d < dim; ++d) before *= index.shape()[d];
  T *const all = elements<T>(large), *const paired = elements<T>(small);
  constexpr bool reads = only_reads<F>;
  share_matrix({rows, reads ? 1 : std::max<std::int64_t>(rows / before, 1)}, {n, reads || step != 0 ? 16 : n},
               [&](std::int64_t first, std::int64_t last, std::int64_t left, std::int64_t right) {
                 walk.for_each(first, last, [&](std::int64_t row, auto offset) {
                   T *const from = all + offset[0], *const to = paired + row * n;
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

/// The first index outside [0, extent), if any.
std::optional<std::int64_t> index_outside(const Tensor& index, std::int64_t extent);
/// Throws IndexError for one.
void check_slices(const Tensor& index, int dim, const Shape& shape, const char* op = __builtin_FUNCTION());

}  // namespace gradus::detail
