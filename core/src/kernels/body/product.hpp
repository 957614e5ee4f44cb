// Products of matrices, and of a matrix and a vector.
#pragma once

#include "kernels/body/layout.hpp"
#include "kernels/lane_sums.hpp"

namespace gradus::body {
namespace {

using kernels::MatrixProduct;

#ifdef __AVX512BW__
constexpr int registers_of_tile = 16;  // of 32
#else
constexpr int registers_of_tile = 8;
#endif
/// The sums of a tile fill those registers. At most eight rows, for each needs an address, too; at least one.
template <class T>
constexpr int rows_of_tile = Pack<T>::count == 1                  ? 8
                             : Pack<T>::count < registers_of_tile ? registers_of_tile / Pack<T>::count
                                                                  : 1;
constexpr int64_t rows_of_block = 192, depth_of_block = 256;  // of A: they stay in the second-level cache

/// a * b + c. Beside a BLAS, whose bits depend on the processor, those of our products may, too.
template <class T>
GRADUS_INLINE Pack<T> add_product(Pack<T> a, Pack<T> b, Pack<T> c) {
#ifdef GRADUS_HAS_BLAS
  return multiply_add(a, b, c);
#else
  return a * b + c;
#endif
}

/// `rows` rows of C from c and sixteen columns, or the first of them: `depth` products of columns of A from a and the
/// rows of sixteen numbers from b.
template <int rows, class T>
GRADUS_INLINE void multiply_tile(const MatrixProduct<T>& p, T* c, const T* bias, const T* a, const T* b, int64_t b_row,
                                 int64_t depth, bool add, First lanes) {
  static_assert(rows > 0);
  const int64_t a_row = p.trans_a ? 1 : p.lda, a_step = p.trans_a ? p.lda : 1;
  Pack<T> sum[rows];
#pragma GCC unroll 16
  for (int r = 0; r < rows; ++r) sum[r] = Pack<T>(0);
  for (int64_t q = 0; q < depth; ++q) {
    const Pack<T> row = load(b + q * b_row);
#pragma GCC unroll 16
    for (int r = 0; r < rows; ++r) sum[r] = add_product(Pack<T>(a[r * a_row + q * a_step]), row, sum[r]);
  }
#pragma GCC unroll 16
  for (int r = 0; r < rows; ++r) {
    T* const to = c + r * p.ldc;
    if (bias) sum[r] = sum[r] + load(bias, lanes);
    if (add) sum[r] = sum[r] + load(to, lanes);
    store(to, sum[r], lanes);
  }
}

/// Rows of sixteen columns of C, or of the first of them, from row i: tiles of `rows`, of four if that is eight, of
/// one.
template <int rows, class T>
void multiply_strip(const MatrixProduct<T>& p, int64_t i, T* c, const T* bias, const T* a, const T* b, int64_t b_row,
                    int64_t depth, bool add, First lanes) {
  const int64_t a_row = p.trans_a ? 1 : p.lda;
  for (; i + rows <= p.m; i += rows) {
    multiply_tile<rows>(p, c + i * p.ldc, bias, a + i * a_row, b, b_row, depth, add, lanes);
  }
  constexpr int fewer = rows == 8 ? 4 : 1;
  if constexpr (rows > 1) multiply_strip<fewer>(p, i, c, bias, a, b, b_row, depth, add, lanes);
}

/// Copies a block of `depth` rows and n <= 16 columns of op(B), with zeros behind them.
template <class T>
void copy_block(T* block, const MatrixProduct<T>& p, const T* b, int64_t depth, int n) {
  if (!p.trans_b) {
    for (int64_t q = 0; q < depth; ++q) store(block + q * lane_count, load(b + q * p.ldb, First{n}));
    return;
  }
  for (int64_t q = 0; q < depth && n < lane_count; ++q) store(block + q * lane_count, Pack<T>(0));
  transpose(block, lane_count, b, p.ldb, n, depth);
}

/// C of few columns, as products of rows of A and rows of B, which fill the lanes better.
template <class T>
void multiply_few_columns(const MatrixProduct<T>& p) {
  for (int64_t i = 0; i < p.m; ++i) {
    for (int64_t j = 0; j < p.n; ++j) {
      const T *a = p.a + i * p.lda, *b = p.b + j * p.ldb;
      Pack<T> sum(0);
      each_group(0, p.k,
                 [&](int64_t q, auto lanes) { sum = add_product(load(a + q, lanes), load(b + q, lanes), sum); });
      p.c[i * p.ldc + j] = sum_of_lanes(sum) + (p.bias ? p.bias[j] : 0);
    }
  }
}

/// The same with A stored transposed, sixteen of its m >= 16 columns at a time; the last sixteen may repeat some.
template <class T>
void multiply_few_columns_transposed(const MatrixProduct<T>& p) {
  for (int64_t i = 0; i < p.m; i += lane_count) {
    const int64_t at = i + lane_count <= p.m ? i : p.m - lane_count;
    for (int64_t j = 0; j < p.n; ++j) {
      Pack<T> sum(0);
#pragma GCC unroll 2
      for (int64_t q = 0; q < p.k; ++q) {
        sum = add_product(load(p.a + q * p.lda + at), Pack<T>(p.b[q * p.ldb + j]), sum);
      }
      if (p.bias) sum = sum + Pack<T>(p.bias[j]);
      T column[lane_count];
      store(column, sum);
#pragma GCC unroll 4
      for (int r = 0; r < lane_count; ++r) p.c[(at + r) * p.ldc + j] = column[r];
    }
  }
}

/// sums[j] += a[0] b[j] + a[a_step] b[b_row + j] + … for j below n, of `rows` rows of B.
template <int rows, class T>
[[gnu::noinline]] void add_rows(T* sums, const T* a, int64_t a_step, const T* b, int64_t b_row, int64_t n) {
  each_group(0, n, [&](int64_t j, auto lanes) {
    Pack<T> sum = load(sums + j, lanes);
#pragma GCC unroll 16
    for (int r = 0; r < rows; ++r) sum = add_product(Pack<T>(a[r * a_step]), load(b + r * b_row + j, lanes), sum);
    store(sums + j, sum, lanes);
  });
}
/// One row of C: the rows of B, times a number each, are added four at a time, so that B is read as it lies.
template <class T>
void multiply_row(const MatrixProduct<T>& p) {
  constexpr int64_t most_columns = 1024;
  const int64_t a_step = p.trans_a ? p.lda : 1;
  for (int64_t j = 0; j < p.n; j += most_columns) {
    const int64_t n = p.n - j < most_columns ? p.n - j : most_columns;
    const auto bytes = static_cast<size_t>(n) * sizeof(T);
    T* const c = p.c + j;
    p.bias ? __builtin_memcpy(c, p.bias + j, bytes) : __builtin_memset(c, 0, bytes);
    for (int64_t q = 0; q < p.k;) {
      const int64_t end = p.k - q < depth_of_block ? p.k : q + depth_of_block;
      T sums[most_columns];
      __builtin_memset(sums, 0, bytes);
      for (; q + 4 <= end; q += 4) add_rows<4>(sums, p.a + q * a_step, a_step, p.b + q * p.ldb + j, p.ldb, n);
      for (; q < end; ++q) add_rows<1>(sums, p.a + q * a_step, a_step, p.b + q * p.ldb + j, p.ldb, n);
      for (int64_t i = 0; i < n; ++i) c[i] += sums[i];
    }
  }
}

/// Some rows of C, rows_of_block at most.
template <class T>
void multiply_rows(const MatrixProduct<T>& p) {
  if (p.m == 1 && !p.trans_b) return multiply_row(p);
  if (p.n <= 4 && p.k >= lane_count && !p.trans_a && p.trans_b) return multiply_few_columns(p);
  if constexpr (GRADUS_AUTOGRAD) {  // only gradients multiply a transposed A
    if (p.n <= 4 && p.m >= lane_count && p.k <= depth_of_block && p.trans_a && !p.trans_b) {
      return multiply_few_columns_transposed(p);
    }
  }
  int64_t q = 0;
  do {  // once where k is 0
    const int64_t depth = p.k - q < depth_of_block ? p.k - q : depth_of_block;
    const T* a = p.a + q * (p.trans_a ? p.lda : 1);
    for (int64_t j = 0; j < p.n; j += lane_count) {
      const int n = p.n - j < lane_count ? static_cast<int>(p.n - j) : lane_count;
      const T* b = p.b + (p.trans_b ? j * p.ldb + q : q * p.ldb + j);
      const T* bias = p.bias && q == 0 ? p.bias + j : nullptr;
      const bool add = q > 0;
      T block[depth_of_block * lane_count];
      const bool small = p.m <= rows_of_tile<T> || depth * p.ldb * int64_t{sizeof(T)} <= 32 << 10;
      const bool as_it_lies = n == lane_count && !p.trans_b && small;
      if (!as_it_lies) copy_block(block, p, b, depth, n);
      multiply_strip<rows_of_tile<T>>(p, 0, p.c + j, bias, a, as_it_lies ? b : block, as_it_lies ? p.ldb : lane_count,
                                      depth, add, First{n});
    }
    q += depth_of_block;
  } while (q < p.k);
}

template <class T>
void matmul(const MatrixProduct<T>& p) {
  if (p.m <= rows_of_block) return multiply_rows(p);
  for (int64_t i = 0; i < p.m; i += rows_of_block) {
    MatrixProduct<T> block = p;
    block.m = p.m - i < rows_of_block ? p.m - i : rows_of_block;
    block.a += i * (p.trans_a ? 1 : p.lda);
    block.c += i * p.ldc;
    multiply_rows(block);
  }
}

template <int rows, class T>
GRADUS_INLINE void dot_rows(T* y, const T* w, const T* x, const T* bias, int64_t cols) {
  static_assert(rows > 0);
  Pack<T> even[rows], odd[rows];
  for (int r = 0; r < rows; ++r) even[r] = odd[r] = Pack<T>(0);
  int64_t j = 0;
  for (; j + 2 * lane_count <= cols; j += 2 * lane_count) {
    const Pack<T> x0 = load(x + j), x1 = load(x + j + lane_count);
    for (int r = 0; r < rows; ++r) {
      even[r] = multiply_add(load(w + r * cols + j), x0, even[r]);
      odd[r] = multiply_add(load(w + r * cols + j + lane_count), x1, odd[r]);
    }
  }
  each_group(j, cols, [&](int64_t i, auto lanes) {
    const Pack<T> x0 = load(x + i, lanes);
    for (int r = 0; r < rows; ++r) even[r] = multiply_add(load(w + r * cols + i, lanes), x0, even[r]);
  });
  for (int r = 0; r < rows; ++r) y[r] = sum_of_lanes(even[r] + odd[r]) + (bias ? bias[r] : 0);
}
template <class T>
void gemv(T* y, const T* w, const T* x, const T* bias, int64_t rows, int64_t cols) {
  constexpr int at_once = Pack<T>::count <= 2 ? 4 : Pack<T>::count < 8 ? 8 / Pack<T>::count : 1;  // sums in registers
  int64_t i = 0;
  for (; i + at_once <= rows; i += at_once) {
    dot_rows<at_once>(y + i, w + i * cols, x, bias ? bias + i : nullptr, cols);
  }
  for (; i < rows; ++i) dot_rows<1>(y + i, w + i * cols, x, bias ? bias + i : nullptr, cols);
}

}  // namespace
}  // namespace gradus::body
