// Normal values by the Box-Muller transform. In float32 the bits depend on how logarithm, sine and cosine are
// approximated, so they are spelled out here, every fused multiply-add included.
#include "kernels/fused_product.hpp"
#include "random/fill.hpp"

#include <bit>
#include <cmath>
#include <numbers>

namespace gradus::detail {
namespace {

constexpr int half_block = 8;
constexpr int block = 2 * half_block;

// Logarithm, sine and cosine as in the single-precision Cephes library (S. Moshier), in the vector form of avx_mathfun
// (J. Pommier, G. Garberoglio; zlib licence), which PyTorch uses. They are always inlined so that they take on the
// instruction set of their caller; the choices are written without branches so that eight lanes run at a time.

[[gnu::always_inline]] inline float log(float x) {  // x > 0 and normal
  const auto bits = std::bit_cast<std::uint32_t>(x);
  float e = static_cast<float>(static_cast<int>(bits >> 23) - 126);  // x = m 2^e with m in [0.5, 1)
  float m = std::bit_cast<float>((bits & 0x007F'FFFF) | 0x3F00'0000);
  const bool below = m < 0.70710677F;
  e -= below ? 1.0F : 0.0F;
  m = (m - 1) + (below ? m : 0.0F);

  const float z = m * m;
  float y = 7.0376836292e-2F;
  y = fused_product(y, m, -1.1514610310e-1F);
  y = fused_product(y, m, 1.1676998740e-1F);
  y = fused_product(y, m, -1.2420140846e-1F);
  y = fused_product(y, m, 1.4249322787e-1F);
  y = fused_product(y, m, -1.6668057665e-1F);
  y = fused_product(y, m, 2.0000714765e-1F);
  y = fused_product(y, m, -2.4999993993e-1F);
  y = fused_product(y, m, 3.3333331174e-1F);
  y *= m;
  y = fused_product(y, z, e * -2.12194440e-4F);
  y = fused_product(z, -0.5F, y);
  return fused_product(e, 0.693359375F, m + y);
}

template <class T>
struct SinCos {
  T sin, cos;
};

/// x, negated when the third bit of `sign` is set.
[[gnu::always_inline]] inline float with_sign(float x, int sign) {
  return std::bit_cast<float>(std::bit_cast<std::uint32_t>(x) ^ static_cast<std::uint32_t>(sign) << 29);
}

[[gnu::always_inline]] inline SinCos<float> sincos(float x) {  // x >= 0
  const int octant = (static_cast<int>(x * 1.27323954473516F) + 1) & ~1;
  const float y = static_cast<float>(octant);
  x = fused_product(y, -0.78515625F, x);  // x - y pi/4, with pi/4 in three parts
  x = fused_product(y, -2.4187564849853515625e-4F, x);
  x = fused_product(y, -3.77489497744594108e-8F, x);
  const float z = x * x;

  float k = fused_product(fused_product(2.443315711809948e-5F, z, -1.388731625493765e-3F), z, 4.166664568298827e-2F);
  k = fused_product(k * z, z, -(z * 0.5F)) + 1;  // cos x
  float q = fused_product(fused_product(-1.9515295891e-4F, z, 8.3321608736e-3F), z, -1.6666654611e-1F);
  q = fused_product(q * z, x, x);  // sin x

  const bool swapped = (octant & 2) != 0;
  return {with_sign(swapped ? k : q, octant & 4), with_sign(swapped ? q : k, ~(octant - 2) & 4)};
}

double log(double x) { return std::log(x); }
SinCos<double> sincos(double x) { return {std::sin(x), std::cos(x)}; }

template <class T>
[[gnu::always_inline]] inline void box_muller_body(T* x, std::int64_t blocks, T mean, T std) {
  for (std::int64_t b = 0; b < blocks; ++b, x += block) {
    for (int j = 0; j < half_block; ++j) {
      const T radius = std::sqrt(T(-2) * log(1 - x[j]));
      const SinCos<T> angle = sincos(T(2 * std::numbers::pi) * x[j + half_block]);
      x[j] = fused_product(radius * angle.cos, std, mean);
      x[j + half_block] = fused_product(radius * angle.sin, std, mean);
    }
  }
}

#ifdef __x86_64__
[[gnu::target("avx2,fma")]]
#endif
void box_muller_avx2(float* x, std::int64_t blocks, float mean, float std) {
  box_muller_body(x, blocks, mean, std);
}

}  // namespace

void box_muller(float* x, std::int64_t blocks, double mean, double std, kernels::Isa isa) {
  const auto variant = isa >= kernels::Isa::avx2 ? box_muller_avx2 : box_muller_body<float>;
  variant(x, blocks, static_cast<float>(mean), static_cast<float>(std));
}

namespace {

void box_muller(double* x, std::int64_t blocks, double mean, double std) { box_muller_body(x, blocks, mean, std); }

}  // namespace

template <class T>
void fill_normal(T* out, std::int64_t n, double mean, double std, Generator& generator) {
  if (n < block) {
    for (std::int64_t i = 0; i < n; ++i) out[i] = static_cast<T>(fused_product(generator.next_normal(), std, mean));
    return;
  }
  fill_uniform(out, n, 0, 1, generator);
  box_muller(out, n / block, mean, std);
  if (n % block != 0) {  // the last block is drawn anew and overlaps the one before it
    T* const last = out + n - block;
    fill_uniform(last, block, 0, 1, generator);
    box_muller(last, 1, mean, std);
  }
}

template void fill_normal(float*, std::int64_t, double, double, Generator&);
template void fill_normal(double*, std::int64_t, double, double, Generator&);

}  // namespace gradus::detail
