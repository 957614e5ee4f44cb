// gelu(x) = x Phi(x), Phi the normal distribution function, and its derivative, in the arithmetic of the element. The
// upper tail Q(a) = 1 - Phi(a) = exp(-a^2 / 2) R(a) is had without cancellation, so that Phi of a negative x keeps its
// digits: within a few units of the last place wherever the result is normal.
#pragma once

#include "kernels/body/polynomial.hpp"

namespace gradus::body {
namespace {

/// What differs between the widths. R(a) is t times a polynomial in t - 1/2, t = 1 / (1 + rate a), through Chebyshev's
/// points of [0, limit].
template <class T>
struct Tail;
template <>
struct Tail<float> {
  using Bits = uint32_t;
  static constexpr Bits high_half = 0xfffff000;
  static constexpr int fraction_bits = 23;
  static constexpr float limit = 14.5f, rate = 0.3f, shift = 0x1.8p23f + (127 + 64), ln2_high = 0x1.62e4p-1f,
                         ln2_low = 0x1.7f7d1cp-20f;
  static constexpr float scale = 0x1p-64f;
  static constexpr float exp[] = {0x1p-1f, 0x1.5554bep-3f, 0x1.55550ap-5f, 0x1.122a6p-7f, 0x1.6d2ff6p-10f};
  static constexpr float ratio[] = {0x1.c69888p-3f,  0x1.510f0ep-2f,  0x1.6281eep-2f, 0x1.c6d2f4p-3f, 0x1.dc1ee4p-6f,
                                    -0x1.3d9c0ap-4f, -0x1.2b2deep-5f, 0x1.261a3ep-5f, 0x1.46f2c8p-6f, -0x1.5757fp-6f};
};
template <>
struct Tail<double> {
  using Bits = uint64_t;
  static constexpr Bits high_half = 0xfffffffff8000000;
  static constexpr int fraction_bits = 52;
  static constexpr double limit = 38.6, rate = 0.2, shift = 0x1.8p52 + (1023 + 64), ln2_high = 0x1.62e42fefap-1,
                          ln2_low = 0x1.cf79abc9e3b3ap-40;
  static constexpr double scale = 0x1p-64;
  static constexpr double exp[] = {0x1p-1,
                                   0x1.5555555555557p-3,
                                   0x1.5555555555556p-5,
                                   0x1.11111111100dcp-7,
                                   0x1.6c16c16c162d4p-10,
                                   0x1.a01a01abe7fe1p-13,
                                   0x1.a01a01a6d889cp-16,
                                   0x1.71de0231960ebp-19,
                                   0x1.27e4db646b17ep-22,
                                   0x1.af4de97ca4194p-26,
                                   0x1.1f730349868cep-29};
  static constexpr double ratio[] = {
      0x1.3b0fbcb4c77bep-3,  0x1.108a698eca1acp-2,   0x1.95c11dc6c593ep-2,  0x1.00d8ab2d2aec4p-1,
      0x1.0e5e8ee59ad9dp-1,  0x1.c4f9d5475d4b5p-2,   0x1.1090aa5d5a136p-2,  0x1.39e0d888a7aa4p-4,
      -0x1.4ea693005b931p-5, -0x1.c9182edf1d3cfp-5,  -0x1.8e76bbe1ced7dp-7, 0x1.4df3dd9e9c975p-6,
      0x1.bfc8944b870c9p-7,  -0x1.ab7282a2d2b34p-8,  -0x1.295a6e3e4fd69p-7, 0x1.212f4afd18a33p-9,
      0x1.741f7a82a183ep-8,  -0x1.230499d7c5bc5p-10, -0x1.c56f30d13c33dp-9, 0x1.01ed077fe1d7fp-10,
      0x1.a5405c2979d92p-10, -0x1.8768e94b731f4p-11, -0x1.074d728afeefap-13};
};

template <class T>
struct Normal {
  Batch<T> density;  // exp(-a^2 / 2) 2^64, which does not underflow
  Batch<T> tail;     // Q(a) 2^64
};

/// For 0 <= a <= limit, or NaN.
template <class T>
GRADUS_INLINE Normal<T> normal_at(Batch<T> a) {
  using Register = Batch<T>;
  using C = Tail<T>;
  using Bits = Batch<typename C::Bits>;
  // The square of the upper half of a's digits is exact; what it lacks is small.
  const Register high = reinterpret<Register>(reinterpret<Bits>(a) & Bits(C::high_half));
  const Register square = high * (high * Register(T(-0.5))), rest = (a - high) * ((a + high) * Register(T(-0.5)));
  const Register shifted = square * Register(T(0x1.71547652b82fep0)) + Register(C::shift);
  const Register k = shifted - Register(C::shift);
  const Register r = (exact_product_plus<T>(k, Register(-C::ln2_high), square) - k * Register(C::ln2_low)) + rest;
  const Register fraction = r + r * r * polynomial(r, C::exp);
  const Register power = reinterpret<Register>(reinterpret<Bits>(shifted) << C::fraction_bits);
  const Register density = exact_product_plus<T>(power, fraction, power);
  const Register t = Register(1) / (Register(1) + a * Register(C::rate));
  return {density, density * (t * polynomial(t - Register(T(0.5)), C::ratio))};
}

/// |x|, no more than the limit, where density and tail become 0 as the scale is taken out. NaN stays.
template <class T>
GRADUS_INLINE Batch<T> bounded(Batch<T> x) {
  return min(Batch<T>(Tail<T>::limit), abs(x));
}

/// x Phi(x) = x [x > 0] - |x| Q(|x|), which gives NaN for minus infinity, as PyTorch does.
template <class T>
GRADUS_INLINE Batch<T> gelu(Batch<T> x) {
  using Register = Batch<T>;
  const Register a = bounded<T>(x), step = select(x > Register(0), Register(1), Register(0));
  return x * step - a * normal_at<T>(a).tail * Register(Tail<T>::scale);
}

/// dy (Phi(x) + x phi(x))
template <class T>
GRADUS_INLINE Batch<T> gelu_backward(Batch<T> dy, Batch<T> x) {
  using Register = Batch<T>;
  const Normal<T> normal = normal_at<T>(bounded<T>(x));
  const Register scale(Tail<T>::scale), tail = normal.tail * scale;
  const Register distribution = select(x > Register(0), Register(1) - tail, tail);
  const Register density = normal.density * scale * Register(T(0.3989422804014327));
  return dy * (distribution + x * density);
}

}  // namespace
}  // namespace gradus::body
