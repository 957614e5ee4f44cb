// exp, log, tanh and sigmoid of floats, evaluated in double to about 2^-38 and rounded once, so that the float result
// is the right one but for one case in some thousands. Additions, products and divisions only: the same bits
// everywhere.
#pragma once

#include "elementwise.hpp"

namespace gradus::body {
namespace {

using Double = Batch<double>;
using Bits = Batch<uint64_t>;

struct Exponential {
  Double power;     // 2^k
  Double fraction;  // e^x = power (1 + fraction), |fraction| <= sqrt(2) - 1
};

/// For |x| <= 700, or NaN. e^x = 2^k e^r with r = x - k ln 2 in [-ln 2 / 2, ln 2 / 2] and the Taylor series of e^r - 1.
GRADUS_INLINE Exponential exponential(Double x) {
  constexpr double ln2_high = 0x1.62e42fefap-1, ln2_low = 0x1.cf79abc9e3b3ap-40;
  constexpr double shift = 0x1.8p52;  // the last bits of a double this large count ones
  const Double shifted = x * Double(0x1.71547652b82fep0) + Double(shift);
  const Double k = shifted - Double(shift);
  const Double r = (x - k * Double(ln2_high)) - k * Double(ln2_low);
  const Double s = r * r;
  const Double low = Double(1.0 / 2) + r * Double(1.0 / 6) + s * (Double(1.0 / 24) + r * Double(1.0 / 120));
  const Double high = Double(1.0 / 720) + r * Double(1.0 / 5040) +
                      s * (Double(1.0 / 40320) + r * Double(1.0 / 362880) + s * Double(1.0 / 3628800));
  const Double power = reinterpret<Double>((reinterpret<Bits>(shifted) + Bits(1023)) << 52);
  return {power, r + s * (low + s * s * high)};
}

/// Brings x into [-limit, limit], beyond which the float result does not change; NaN stays.
GRADUS_INLINE Double clamp(Double x, double limit) {
  const Double top(limit), bottom(-limit);
  x = select(x > top, top, x);
  return select(bottom > x, bottom, x);
}

GRADUS_INLINE Double exp(Double x) {
  const Exponential e = exponential(clamp(x, 200));
  return e.power + e.power * e.fraction;
}

/// log of a positive number no smaller than a float: x = 2^k m with m in [sqrt(1/2), sqrt(2)) and
/// log m = 2 artanh(s), s = (m - 1) / (m + 1). Below 0 NaN, of 0 minus infinity.
GRADUS_INLINE Double log(Double x) {
  constexpr uint64_t sqrt_half = 0x3fe6a09e667f3bcd, bias = 1024;
  const Bits biased_k = (reinterpret<Bits>(x) + Bits((bias << 52) - sqrt_half)) >> 52;
  const Double m = reinterpret<Double>(reinterpret<Bits>(x) - ((biased_k - Bits(bias)) << 52));
  const Double shift(0x1.8p52);
  const Double k = reinterpret<Double>(reinterpret<Bits>(shift) + biased_k) - (shift + Double(bias));
  const Double s = (m - Double(1)) / (m + Double(1)), t = s * s, u = t * t;
  const Double low = (Double(1) + t * Double(1.0 / 3)) + u * (Double(1.0 / 5) + t * Double(1.0 / 7));
  const Double high = (Double(1.0 / 9) + t * Double(1.0 / 11)) + u * (Double(1.0 / 13) + t * Double(1.0 / 15));
  const Double y = k * Double(0x1.62e42fefa39efp-1) + (s + s) * (low + u * u * high);
  const Double zero(0), infinity(__builtin_inf()), nan(__builtin_nan(""));
  const Double outside = select(zero > x, nan, select(x == x, zero - infinity, x));
  return select(x > zero, select(infinity > x, y, x), outside);
}

/// tanh |x| = (e - 1) / (e + 1) with e = exp(2 |x|), of which e - 1 is had without cancellation; then the sign.
GRADUS_INLINE Double tanh(Double x) {
  const Double size = abs(x);
  const Exponential e = exponential(clamp(size + size, 40));
  const Double minus_one = e.power * e.fraction + (e.power - Double(1));
  const Bits sign = reinterpret<Bits>(x) & reinterpret<Bits>(Double(-0.0));
  return reinterpret<Double>(reinterpret<Bits>(minus_one / (minus_one + Double(2))) | sign);
}

GRADUS_INLINE Double sigmoid(Double x) { return Double(1) / (Double(1) + exp(Double(0) - x)); }

template <Double (*f)(Double)>
GRADUS_INLINE Doubles apply(Doubles x) {
#pragma GCC unroll 16
  for (auto& part : x.part) part = f(part);
  return x;
}
template <Double (*f)(Double)>
void each_wide(float* y, const float* x, int64_t n) {
  each_group(0, n, [=](int64_t i, auto lanes) { store_narrow(y + i, apply<f>(load_wide(x + i, lanes)), lanes); });
}

}  // namespace
}  // namespace gradus::body
