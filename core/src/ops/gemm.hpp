// Matrix products.
#pragma once

#include <cstdint>
#include <string>

namespace gradus::detail {

/// C = op(A) op(B) + beta C with op(A) (m, k), op(B) (k, n), C (m, n), all row-major and dense; op transposes when
/// asked: with trans_a, A is stored (k, m). C is not read when beta is 0. k = 0 leaves beta C. Throws ValueError when a
/// size is beyond what the BLAS in use can count.
template <class T>
void gemm(bool trans_a, bool trans_b, std::int64_t m, std::int64_t n, std::int64_t k, const T* a, const T* b, T beta,
          T* c);

/// The library in use, e.g. "OpenBLAS 0.3.21 (SkylakeX)", or "built-in".
std::string blas_name();

}  // namespace gradus::detail
