// Convolutions and their gradients. A tile of results stays in registers while the loop runs over what they sum.
#pragma once

#include "kernels/each_of.hpp"
#include "kernels/nn_table.hpp"

namespace gradus::body {

using nn::kernels::RowProducts;
using nn::kernels::WeightedSums;

namespace {

template <class T>
constexpr int width_of = static_cast<int>(Batch<T>::size);

template <class T>
GRADUS_INLINE Batch<T> add_product(Batch<T> sum, Batch<T> a, Batch<T> b) {
#ifdef GRADUS_FUSES
  return fuse(a, b, sum);
#else
  return sum + a * b;
#endif
}

/// Loads a once: g++ would do it anew for every product it is a factor of.
template <class T>
GRADUS_INLINE void keep_in_register([[maybe_unused]] Batch<T>& a) {
#if defined(__x86_64__) && !defined(GRADUS_BODY_PLAIN)
  asm("" : "+v"(a.data));
#endif
}

// The first n lanes; the others are 0.
#ifdef __AVX512BW__
template <class T>
GRADUS_INLINE Batch<T> load_first(const T* p, int64_t n) {
  if constexpr (is_float<T>) {
    return _mm512_maskz_loadu_ps(static_cast<__mmask16>((1u << n) - 1), p);
  } else {
    return _mm512_maskz_loadu_pd(static_cast<__mmask8>((1u << n) - 1), p);
  }
}
#else
template <class T>
[[gnu::noinline]] Batch<T> load_first(const T* p, int64_t n) {
  T lane[width_of<T>];
  for (int i = 0; i < width_of<T>; ++i) lane[i] = i < n ? p[i] : T(0);
  return Batch<T>::load_unaligned(lane);
}
#endif
template <class T>
[[gnu::noinline]] void store_first(T* p, Batch<T> a, int64_t n) {
  T lane[width_of<T>];
  a.store_unaligned(lane);
  for (int i = 0; i < width_of<T> && i < n; ++i) p[i] = lane[i];
}

// ----------------------------------------------------------------------------------------------------- weighted sums
// As many sums as the registers hold beside the elements of x and a weight: 4 rows times 3 vectors in 16 registers, 4
// times 6 in 32. What is left of a row takes tiles of a third of that.
#if defined(__AVX512BW__) || (defined(__aarch64__) && !defined(GRADUS_BODY_PLAIN))
constexpr int vectors_of_a_tile = 6;
#else
constexpr int vectors_of_a_tile = 3;
#endif
constexpr int vectors_of_a_small_tile = vectors_of_a_tile / 3, rows_of_a_tile = 4;

template <int rows, int vectors, class T>
[[gnu::noinline]] void sum_tile(const WeightedSums<T>& s, int64_t row, int64_t column) {
  const int64_t stride = s.x.count;
  const T *const weight = s.weight + row * stride, *const x = s.x.data + column;
  Batch<T> sum[rows][vectors];
  each_of<rows, vectors>([&](int i, int v) GRADUS_INLINED { sum[i][v] = Batch<T>(s.bias[row + i]); });
  for (int64_t p = 0; p < stride; ++p) {
    const T* const from = x + s.x.begin[p];
    Batch<T> element[vectors];
    each_of<vectors>([&](int v) GRADUS_INLINED { element[v] = Batch<T>::load_unaligned(from + v * width_of<T>); });
    each_of<rows>([&](int i) GRADUS_INLINED {
      const Batch<T> w(weight[i * stride + p]);
      each_of<vectors>([&](int v) GRADUS_INLINED { sum[i][v] = add_product(sum[i][v], w, element[v]); });
    });
  }
  const int64_t left = s.length - column;
  each_of<rows, vectors>([&](int i, int v) GRADUS_INLINED {
    T* const to = s.y + (row + i) * s.y_stride + column + v * width_of<T>;
    const int64_t rest = left - v * width_of<T>;
    if (rest >= width_of<T>) {
      sum[i][v].store_unaligned(to);
    } else if (rest > 0) {
      store_first(to, sum[i][v], rest);
    }
  });
}

template <int vectors, class T>
GRADUS_INLINE void sum_tiles(const WeightedSums<T>& s, int64_t column) {
  int64_t row = 0;
  if constexpr (vectors == vectors_of_a_small_tile) {
    for (; row + 8 <= s.rows; row += 8) sum_tile<8, vectors>(s, row, column);
  }
  for (; row + rows_of_a_tile <= s.rows; row += rows_of_a_tile) sum_tile<rows_of_a_tile, vectors>(s, row, column);
  for (; row < s.rows; ++row) sum_tile<1, vectors>(s, row, column);
}
template <class T>
void weighted_sums(const WeightedSums<T>& s) {
  constexpr int small = vectors_of_a_small_tile * width_of<T>;
  for (int64_t column = 0; column < s.length;) {
    if (s.length - column > 2 * small) {
      sum_tiles<vectors_of_a_tile>(s, column);
      column += 3 * small;
    } else {
      sum_tiles<vectors_of_a_small_tile>(s, column);
      column += small;
    }
  }
}

// ------------------------------------------------------------------------------------------------------ row products
/// Adds the lanes of each to y.
template <int count, class T>
[[gnu::noinline]] void add_lanes(T* y, const T (*lane)[width_of<T>]) {
#pragma GCC unroll 1
  for (int q = 0; q < count; ++q) {
#ifdef __AVX512BW__
    if constexpr (is_float<T>) {
      y[q] += _mm512_reduce_add_ps(_mm512_loadu_ps(lane[q]));
    } else {
      y[q] += _mm512_reduce_add_pd(_mm512_loadu_pd(lane[q]));
    }
#else
    T sum = lane[q][0];
    for (int i = 1; i < width_of<T>; ++i) sum += lane[q][i];
    y[q] += sum;
#endif
  }
}

template <int rows, int others, class T>
[[gnu::noinline]] void product_tile(const RowProducts<T>& s, int64_t row, int64_t p) {
  Batch<T> sum[rows][others];
  each_of<rows, others>([&](int i, int q) GRADUS_INLINED { sum[i][q] = Batch<T>(T(0)); });
  for (int64_t run = 0; run < s.runs; ++run) {
    const T* const dy = s.dy + row * s.dy_row + run * s.dy_run;
    const T* const x = s.x.data + run * s.x_run;
    const auto add = [&](auto load_lanes) GRADUS_INLINED {
      Batch<T> b[others];
      each_of<others>([&](int q) GRADUS_INLINED { b[q] = load_lanes(x + s.x.begin[p + q]); });
      each_of<rows>([&](int i) GRADUS_INLINED {
        Batch<T> a = load_lanes(dy + i * s.dy_row);
        keep_in_register(a);
        each_of<others>([&](int q) GRADUS_INLINED { sum[i][q] = add_product(sum[i][q], a, b[q]); });
      });
    };
    int64_t l = 0;
    for (; l + width_of<T> <= s.length; l += width_of<T>) {
      add([l](const T* from) GRADUS_INLINED { return Batch<T>::load_unaligned(from + l); });
    }
    if (l < s.length) add([&](const T* from) GRADUS_INLINED { return load_first(from + l, s.length - l); });
  }
  T lane[rows][others][width_of<T>];
  each_of<rows, others>([&](int i, int q) GRADUS_INLINED { sum[i][q].store_unaligned(lane[i][q]); });
  for (int i = 0; i < rows; ++i) add_lanes<others>(s.dw + (row + i) * s.x.count + p, lane[i]);
}

template <int rows, class T>
GRADUS_INLINE void product_tiles(const RowProducts<T>& s, int64_t row) {
  int64_t p = 0;
  for (; p + 3 <= s.x.count; p += 3) product_tile<rows, 3>(s, row, p);
  for (; p < s.x.count; ++p) product_tile<rows, 1>(s, row, p);
}
template <class T>
void row_products(const RowProducts<T>& s) {
  int64_t row = 0;
  for (; row + 4 <= s.rows; row += 4) product_tiles<4>(s, row);
  for (; row < s.rows; ++row) product_tiles<1>(s, row);
}

}  // namespace
}  // namespace gradus::body
