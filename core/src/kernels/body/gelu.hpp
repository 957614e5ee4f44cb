// gelu(x) = x Phi(x), Phi the normal distribution function, and its derivative, in the arithmetic of the element. The
// upper tail Q(a) = 1 - Phi(a) = exp(-a^2 / 2) R(a) is had without cancellation, so that Phi of a negative x keeps its
// digits: within a few units of the last place wherever the result is normal.
#pragma once

#include "kernels/lanes.hpp"

namespace gradus::body {
namespace {

/// What differs between the widths. R(a) is t times a polynomial in t = 1 / (1 + rate a), through Chebyshev's points of
/// [0, limit].
template <class T>
struct Tail;
template <>
struct Tail<float> {
  using Bits = uint32_t;
  static constexpr Bits high_half = 0xfffff000;
  static constexpr int fraction_bits = 23, bias = 127;
  static constexpr float limit = 14.5f, rate = 0.3f, shift = 0x1.8p23f, ln2_high = 0x1.62e4p-1f,
                         ln2_low = 0x1.7f7d1cp-20f;
  static constexpr float scale = 0x1p-64f, offset = 64;
  static constexpr float exp[] = {0x1p-1f, 0x1.5554bep-3f, 0x1.55550ap-5f, 0x1.122a6p-7f, 0x1.6d2ff6p-10f};
  static constexpr float ratio[] = {0x1.ea3db3210dd76p-4f, 0x1.e9adb6966c517p-4f,  0x1.c4461888821b1p-4f,
                                    0x1.3d83691faecbep-4f, 0x1.945262eea7643p-4f,  -0x1.58f03c4fecd26p-4f,
                                    0x1.949566a022f98p-3f, -0x1.dc35c1a79024ep-3f, 0x1.d3ff9f7c02d96p-4f,
                                    -0x1.5757efb0014c2p-6f};
};
template <>
struct Tail<double> {
  using Bits = uint64_t;
  static constexpr Bits high_half = 0xfffffffff8000000;
  static constexpr int fraction_bits = 52, bias = 1023;
  static constexpr double limit = 38.6, rate = 0.2, shift = 0x1.8p52, ln2_high = 0x1.62e42fefap-1,
                          ln2_low = 0x1.cf79abc9e3b3ap-40;
  static constexpr double scale = 0x1p-64, offset = 64;
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
      0x1.46d04297c9303p-4,  0x1.46d0427e2b46dp-4,  0x1.39bdb3a411501p-4,  0x1.1f98517a4c57dp-4,  0x1.f3eafbbcb34ecp-5,
      0x1.97a104df03a5fp-5,  0x1.35a2eedfd87a9p-5,  0x1.8f764f54c5be6p-6,  0x1.57722226a59cap-6,  -0x1.eed7f4cb16c18p-7,
      0x1.190732a2fe4f6p-4,  -0x1.57d48173326bap-3, 0x1.55f7839d9999fp-2,  -0x1.1911f1eb5a8b3p-1, 0x1.6dd56b1a882b8p-1,
      -0x1.77d134c5cf47cp-1, 0x1.283c4f6d5c4f1p-1,  -0x1.54d3de5c4e3d8p-2, 0x1.0ab9c762fa3c6p-3,  -0x1.ed560e9ead831p-6,
      0x1.1fb8090d1af5ap-9,  0x1.4cac11b2c9f3cp-11, -0x1.074d728afeefap-13};
};

template <class T, int n>
GRADUS_INLINE Batch<T> horner(const T (&coefficients)[n], Batch<T> x) {
  Batch<T> y(coefficients[n - 1]);
#pragma GCC unroll 32
  for (int i = n - 2; i >= 0; --i) y = y * x + Batch<T>(coefficients[i]);
  return y;
}

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
  const Register square = high * high * Register(T(-0.5)), rest = (a - high) * (a + high) * Register(T(-0.5));
  const Register shifted = square * Register(T(0x1.71547652b82fep0)) + Register(C::shift);
  const Register k = shifted - Register(C::shift);
  const Register r = ((square - k * Register(C::ln2_high)) - k * Register(C::ln2_low)) + rest;
  const Register fraction = r + r * r * horner(C::exp, r);
  const Bits exponent = (reinterpret<Bits>(shifted) + Bits(static_cast<typename C::Bits>(C::bias + 64)))
                        << C::fraction_bits;
  const Register power = reinterpret<Register>(exponent);
  const Register density = power + power * fraction;
  const Register t = Register(1) / (Register(1) + a * Register(C::rate));
  return {density, density * (t * horner(C::ratio, t))};
}

/// For every x. Beyond the limit both are 0, so that an infinite x gives NaN, as in PyTorch.
template <class T>
GRADUS_INLINE Normal<T> normal_of(Batch<T> x) {
  using Register = Batch<T>;
  const Register a = abs(x), top(Tail<T>::limit), zero(0);
  const auto beyond = a > top;
  const Normal<T> normal = normal_at<T>(select(beyond, top, a));
  return {select(beyond, zero, normal.density), select(beyond, zero, normal.tail)};
}

template <class T>
GRADUS_INLINE Batch<T> gelu(Batch<T> x) {
  using Register = Batch<T>;
  const Register tail = normal_of<T>(x).tail, scale(Tail<T>::scale);
  return select(x > Register(0), x - select(tail > Register(0), x, Register(0)) * tail * scale, x * tail * scale);
}

/// dy (Phi(x) + x phi(x))
template <class T>
GRADUS_INLINE Batch<T> gelu_backward(Batch<T> dy, Batch<T> x) {
  using Register = Batch<T>;
  const Normal<T> normal = normal_of<T>(x);
  const Register scale(Tail<T>::scale), tail = normal.tail * scale;
  const Register distribution = select(x > Register(0), Register(1) - tail, tail);
  const Register density = normal.density * scale * Register(T(0.3989422804014327));
  return dy * (distribution + x * density);
}

}  // namespace
}  // namespace gradus::body
