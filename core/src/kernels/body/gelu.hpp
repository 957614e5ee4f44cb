// gelu(x) = x Phi(x), Phi the normal distribution function, and its derivative, in the arithmetic of the element. The
// upper tail Q(a) = 1 - Phi(a) = exp(-a^2 / 2) R(a) is had without cancellation, so that Phi of a negative x keeps its
// digits: within a few units of the last place wherever the result is normal. And erf, by the same tail.
#pragma once

#include "kernels/body/transcendental.hpp"

namespace gradus::body {
namespace {

/// What differs between the widths. `ratio` is a polynomial in t - 1/2, t = 1 / (1 + rate a), through Chebyshev's
/// points of [0, limit]. Of float, R(a) is t times that; of double 1 / (2 + a times that), which multiplies no error of
/// t.
template <class T>
struct Tail;
template <>
struct Tail<float> {
  using Digits = uint32_t;
  static constexpr Digits high_half = 0xfffff000;
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
  using Digits = uint64_t;
  static constexpr Digits high_half = 0xfffffffff8000000;
  static constexpr int fraction_bits = 52;
  static constexpr double limit = 38.6, rate = 0.25, shift = 0x1.8p52 + (1023 + 64), ln2_high = 0x1.62e42fefap-1,
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
      0x1.12f1e13c3adc5p+1,  -0x1.eedbd4b9d1af6p-1, -0x1.0061f30b83bc9p-1, 0x1.9b42171e36afbp-3, 0x1.20368f89295b7p-1,
      0x1.6ee7a70338371p-3,  -0x1.071aeb3c9ff62p-1, -0x1.0b6d78487b58bp-1, 0x1.5668d99a01157p-2, 0x1.a5b5d3e3a1a45p-1,
      -0x1.4615ad6563d3fp-6, -0x1.09c084ecff373p+0, -0x1.a3e9e83fafe43p-2, 0x1.1c85e030f9de5p+0, 0x1.d0520a96f6558p-1,
      -0x1.fd2100ee2c43dp-1, -0x1.648e74a38470cp+0, 0x1.5022334148f17p-1,  0x1.c55c5181db6c9p+0, -0x1.c916d6cd13f30p-4,
      -0x1.f3c5983c101aep+0, -0x1.069e91d366bf6p-1, 0x1.e342e80c05311p+0,  0x1.bee624865922bp-1, -0x1.8773b8f9a795dp+0,
      -0x1.2ad04c01b5c04p-1, 0x1.91859dff9bcbep-1};
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
  using Digits = Batch<typename C::Digits>;
  // The square of the upper half of a's digits is exact; what it lacks is small.
  const Register high = reinterpret<Register>(reinterpret<Digits>(a) & Digits(C::high_half));
  const Register square = high * (high * Register(T(-0.5))), rest = (a - high) * ((a + high) * Register(T(-0.5)));
  const Register shifted = square * Register(T(0x1.71547652b82fep0)) + Register(C::shift);
  const Register k = shifted - Register(C::shift);
  const Register r = (exact_product_plus<T>(k, Register(-C::ln2_high), square) - k * Register(C::ln2_low)) + rest;
  const Register fraction = r + r * r * polynomial(r, C::exp);
  const Register power = reinterpret<Register>(reinterpret<Digits>(shifted) << C::fraction_bits);
  const Register density = exact_product_plus<T>(power, fraction, power);
  const Register t = Register(1) / (Register(1) + a * Register(C::rate));
  const Register ratio = polynomial(t - Register(T(0.5)), C::ratio);
  if constexpr (is_float<T>) return {density, density * (t * ratio)};
  return {density, density / (Register(2) + a * ratio)};
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

/// erf |x| = 1 - 2 Q(sqrt(2) |x|), and a polynomial where that would cancel; then the sign.
GRADUS_INLINE Double erf(Double x) {
  const Double size = abs(x), square = x * x;
  const Double near_zero =
      x + x * polynomial(square, 0x1.06eba8214db69p-3, -0x1.812746b0379e7p-2, 0x1.ce2f21a042bdep-4,
                         -0x1.b82ce312889bap-6, 0x1.565bcd0e6502dp-8, -0x1.c02db3feeb579p-11, 0x1.f9a326c233146p-14,
                         -0x1.f4d2561aeafd4p-17, 0x1.b9e6509b9867dp-20, -0x1.5f6d925a0bc7ap-23, 0x1.fc4356498c2d9p-27,
                         -0x1.4e607b41a6416p-30, 0x1.7f072188e194dp-34, -0x1.29b9f1b3df556p-38);
  const Double tail = normal_at<double>(bounded<double>(size * Double(1.4142135623730951))).tail;
  const Double by_tail = Double(1) - tail * Double(2 * Tail<double>::scale);
  return select(size <= Double(1), near_zero, with_sign_of<double>(x, by_tail));
}

}  // namespace
}  // namespace gradus::body
