// a * b + c, rounded once: by the processor, by the C library where that can be trusted, else by the code below.
// Everything has internal linkage, since kernels for one instruction set include it.
#pragma once

#include <cstdint>

namespace gradus::detail {
namespace {

/// x + y rounded to odd in a format that has at least two digits more than the one wanted: rounded to that one
/// afterwards, it is what a single rounding would have given. S. Boldo and G. Melquiond, "Emulation of a FMA and
/// correctly rounded sums: proved algorithms using rounding to odd", IEEE Transactions on Computers 57 (2008).
template <class Bits, class Wide>
inline Wide sum_rounded_to_odd(Wide x, Wide y) {
  const Wide sum = x + y, y_seen = sum - x;
  const Wide rest = (x - (sum - y_seen)) + (y - y_seen);
  if (rest == 0 || rest != rest) return sum;  // exact, or not finite
  auto bits = __builtin_bit_cast(Bits, sum);
  if (bits % 2 == 0) bits += (rest > 0) == (sum > 0) ? Bits(1) : -Bits(1);
  return __builtin_bit_cast(Wide, bits);
}

inline float fused_in_software(float a, float b, float c) {
  return static_cast<float>(
      sum_rounded_to_odd<std::uint64_t>(static_cast<double>(a) * static_cast<double>(b), static_cast<double>(c)));
}

#if defined(__SIZEOF_FLOAT128__) && defined(__SIZEOF_INT128__)
__extension__ using Quad = __float128;
__extension__ using QuadBits = unsigned __int128;

inline double fused_in_software(double a, double b, double c) {
  return static_cast<double>(
      sum_rounded_to_odd<QuadBits>(static_cast<Quad>(a) * static_cast<Quad>(b), static_cast<Quad>(c)));
}
#endif

#if defined(__MINGW32__) && !defined(__FMA__)  // whose library rounds twice
inline float fused_product(float a, float b, float c) { return fused_in_software(a, b, c); }
inline double fused_product(double a, double b, double c) { return fused_in_software(a, b, c); }
#else
[[gnu::always_inline]] inline float fused_product(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
[[gnu::always_inline]] inline double fused_product(double a, double b, double c) { return __builtin_fma(a, b, c); }
#endif

}  // namespace
}  // namespace gradus::detail
