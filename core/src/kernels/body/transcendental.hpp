// exp, log, tanh, sigmoid and softplus, computed in double whatever the element. For elements of float (T) polynomials
// end at 2^-32 to 2^-38, so that the result, rounded once, is the right one but for one case in some hundreds, and
// never off by more than 0.51 units of its last place; for doubles they go on to 2^-57. Additions, products and
// divisions only: the same bits everywhere. Coefficients not named otherwise are those of the polynomial through the
// function at Chebyshev's points. Of floats, but for the logarithms, x is within [-range, range]: `within` and `beyond`
// see to the others.
#pragma once

#include "kernels/body/polynomial.hpp"

namespace gradus::body {
namespace {

using Double = Batch<double>;
using Bits = Batch<uint64_t>;

constexpr float range = 200;

constexpr double rounding_shift = 0x1.8p52;             // the last bits of a double this large count ones
constexpr double biased_shift = rounding_shift + 1023;  // the same for exponents

struct Exponential {
  Double shifted;   // k + biased_shift
  Double fraction;  // e^x = 2^k (1 + fraction), |fraction| <= sqrt(2) - 1
};

/// For |x| <= 1000, or NaN. e^x = 2^k e^r with r = x - k ln 2 in [-ln 2 / 2, ln 2 / 2]. `short_x`: x has no more digits
/// than a float, and its product with a constant of 29 is exact. The polynomial for floats has the least error relative
/// to e^r - 1.
template <class T, bool short_x = is_float<T>>
GRADUS_INLINE Exponential exponential(Double x) {
  if constexpr (is_float<T>) {
    const Double per_ln2(0x1.7154765p0), bias(biased_shift);
    const Double shifted = short_x ? exact_product_plus<double>(x, per_ln2, bias) : x * per_ln2 + bias;
    const Double k = shifted - bias;
    const Double r = exact_product_plus<double>(k, Double(-0x1.62e42fefa3ap-1), x);  // k has nine digits
    const auto pair = [r](double a, double b) GRADUS_INLINED { return Double(a) + Double(b) * r; };
    const Double square = r * r, low = pair(0x1.0000001e82804p-1, 0x1.555554ef6e3a4p-3),
                 middle = pair(0x1.5554be89d630ap-5, 0x1.11119142c5f04p-7),
                 high = pair(0x1.6d679c50ccbffp-10, 0x1.a020a52b8f470p-13);
    return {shifted, r + square * (low + square * (middle + square * high))};
  } else {
    const Double shifted = x * Double(0x1.71547652b82fep0) + Double(biased_shift), k = shifted - Double(biased_shift);
    const Double high = exact_product_plus<double>(k, Double(-0x1.62e42fefap-1), x);
    const Double r = high - k * Double(0x1.cf79abc9e3b3ap-40);
    return {shifted, r + r * r *
                             polynomial(r, 0x1p-1, 0x1.5555555555557p-3, 0x1.5555555555556p-5, 0x1.11111111100dcp-7,
                                        0x1.6c16c16c162d4p-10, 0x1.a01a01abe7fe1p-13, 0x1.a01a01a6d889cp-16,
                                        0x1.71de0231960ebp-19, 0x1.27e4db646b17ep-22, 0x1.af4de97ca4194p-26,
                                        0x1.1f730349868cep-29)};
  }
}

/// 2^n for n + 1023 in the last bits, -1022 <= n <= 1023.
GRADUS_INLINE Double power_of_two(Bits biased) { return reinterpret<Double>(biased << 52); }
GRADUS_INLINE Double power_of(Exponential e) { return power_of_two(reinterpret<Bits>(e.shifted)); }

/// Brings x into [low, high], beyond which the result does not change; NaN stays.
GRADUS_INLINE Double clamp(Double x, double low, double high) { return max(Double(low), min(Double(high), x)); }

template <class T, bool short_x = is_float<T>>
GRADUS_INLINE Double exp(Double x) {
  if constexpr (is_float<T>) {
    const Exponential e = exponential<T, short_x>(x);
    const Double power = power_of(e);
    return exact_product_plus<double>(power, e.fraction, power);
  } else {  // 2^k in two factors, since it may be no double
    const Exponential e = exponential<T>(clamp(x, -750, 710));
    const Bits k = reinterpret<Bits>(e.shifted) - reinterpret<Bits>(Double(biased_shift - 2046)), half = k >> 1;
    return (Double(1) + e.fraction) * power_of_two(half) * power_of_two(k - half);
  }
}

/// For any x that is not above `range`, with as many digits as a double.
template <class T>
GRADUS_INLINE Double exp_of_difference(Double x) {
  return exp<T, false>(is_float<T> ? max(Double(-range), x) : x);
}

/// log(2^k (1 + f)) with 1 + f in [sqrt(1/2), sqrt(2)): log(1 + f) = 2 artanh(s) with s = f / (2 + f), its first terms
/// so arranged that nothing is lost (K. C. Ng, FreeBSD's e_log.c).
template <class T>
GRADUS_INLINE Double log_of_parts(Double k, Double f) {
  const Double s = f / (Double(2) + f), t = s * s;
  if constexpr (is_float<T>) {
    const Double rest = t * polynomial(t, 0x1.5555555564eb5p-1, 0x1.999998cae7df2p-2, 0x1.249323f4dad55p-2,
                                       0x1.c67ad2107e9d4p-3, 0x1.8c8cac2ff1febp-3);
    return k * Double(0x1.62e42fefa39efp-1) + (s + s + s * rest);
  } else {
    const Double rest =
        t * polynomial(t, 0x1.5555555555558p-1, 0x1.99999999952d8p-2, 0x1.2492492df26cep-2, 0x1.c71c62e40b94ep-3,
                       0x1.7462b5152e8a6p-3, 0x1.39fe52a20dc69p-3, 0x1.2b58f4c8d5f63p-3);
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

/// `y`, or the limits of the logarithm where x is not positive and finite: below 0 NaN, of 0 minus infinity.
GRADUS_INLINE Double logarithm_or_limit(Double x, Double y) {
  const Double zero(0), infinity(__builtin_inf()), nan(__builtin_nan(""));
  const Double outside = select(zero > x, nan, select(x == x, zero - infinity, x));
  return select(x > zero, select(infinity > x, y, x), outside);
}

template <class T>
GRADUS_INLINE Double log(Double x) {
  Double scaled = x, offset(0);
  if constexpr (!is_float<T>) {
    const Double smallest(__DBL_MIN__);
    scaled = select(smallest > x, x * Double(0x1p54), x);
    offset = select(smallest > x, Double(54), offset);
  }
  const Parts p = parts_of(scaled);
  return logarithm_or_limit(x, log_of_parts<T>(p.k - offset, p.m - Double(1)));
}

/// The magnitude of `size`, which is not negative, or has the sign already, with the sign of x.
template <class T>
GRADUS_INLINE Batch<T> with_sign_of(Batch<T> x, Batch<T> size) {
  using BitsOf = Batch<std::conditional_t<is_float<T>, uint32_t, uint64_t>>;
  const BitsOf sign = reinterpret<BitsOf>(x) & reinterpret<BitsOf>(Batch<T>(T(-0.0)));
  return reinterpret<Batch<T>>(reinterpret<BitsOf>(size) | sign);
}

/// exp(x) - 1 for -200 <= x <= 710, or NaN. Half of it is computed, for its power of two may be no double.
template <class T>
GRADUS_INLINE Double exp_minus_one(Double x) {
  const Exponential e = exponential<T>(x);
  const Double power = power_of_two(reinterpret<Bits>(e.shifted) - Bits(1));
  const Double half = exact_product_plus<double>(power, e.fraction, power - Double(0.5));
  return half + half;
}
template <class T>
GRADUS_INLINE Double expm1(Double x) {
  return with_sign_of<double>(x, exp_minus_one<T>(is_float<T> ? x : clamp(x, -40, 710)));
}

/// tanh |x| = (e - 1) / (e + 1) with e = exp(2 |x|), of which e - 1 is had without cancellation; then the sign.
template <class T>
GRADUS_INLINE Double tanh(Double x) {
  const Double size = abs(x), twice = size + size;
  const Double e_minus_one = exp_minus_one<T>(is_float<T> ? twice : clamp(twice, 0, 40));
  return with_sign_of<double>(x, e_minus_one / (e_minus_one + Double(2)));
}

/// 1 / (1 + exp(-x)). Divisions are slow: of neighbours a and b, 1 / (a b) gives both, which doubles have no room for.
template <class T>
GRADUS_INLINE Doubles sigmoid(Doubles x) {
  const auto inverse_of = [](Double v) GRADUS_INLINED { return Double(1) + exp<T>(Double(0) - v); };
  if constexpr (!is_float<T>)
    return each_part_long([=](Double v) GRADUS_INLINED { return Double(1) / inverse_of(v); }, x);
  Doubles y = each_part_long(inverse_of, x);
  constexpr int half = Doubles::count / 2;
#pragma GCC unroll side_by_side
  for (int i = 0; i < half; ++i) {
    const Double a = y.part[i], b = y.part[i + half], inverse = Double(1) / (a * b);
    y.part[i] = inverse * b, y.part[i + half] = inverse * a;
  }
  return y;
}

/// log(u) with u = 1 + x rounded, to which belongs what rounding took off. Where u < sqrt(2), x is what exceeds 1.
template <class T>
GRADUS_INLINE Double log1p(Double x) {
  const Double u = Double(1) + x, zero(0);
  const Parts p = parts_of(u);
  const auto near_one = p.k == zero;
  Double y = log_of_parts<T>(p.k, select(near_one, x, p.m - Double(1)));
  if constexpr (!is_float<T>) y = y + select(near_one, zero, (x - (u - Double(1))) / u);
  return with_sign_of<double>(x, logarithm_or_limit(u, y));
}

/// log(1 + exp(x)), and x itself above 20, as PyTorch. Where 1 + e < sqrt(2), e is what exceeds 1 exactly.
template <class T>
GRADUS_INLINE Double softplus(Double x) {
  const Double e = exp<T>(x);
  const Parts p = parts_of(Double(1) + (is_float<T> ? e : clamp(e, 0, 0x1p40)));
  const Double y = log_of_parts<T>(p.k, select(p.k == Double(0), e, p.m - Double(1)));
  return select(x <= Double(20), y, x);
}

/// The nearest x of those whose size is at most `range`; some of them for NaN.
GRADUS_INLINE Floats within(Floats x) {
  return where_at_most(magnitude(x), Floats(range), x, where_greater(x, Floats(0), Floats(range), Floats(-range)));
}

}  // namespace
}  // namespace gradus::body
