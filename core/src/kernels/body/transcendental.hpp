// exp, log, tanh, sigmoid and softplus, computed in double whatever the element. For elements of float (T) polynomials
// end at about 2^-38, so that the result, rounded once, is the right one but for one case in some thousands; for
// doubles they go on to 2^-57. Additions, products and divisions only: the same bits everywhere. Coefficients not named
// otherwise are those of the polynomial through the function at Chebyshev's points.
#pragma once

#include "kernels/lanes.hpp"

namespace gradus::body {
namespace {

using Double = Batch<double>;
using Bits = Batch<uint64_t>;

/// c0 + c1 x + c2 x^2 + …
template <class T>
GRADUS_INLINE Batch<T> polynomial(Batch<T> x, auto c0, auto... more) {
  const Batch<T> first(static_cast<T>(c0));
  if constexpr (sizeof...(more) == 0) {
    return first;
  } else {
    return first + x * polynomial<T>(x, more...);
  }
}

constexpr double rounding_shift = 0x1.8p52;  // the last bits of a double this large count ones

struct Exponential {
  Double shifted;   // k + rounding_shift
  Double fraction;  // e^x = 2^k (1 + fraction), |fraction| <= sqrt(2) - 1
};

/// For |x| <= 1000, or NaN. e^x = 2^k e^r with r = x - k ln 2 in [-ln 2 / 2, ln 2 / 2].
template <class T>
GRADUS_INLINE Exponential exponential(Double x) {
  const Double shifted = x * Double(0x1.71547652b82fep0) + Double(rounding_shift), k = shifted - Double(rounding_shift);
  if constexpr (is_float<T>) {
    const Double r = x - k * Double(0x1.62e42fefa39efp-1);
    return {shifted,
            r + r * r *
                    polynomial<double>(r, 0x1p-1, 0x1.55555567532adp-3, 0x1.5555555c87148p-5, 0x1.1110c632a3088p-7,
                                       0x1.6c16858b7acb9p-10, 0x1.a15179d80ae96p-13, 0x1.a1132015ba37ep-16)};
  } else {
    const Double r = (x - k * Double(0x1.62e42fefap-1)) - k * Double(0x1.cf79abc9e3b3ap-40);
    return {shifted, r + r * r *
                             polynomial<double>(r, 0x1p-1, 0x1.5555555555557p-3, 0x1.5555555555556p-5,
                                                0x1.11111111100dcp-7, 0x1.6c16c16c162d4p-10, 0x1.a01a01abe7fe1p-13,
                                                0x1.a01a01a6d889cp-16, 0x1.71de0231960ebp-19, 0x1.27e4db646b17ep-22,
                                                0x1.af4de97ca4194p-26, 0x1.1f730349868cep-29)};
  }
}

/// 2^n for the integer n in the last bits of a double, -1022 to 1023.
GRADUS_INLINE Double power_of_two(Bits n) { return reinterpret<Double>((n + Bits(1023)) << 52); }

/// Brings x into [low, high], beyond which the result does not change; NaN stays.
GRADUS_INLINE Double clamp(Double x, double low, double high) {
  const Double top(high), bottom(low);
  x = select(x > top, top, x);
  return select(bottom > x, bottom, x);
}

template <class T>
GRADUS_INLINE Double exp(Double x) {
  if constexpr (is_float<T>) {
    const Exponential e = exponential<T>(clamp(x, -200, 200));
    const Double power = power_of_two(reinterpret<Bits>(e.shifted));
    return power + power * e.fraction;
  } else {  // 2^k in two factors, since it may be no double
    const Exponential e = exponential<T>(clamp(x, -750, 710));
    const Bits k = reinterpret<Bits>(e.shifted) - reinterpret<Bits>(Double(rounding_shift)) + Bits(2048), half = k >> 1;
    return (Double(1) + e.fraction) * power_of_two(half - Bits(1024)) * power_of_two(k - half - Bits(1024));
  }
}

/// log(2^k (1 + f)) with 1 + f in [sqrt(1/2), sqrt(2)): log(1 + f) = 2 artanh(s) with s = f / (2 + f), its first terms
/// so arranged that nothing is lost (K. C. Ng, FreeBSD's e_log.c).
template <class T>
GRADUS_INLINE Double log_of_parts(Double k, Double f) {
  const Double s = f / (Double(2) + f), t = s * s;
  if constexpr (is_float<T>) {
    const Double rest = t * polynomial<double>(t, 0x1.5555555564eb5p-1, 0x1.999998cae7df2p-2, 0x1.249323f4dad55p-2,
                                               0x1.c67ad2107e9d4p-3, 0x1.8c8cac2ff1febp-3);
    return k * Double(0x1.62e42fefa39efp-1) + (s + s + s * rest);
  } else {
    const Double rest =
        t * polynomial<double>(t, 0x1.5555555555558p-1, 0x1.99999999952d8p-2, 0x1.2492492df26cep-2,
                               0x1.c71c62e40b94ep-3, 0x1.7462b5152e8a6p-3, 0x1.39fe52a20dc69p-3, 0x1.2b58f4c8d5f63p-3);
    const Double half_square = Double(0.5) * f * f;
    return k * Double(0x1.62e42fee00000p-1) -
           ((half_square - (s * (half_square + rest) + k * Double(0x1.a39ef35793c76p-33))) - f);
  }
}

struct Parts {
  Double k, m;  // x = 2^k m with m in [sqrt(1/2), sqrt(2))
};
/// For positive normal x.
GRADUS_INLINE Parts parts_of(Double x) {
  constexpr uint64_t sqrt_half = 0x3fe6a09e667f3bcd, bias = 1024;
  const Bits biased_k = (reinterpret<Bits>(x) + Bits((bias << 52) - sqrt_half)) >> 52;
  const Double m = reinterpret<Double>(reinterpret<Bits>(x) - ((biased_k - Bits(bias)) << 52));
  return {reinterpret<Double>(reinterpret<Bits>(Double(rounding_shift)) + biased_k) - Double(rounding_shift + bias), m};
}

/// Below 0 NaN, of 0 minus infinity.
template <class T>
GRADUS_INLINE Double log(Double x) {
  const Double zero(0), infinity(__builtin_inf()), nan(__builtin_nan(""));
  Double scaled = x, offset = zero;
  if constexpr (!is_float<T>) {
    const Double smallest(__DBL_MIN__);
    scaled = select(smallest > x, x * Double(0x1p54), x);
    offset = select(smallest > x, Double(54), zero);
  }
  const Parts p = parts_of(scaled);
  const Double y = log_of_parts<T>(p.k - offset, p.m - Double(1));
  const Double outside = select(zero > x, nan, select(x == x, zero - infinity, x));
  return select(x > zero, select(infinity > x, y, x), outside);
}

/// tanh |x| = (e - 1) / (e + 1) with e = exp(2 |x|), of which e - 1 is had without cancellation; then the sign.
template <class T>
GRADUS_INLINE Double tanh(Double x) {
  const Double size = abs(x);
  const Exponential e = exponential<T>(clamp(size + size, 0, 40));
  const Double power = power_of_two(reinterpret<Bits>(e.shifted));
  const Double minus_one = power * e.fraction + (power - Double(1));
  const Bits sign = reinterpret<Bits>(x) & reinterpret<Bits>(Double(-0.0));
  return reinterpret<Double>(reinterpret<Bits>(minus_one / (minus_one + Double(2))) | sign);
}

template <class T>
GRADUS_INLINE Double sigmoid(Double x) {
  return Double(1) / (Double(1) + exp<T>(Double(0) - x));
}

/// log(1 + exp(x)), and x itself above 20, as PyTorch. Where 1 + e < sqrt(2), e is what exceeds 1 exactly.
template <class T>
GRADUS_INLINE Double softplus(Double x) {
  const Double e = exp<T>(x);
  const Parts p = parts_of(Double(1) + clamp(e, 0, 0x1p40));
  const Double y = log_of_parts<T>(p.k, select(p.k == Double(0), e, p.m - Double(1)));
  return select(x <= Double(20), y, x);
}

}  // namespace
}  // namespace gradus::body
