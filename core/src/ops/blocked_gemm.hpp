// A matrix product without a library: slower than BLAS by several times, but at hand everywhere.
#pragma once

#include <algorithm>
#include <cstdint>

namespace gradus::detail {

/// op(A) op(B) + beta C, all row-major; rows of A, B and C lie lda, ldb and ldc apart.
template <class T>
struct Product {
  bool trans_a, trans_b;
  std::int64_t m, n, k;
  const T* a;
  std::int64_t lda;
  const T* b;
  std::int64_t ldb;
  T beta;
  T* c;
  std::int64_t ldc;
};

template <class T>
void scale_result(const Product<T>& p) {
  for (std::int64_t i = 0; i < p.m; ++i) {
    T* const row = p.c + i * p.ldc;
    if (p.beta == T(0)) {
      std::fill_n(row, p.n, T(0));
    } else if (p.beta != T(1)) {
      for (std::int64_t j = 0; j < p.n; ++j) row[j] *= p.beta;
    }
  }
}

/// Adds to four rows of C at a time multiples of the rows of a block of op(B), copied so that it lies in one piece in
/// the cache and its rows are vectors for the compiler.
template <class T>
void blocked_gemm(const Product<T>& p) {
  constexpr std::int64_t depth = 64, width = 128, height = 4;
  scale_result(p);
  T block[depth * width];
  for (std::int64_t q0 = 0; q0 < p.k; q0 += depth) {
    const std::int64_t qs = std::min(depth, p.k - q0);
    for (std::int64_t j0 = 0; j0 < p.n; j0 += width) {
      const std::int64_t js = std::min(width, p.n - j0);
      for (std::int64_t q = 0; q < qs; ++q) {
        for (std::int64_t j = 0; j < js; ++j) {
          block[q * width + j] = p.trans_b ? p.b[(j0 + j) * p.ldb + q0 + q] : p.b[(q0 + q) * p.ldb + j0 + j];
        }
      }
      for (std::int64_t i0 = 0; i0 < p.m; i0 += height) {
        const std::int64_t is = std::min(height, p.m - i0);
        T sum[height][width] = {};
        for (std::int64_t q = 0; q < qs; ++q) {
          for (std::int64_t i = 0; i < is; ++i) {
            const T a = p.trans_a ? p.a[(q0 + q) * p.lda + i0 + i] : p.a[(i0 + i) * p.lda + q0 + q];
            for (std::int64_t j = 0; j < js; ++j) sum[i][j] += a * block[q * width + j];
          }
        }
        for (std::int64_t i = 0; i < is; ++i) {
          for (std::int64_t j = 0; j < js; ++j) p.c[(i0 + i) * p.ldc + j0 + j] += sum[i][j];
        }
      }
    }
  }
}

}  // namespace gradus::detail
