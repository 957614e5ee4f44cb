// sin and cos, computed in double as those of transcendental.hpp: x = q pi / 2 + r with |r| <= pi / 4, and the sine or
// cosine of r by a polynomial. Beyond `range_of_sine` the standard library is asked, lane by lane.
#pragma once

#include "kernels/body/transcendental.hpp"

namespace gradus::body {
namespace {

constexpr double range_of_sine = 0x1.8p20;  // q has twenty digits, and its product with a constant of 33 is exact

struct QuarterTurns {
  Double r, tail;  // of doubles the remainder is r + tail; no number but 0 is so near a multiple that r loses digits
  Bits q;          // modulo 4
};
/// pi / 2 has 33 digits in each part but the last (W. J. Cody and W. Waite, "Software Manual for the Elementary
/// Functions", 1980).
template <class T>
GRADUS_INLINE QuarterTurns quarter_turns(Double x) {
  const Double shifted = x * Double(0x1.45f306dc9c883p-1) + Double(rounding_shift),
               q = shifted - Double(rounding_shift);
  const auto minus = [q](Double from, double part)
                         GRADUS_INLINED { return exact_product_plus<double>(q, Double(-part), from); };
  const Double first = minus(x, 0x1.921fb544p+0);
  if constexpr (is_float<T>) {
    return {first - q * Double(0x1.0b4611a626331p-34), Double(0), reinterpret<Bits>(shifted)};
  } else {
    constexpr double part2 = 0x1.0b4611a6p-34, part3 = 0x1.3198a2ep-69, part4 = 0x1.b839a252049c1p-104;
    const Double second = minus(first, part2), third = minus(second, part3);
    const Double lost = minus(first - second, part2) + minus(second - third, part3) - q * Double(part4);
    const Double r = third + lost;
    return {r, (third - r) + lost, reinterpret<Bits>(shifted)};
  }
}

/// The sine of x, or of x + pi / 2.
template <class T, bool cosine>
GRADUS_INLINE Double sine_within_range(Double x) {
  const QuarterTurns turns = quarter_turns<T>(x);
  const Double r = turns.r, z = r * r;
  Double sin_r, cos_r;
  if constexpr (is_float<T>) {
    sin_r = r * polynomial(z, 1, -0x1.555555545e0a4p-3, 0x1.11110def2cf0bp-7, -0x1.a013a792247bcp-13,
                           0x1.6dbe07b551a2cp-19);
    cos_r =
        polynomial(z, 1, -0x1.fffffffab1d7bp-2, 0x1.55554cbb40d7ep-5, -0x1.6c0e087d2c0c1p-10, 0x1.9a6f2afbe9093p-16);
  } else {
    const Double half = Double(0.5) * z, head = Double(1) - half;
    const Double of_sine = z * polynomial(z, -0x1.5555555555555p-3, 0x1.1111111110bb2p-7, -0x1.a01a019e83aa2p-13,
                                          0x1.71de379689090p-19, -0x1.ae600b01a40ccp-26, 0x1.5e0b1995f429ap-33);
    const Double of_cosine = z * z *
                             polynomial(z, 0x1.5555555555555p-5, -0x1.6c16c16c16967p-10, 0x1.a01a019f4eafap-16,
                                        -0x1.27e4fa17d9864p-22, 0x1.1eeb68e8b2372p-29, -0x1.907da304ce77bp-37);
    sin_r = select(r == Double(0), x, r + (r * of_sine + turns.tail * head));  // 0 keeps its sign
    cos_r = head + (((Double(1) - head) - half) + (of_cosine - r * turns.tail));
  }
  // An odd q makes `turn` 2 and takes the cosine, one of 2 or 3 makes it negative.
  const Double turn = reinterpret<Double>((turns.q + Bits(cosine)) << 62);
  return select(turn == Double(0), sin_r, cos_r) * with_sign_of<double>(turn, Double(1));
}

template <bool cosine>
[[gnu::noinline]] void sine_beyond_range(double* y, const double* x) {
  for (int i = 0; i < lane_count; ++i) {
    if (!(__builtin_fabs(x[i]) <= range_of_sine)) y[i] = cosine ? __builtin_cos(x[i]) : __builtin_sin(x[i]);
  }
}

template <class T, bool cosine>
GRADUS_INLINE Doubles sine(Doubles x) {
  Doubles y = each_part_long([](Double v) GRADUS_INLINED { return sine_within_range<T, cosine>(v); }, x);
  if (__builtin_expect(all_at_most(magnitude(x), Doubles(range_of_sine)), true)) return y;
  double lanes_x[lane_count], lanes_y[lane_count];
  store(lanes_x, x), store(lanes_y, y);
  sine_beyond_range<cosine>(lanes_y, lanes_x);
  return load(lanes_y);
}

}  // namespace
}  // namespace gradus::body
