#include "gemm.hpp"

#include <gradus/core/error.hpp>

#include <limits>
#include <string>

#ifdef GRADUS_HAS_BLAS
#include <cblas.h>
#endif

namespace gradus::detail {
namespace {

#ifdef GRADUS_HAS_BLAS
void multiply(CBLAS_TRANSPOSE ta, CBLAS_TRANSPOSE tb, int m, int n, int k, const float* a, int lda, const float* b,
              int ldb, float beta, float* c) {
  cblas_sgemm(CblasRowMajor, ta, tb, m, n, k, 1.0f, a, lda, b, ldb, beta, c, n);
}
void multiply(CBLAS_TRANSPOSE ta, CBLAS_TRANSPOSE tb, int m, int n, int k, const double* a, int lda, const double* b,
              int ldb, double beta, double* c) {
  cblas_dgemm(CblasRowMajor, ta, tb, m, n, k, 1.0, a, lda, b, ldb, beta, c, n);
}
#endif

template <class T>
void product(bool trans_a, bool trans_b, std::int64_t m, std::int64_t n, std::int64_t k, const T* a, const T* b, T beta,
             T* c) {
  constexpr std::int64_t limit = std::numeric_limits<int>::max();
  if (m > limit || n > limit || k > limit) {
    throw ValueError("matmul: sizes up to 2147483647 expected, got (" + std::to_string(m) + ", " + std::to_string(k) +
                     ") times (" + std::to_string(k) + ", " + std::to_string(n) + ")");
  }
  if (m == 0 || n == 0) return;
  if (k == 0) {
    for (std::int64_t i = 0; i < m * n; ++i) c[i] = beta == T(0) ? T(0) : beta * c[i];
    return;
  }
#ifdef GRADUS_HAS_BLAS
  const int rows = static_cast<int>(m), cols = static_cast<int>(n), inner = static_cast<int>(k);
  multiply(trans_a ? CblasTrans : CblasNoTrans, trans_b ? CblasTrans : CblasNoTrans, rows, cols, inner, a,
           trans_a ? rows : inner, b, trans_b ? inner : cols, beta, c);
#else
  for (std::int64_t i = 0; i < m; ++i) {
    for (std::int64_t j = 0; j < n; ++j) {
      T dot = 0;
      for (std::int64_t p = 0; p < k; ++p) dot += (trans_a ? a[p * m + i] : a[i * k + p]) * (trans_b ? b[j * k + p] : b[p * n + j]);
      T& out = c[i * n + j];
      out = beta == T(0) ? dot : dot + beta * out;
    }
  }
#endif
}

}  // namespace

void gemm(bool trans_a, bool trans_b, std::int64_t m, std::int64_t n, std::int64_t k, const float* a, const float* b,
          float beta, float* c) {
  product(trans_a, trans_b, m, n, k, a, b, beta, c);
}

void gemm(bool trans_a, bool trans_b, std::int64_t m, std::int64_t n, std::int64_t k, const double* a, const double* b,
          double beta, double* c) {
  product(trans_a, trans_b, m, n, k, a, b, beta, c);
}

const char* blas_name() {
#ifdef GRADUS_HAS_BLAS
  return "OpenBLAS";
#else
  return "built-in";
#endif
}

}  // namespace gradus::detail
