// Elements moved and chosen: transposes, `where`, the largest of a row.
#pragma once

#include "kernels/lanes.hpp"

namespace gradus::body {
namespace {

// A tile is read row by row, whole cache lines, into one piece and written line by line from there. Rows are often a
// power of two apart, which leaves a cache few places for all of them.
constexpr int tile_size = 16;

/// Writes the 4 x 4 elements at x, rows tile_size apart, transposed to y.
template <class T>
GRADUS_INLINE void transpose_4x4(T* y, const T* x, int64_t y_stride) {
  typedef T Vector __attribute__((vector_size(16)));
  constexpr int width = 16 / sizeof(T);
  Vector row[4][4 / width];
  __builtin_memcpy(row[0], x, sizeof row[0]), __builtin_memcpy(row[1], x + tile_size, sizeof row[1]);
  __builtin_memcpy(row[2], x + 2 * tile_size, sizeof row[2]),
      __builtin_memcpy(row[3], x + 3 * tile_size, sizeof row[3]);
  Vector column[4][4 / width];
  if constexpr (width == 4) {
    const Vector a = __builtin_shufflevector(row[0][0], row[1][0], 0, 4, 1, 5);
    const Vector b = __builtin_shufflevector(row[2][0], row[3][0], 0, 4, 1, 5);
    const Vector c = __builtin_shufflevector(row[0][0], row[1][0], 2, 6, 3, 7);
    const Vector d = __builtin_shufflevector(row[2][0], row[3][0], 2, 6, 3, 7);
    column[0][0] = __builtin_shufflevector(a, b, 0, 1, 4, 5);
    column[1][0] = __builtin_shufflevector(a, b, 2, 3, 6, 7);
    column[2][0] = __builtin_shufflevector(c, d, 0, 1, 4, 5);
    column[3][0] = __builtin_shufflevector(c, d, 2, 3, 6, 7);
  } else {
    for (int j = 0; j < 2; ++j) {
      for (int half = 0; half < 2; ++half) {
        column[2 * j][half] = __builtin_shufflevector(row[2 * half][j], row[2 * half + 1][j], 0, 2);
        column[2 * j + 1][half] = __builtin_shufflevector(row[2 * half][j], row[2 * half + 1][j], 1, 3);
      }
    }
  }
  for (int j = 0; j < 4; ++j) __builtin_memcpy(y + j * y_stride, column[j], sizeof column[j]);
}

/// y[j * y_stride + i] = x[i * x_stride + j] for i below `rows` and j below `cols`.
template <class T>
void transpose(T* y, int64_t y_stride, const T* x, int64_t x_stride, int64_t rows, int64_t cols) {
  for (int64_t i = 0; i < rows; i += tile_size) {
    for (int64_t j = 0; j < cols; j += tile_size) {
      T* const to = y + j * y_stride + i;
      const T* const from = x + i * x_stride + j;
      if (i + tile_size <= rows && j + tile_size <= cols) {
        T tile[tile_size * tile_size];
        for (int r = 0; r < tile_size; ++r)
          __builtin_memcpy(tile + r * tile_size, from + r * x_stride, tile_size * sizeof(T));
        for (int c = 0; c < tile_size; c += 4) {
          for (int r = 0; r < tile_size; r += 4) {
            transpose_4x4(to + c * y_stride + r, tile + r * tile_size + c, y_stride);
          }
        }
      } else {
        for (int64_t c = 0; c < tile_size && j + c < cols; ++c) {
          for (int64_t r = 0; r < tile_size && i + r < rows; ++r) to[c * y_stride + r] = from[r * x_stride + c];
        }
      }
    }
  }
}

/// y = a where `chosen`, else b; a and b advance by their steps, 0 or 1. The compiler makes vectors of these loops.
template <class T>
void where(T* __restrict y, const bool* chosen, const T* a, int64_t step_a, const T* b, int64_t step_b, int64_t n) {
  const T one_a = *a, one_b = *b;
  if (step_a && step_b) {
    for (int64_t i = 0; i < n; ++i) {
      const T p = a[i], q = b[i];
      y[i] = chosen[i] ? p : q;
    }
  } else if (step_a) {
    for (int64_t i = 0; i < n; ++i) {
      const T p = a[i];
      y[i] = chosen[i] ? p : one_b;
    }
  } else if (step_b) {
    for (int64_t i = 0; i < n; ++i) {
      const T q = b[i];
      y[i] = chosen[i] ? one_a : q;
    }
  } else {
    for (int64_t i = 0; i < n; ++i) y[i] = chosen[i] ? one_a : one_b;
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
