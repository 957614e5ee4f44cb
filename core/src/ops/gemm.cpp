#include "ops/gemm.hpp"

#include "kernels/isa.hpp"
#include "kernels/kernels.hpp"
#include "kernels/split.hpp"
#include "runtime/parallel_for.hpp"
#include "tensor/message.hpp"

#include <gradus/core/error.hpp>

#include <algorithm>
#include <limits>
#include <string>

#ifdef GRADUS_HAS_BLAS
#include <cblas.h>
#endif

namespace gradus::detail {

using kernels::MatrixProduct;

namespace {

template <class T>
double multiplications(const MatrixProduct<T>& p) {
  return static_cast<double>(p.m * p.n) * static_cast<double>(p.k);
}

template <class T>
MatrixProduct<T> rows(MatrixProduct<T> p, std::int64_t first, std::int64_t last) {
  p.a += p.trans_a ? first : first * p.lda;
  p.c += first * p.ldc;
  p.m = last - first;
  return p;
}
template <class T>
MatrixProduct<T> columns(MatrixProduct<T> p, std::int64_t first, std::int64_t last) {
  p.b += p.trans_b ? first * p.ldb : first;
  p.c += first;
  if (p.bias) p.bias += first;
  p.n = last - first;
  return p;
}

/// By our own loops. Where the rows of an A that is stored transposed lie far apart, its columns are laid out first,
/// some at a time.
template <class T>
void multiply_here(const MatrixProduct<T>& p) {
  constexpr std::int64_t at_once = 192;
  const bool far_apart = p.trans_a && p.k >= 256 && p.n > 4 && p.lda * std::int64_t{sizeof(T)} >= 2048;
  if (!far_apart) return kernels::matmul(p);
  const kernels::Scratch<T> a(std::min(at_once, p.m) * p.k);
  for (std::int64_t first = 0; first < p.m; first += at_once) {
    MatrixProduct<T> part = rows(p, first, std::min(first + at_once, p.m));
    kernels::transpose(a.data(), p.k, part.a, p.lda, p.k, part.m);
    part.trans_a = false, part.a = a.data(), part.lda = p.k;
    kernels::matmul(part);
  }
}

#ifdef GRADUS_HAS_BLAS

constexpr std::int64_t largest_extent = std::numeric_limits<blasint>::max();

/// Whether OpenBLAS uses the vectors that the processor has. For a processor newer than itself, and where
/// OPENBLAS_CORETYPE says so, it takes kernels for an older one: Haswell's where there is AVX-512, or Prescott's. Ours
/// are mostly one and a half to four times as fast as those.
[[gnu::noinline]] bool knows_the_processor() {
  static const bool known = [] {
    constexpr std::string_view without_avx2[] = {
        "Generic", "Prescott", "Core2",        "Penryn",    "Dunnington", "Nehalem",   "Sandybridge", "Atom",
        "Nano",    "Opteron",  "Opteron_SSE3", "Barcelona", "Bobcat",     "Bulldozer", "Piledriver",  "Steamroller"};
    constexpr std::string_view with_avx2[] = {"Haswell", "Excavator", "Zen"};
    const std::string_view name = openblas_get_corename();
    if (kernels::isa() == kernels::Isa::avx512 && std::ranges::count(with_avx2, name)) return false;
    return kernels::isa() < kernels::Isa::avx2 || !std::ranges::count(without_avx2, name);
  }();
  return known;
}

/// Where not, few rows are rows of dot products, as one is. Without a BLAS those would have other bits than products.
std::int64_t most_rows_of_dots() { return knows_the_processor() ? 1 : 4; }

/// Our threads call OpenBLAS, each for a part of the product. Its own would go on spinning after a product and take the
/// processor from the loops that follow.
void keep_to_the_calling_thread() {
  static const bool done = (openblas_set_num_threads(1), true);
  static_cast<void>(done);
}

/// Small products with B transposed, as Linear's, are those for which OpenBLAS takes longer than our loops; so are
/// those of one row. A product of no columns with no rows, whose rows lie 0 apart, is none for a BLAS.
constexpr double worth_a_call = 10000;

template <class T>
void multiply(const MatrixProduct<T>& p) {
  if (p.k == 0 || p.m == 1 || (p.trans_b && multiplications(p) < worth_a_call) || !knows_the_processor())
    return multiply_here(p);
  keep_to_the_calling_thread();
  for (std::int64_t row = 0; p.bias && row < p.m; ++row) std::copy_n(p.bias, p.n, p.c + row * p.ldc);
  const auto size = [](std::int64_t n) { return static_cast<blasint>(n); };
  const auto transposed = [](bool is) { return is ? CblasTrans : CblasNoTrans; };
  const auto call = [&](auto blas_gemm) {
    blas_gemm(CblasRowMajor, transposed(p.trans_a), transposed(p.trans_b), size(p.m), size(p.n), size(p.k), 1, p.a,
              size(p.lda), p.b, size(p.ldb), p.bias ? 1 : 0, p.c, size(p.ldc));
  };
  if constexpr (std::is_same_v<T, float>) {
    call(cblas_sgemm);
  } else {
    call(cblas_dgemm);
  }
}

#else

std::int64_t most_rows_of_dots() { return 1; }

constexpr std::int64_t largest_extent = std::numeric_limits<std::int64_t>::max();

template <class T>
void multiply(const MatrixProduct<T>& p) {
  multiply_here(p);
}

#endif

/// Cuts the longer side of C, so that as little as possible of A and B is read by more than one thread.
template <class T>
void multiply_in_parts(const MatrixProduct<T>& p) {
  constexpr std::int64_t worth_a_thread = 500'000, unit = 16;  // multiplications, rows or columns
  if (multiplications(p) < 2 * worth_a_thread) return multiply(p);
  const bool tall = p.m > p.n;
  const std::int64_t length = tall ? p.m : p.n, slice = (tall ? p.n : p.m) * p.k;
  parallel_for(
      0, length, std::max(unit, worth_a_thread / slice),
      [&](std::int64_t first, std::int64_t last) { multiply(tall ? rows(p, first, last) : columns(p, first, last)); },
      unit);
}

}  // namespace

template <class T>
void gemm(bool trans_a, bool trans_b, std::int64_t m, std::int64_t n, std::int64_t k, const T* a, const T* b,
          const T* bias, T* c) {
  const bool small = k >= 16 && n <= (1 << 18) / k;  // for it is read for every row
  if (trans_b && (m == 1 || (small && !trans_a && m <= most_rows_of_dots()))) {
    for (std::int64_t i = 0; i < m; ++i) kernels::gemv<T>(c + i * n, b, a + i * k, bias, n, k);
    return;
  }
  throw_if<ValueError>(std::max({m, n, k}) > largest_extent, "matmul: BLAS counts up to ", largest_extent, ", got (", m,
                       ", ", k, ") times (", k, ", ", n, ")\ncut the larger matrix into parts");
  if (m == 0 || n == 0) return;
  if (n == 1 && (!trans_a || m == 1) && !bias) return kernels::gemv<T>(c, a, b, nullptr, m, k);
  if (n == 1 && trans_a && !bias) return multiply_in_parts<T>({false, false, 1, m, k, b, k, a, m, nullptr, c, m});
  multiply_in_parts<T>({trans_a, trans_b, m, n, k, a, trans_a ? m : k, b, trans_b ? k : n, bias, c, n});
}

template void gemm(bool, bool, std::int64_t, std::int64_t, std::int64_t, const float*, const float*, const float*,
                   float*);
template void gemm(bool, bool, std::int64_t, std::int64_t, std::int64_t, const double*, const double*, const double*,
                   double*);

std::string blas_name() {
#ifdef GRADUS_HAS_BLAS
  const std::string_view version = OPENBLAS_VERSION, kernel = openblas_get_corename();
  return message(version.substr(1, version.size() - 2), " (", kernel, ")",
                 knows_the_processor() ? "" : ", which does not know this processor: built-in");
#else
  return "built-in";
#endif
}

}  // namespace gradus::detail
