// Elements moved and chosen: transposes, `where`, the largest of a row.
#pragma once

#include "kernels/lanes.hpp"

namespace gradus::body {
namespace {

// A tile is read row by row, whole cache lines, into one piece and written line by line from there. Rows are often a
// power of two apart, which leaves a cache few places for all of them.
constexpr int tile_size = 16;

constexpr int64_t page = 4096;  // bytes

/// Writes the 4 x 4 elements at x, rows tile_size apart, transposed to y.
template <class T>
GRADUS_INLINE void transpose_4x4(T* y, const T* x, int64_t y_stride) {
  typedef T Vector __attribute__((vector_size(4 * sizeof(T))));
  Vector row[4], column[4];
  for (int i = 0; i < 4; ++i) __builtin_memcpy(&row[i], x + i * tile_size, sizeof row[i]);
  if constexpr (is_float<T>) {  // what is one instruction each
    const Vector a = __builtin_shufflevector(row[0], row[1], 0, 4, 1, 5);
    const Vector b = __builtin_shufflevector(row[2], row[3], 0, 4, 1, 5);
    const Vector c = __builtin_shufflevector(row[0], row[1], 2, 6, 3, 7);
    const Vector d = __builtin_shufflevector(row[2], row[3], 2, 6, 3, 7);
    column[0] = __builtin_shufflevector(a, b, 0, 1, 4, 5), column[1] = __builtin_shufflevector(a, b, 2, 3, 6, 7);
    column[2] = __builtin_shufflevector(c, d, 0, 1, 4, 5), column[3] = __builtin_shufflevector(c, d, 2, 3, 6, 7);
  } else {
    const Vector a = __builtin_shufflevector(row[0], row[1], 0, 4, 2, 6);
    const Vector b = __builtin_shufflevector(row[2], row[3], 0, 4, 2, 6);
    const Vector c = __builtin_shufflevector(row[0], row[1], 1, 5, 3, 7);
    const Vector d = __builtin_shufflevector(row[2], row[3], 1, 5, 3, 7);
    column[0] = __builtin_shufflevector(a, b, 0, 1, 4, 5), column[1] = __builtin_shufflevector(c, d, 0, 1, 4, 5);
    column[2] = __builtin_shufflevector(a, b, 2, 3, 6, 7), column[3] = __builtin_shufflevector(c, d, 2, 3, 6, 7);
  }
  for (int j = 0; j < 4; ++j) __builtin_memcpy(y + j * y_stride, &column[j], sizeof column[j]);
}

/// Writes a whole tile transposed to y.
template <class T>
GRADUS_INLINE void transpose_tile(T* y, const T* tile, int64_t y_stride) {
  for (int c = 0; c < tile_size; c += 4) {
    for (int r = 0; r < tile_size; r += 4) transpose_4x4(y + c * y_stride + r, tile + r * tile_size + c, y_stride);
  }
}

/// The transpose, tile by tile.
template <class T>
[[gnu::flatten]] void transpose_tiles(T* y, int64_t y_stride, const T* x, int64_t x_stride, int64_t rows,
                                      int64_t cols) {
  for (int64_t i = 0; i < rows; i += tile_size) {
    for (int64_t j = 0; j < cols; j += tile_size) {
      T* const to = y + j * y_stride + i;
      const T* const from = x + i * x_stride + j;
      if (i + tile_size <= rows && j + tile_size <= cols) {
        T tile[tile_size * tile_size];
        for (int r = 0; r < tile_size; ++r)
          __builtin_memcpy(tile + r * tile_size, from + r * x_stride, tile_size * sizeof(T));
        transpose_tile(to, tile, y_stride);
      } else {
        for (int64_t c = 0; c < tile_size && j + c < cols; ++c) {
          for (int64_t r = 0; r < tile_size && i + r < rows; ++r) to[c * y_stride + r] = from[r * x_stride + c];
        }
      }
    }
  }
}

/// y[j * y_stride + i] = x[i * x_stride + j] for i below `rows` and j below `cols`. Where the rows of y lie whole pages
/// apart, columns of tiles are put together first and written in longer runs.
template <class T>
void transpose(T* y, int64_t y_stride, const T* x, int64_t x_stride, int64_t rows, int64_t cols) {
  constexpr int64_t run = 64;
  const bool in_runs = y_stride * int64_t{sizeof(T)} % page == 0 && rows >= run;
  const int64_t height = in_runs ? run : rows, width = in_runs ? tile_size : cols;
  T runs[tile_size * run];
  for (int64_t i = 0; i < rows; i += height) {
    const int64_t m = rows - i < height ? rows - i : height;
    for (int64_t j = 0; j < cols; j += width) {
      const int64_t n = cols - j < width ? cols - j : width;
      transpose_tiles(in_runs ? runs : y, in_runs ? run : y_stride, x + i * x_stride + j, x_stride, m, n);
      for (int64_t c = 0; in_runs && c < n; ++c) {
        __builtin_memcpy(y + (j + c) * y_stride + i, runs + c * run, static_cast<size_t>(m) * sizeof(T));
      }
    }
  }
}

/// Masks instead of branches: a processor guesses a branch on random bits wrong half of the time.
template <bool steps_a, bool steps_b, class T>
GRADUS_INLINE void choose(T* __restrict y, const bool* chosen, const T* a, const T* b, int64_t n) {
  using BitsOf = std::conditional_t<is_float<T>, uint32_t, uint64_t>;
  const T one_a = *a, one_b = *b;
  // g++ makes no vectors of bool, and none here unless told that nothing overlaps, which clang sees by itself.
  const auto* which = reinterpret_cast<const unsigned char*>(chosen);
#ifndef __clang__
#pragma GCC ivdep
#endif
  for (int64_t i = 0; i < n; ++i) {
    const auto p = __builtin_bit_cast(BitsOf, steps_a ? a[i] : one_a);
    const auto q = __builtin_bit_cast(BitsOf, steps_b ? b[i] : one_b);
    y[i] = __builtin_bit_cast(T, q ^ ((p ^ q) & (BitsOf(0) - BitsOf(which[i]))));
  }
}

/// y = a where `chosen`, else b; a and b advance by their steps, 0 or 1. The compiler makes vectors of these loops.
template <class T>
void where(T* y, const bool* chosen, const T* a, int64_t step_a, const T* b, int64_t step_b, int64_t n) {
  if (step_a && step_b) {
    choose<true, true>(y, chosen, a, b, n);
  } else if (step_a) {
    choose<true, false>(y, chosen, a, b, n);
  } else if (step_b) {
    choose<false, true>(y, chosen, a, b, n);
  } else {
    choose<false, false>(y, chosen, a, b, n);
  }
}

/// Whether every a > b.
template <class T>
GRADUS_INLINE bool all_greater(Pack<T> a, Pack<T> b) {
  bool all_are = true;
#pragma GCC unroll 16
  for (int i = 0; i < a.count; ++i) all_are = all_are && all(a.part[i] > b.part[i]);
  return all_are;
}

/// The place of the largest (or smallest) of n >= 16 numbers, the first among equals; the first NaN if there is one.
template <class T, bool largest>
int64_t extremum(const T* x, int64_t n) {
  const Pack<T> sign(largest ? 1 : -1);
  Pack<T> top = load(x) * sign, nan = load(x);  // lanes of `nan` stay NaN
  const auto look = [&](Pack<T> v) {
    nan = where_nan(nan, nan, v);
    v = v * sign;
    top = where_greater(v, top, v, top);
  };
  for (int64_t i = lane_count; i + lane_count <= n; i += lane_count) look(load(x + i));
  look(load(x + n - lane_count));
  T lane[lane_count], suspect[lane_count];
  store(lane, top), store(suspect, nan);
  bool has_nan = false;
  T most = lane[0];
  for (int i = 0; i < lane_count; ++i) {
    has_nan = has_nan || suspect[i] != suspect[i];
    most = lane[i] > most ? lane[i] : most;
  }
  int64_t i = 0;
  if (has_nan) {
    while (x[i] == x[i]) ++i;
    return i;
  }
  const Pack<T> limit(most);
  while (i + lane_count <= n && all_greater(limit, load(x + i) * sign)) i += lane_count;
  most = largest ? most : -most;
  while (x[i] != most) ++i;
  return i;
}

}  // namespace
}  // namespace gradus::body
