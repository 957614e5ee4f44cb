// Matrix products.
#pragma once

#include <cstdint>
#include <string>

namespace gradus::detail {

/// C = op(A) op(B) + bias with op(A) (m, k), op(B) (k, n), C (m, n), all row-major and dense; op transposes when asked:
/// with trans_a, A is stored (k, m). `bias` has n numbers for each row, or is null. Throws ValueError when a size is
/// beyond what the BLAS in use can count.
template <class T>
void gemm(bool trans_a, bool trans_b, std::int64_t m, std::int64_t n, std::int64_t k, const T* a, const T* b,
          const T* bias, T* c);

/// The library in use, e.g. "OpenBLAS 0.3.21 (SkylakeX)", or "built-in"; both where the library is too old for the
/// processor.
std::string blas_name();

}  // namespace gradus::detail
