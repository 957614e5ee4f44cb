// Numbers as the bits of IEEE's half.
#pragma once

#include <cmath>
#include <cstdint>

namespace gradus::nn::frozen {

inline constexpr double beyond_half = 65520;  // rounds to infinity, as all above

/// The nearest half, ties to even, of a number below beyond_half in size.
inline std::uint16_t to_half(double value) {
  const double size = std::abs(value);
  const unsigned sign = std::signbit(value) ? 0x8000u : 0u;
  if (size < 0x1p-14) return static_cast<std::uint16_t>(sign | static_cast<unsigned>(std::nearbyint(size * 0x1p24)));
  const int exponent = std::ilogb(size);
  const auto fraction = static_cast<unsigned>(std::nearbyint(std::ldexp(size, 10 - exponent)));  // 1024 to 2048
  return static_cast<std::uint16_t>(sign | ((static_cast<unsigned>(exponent + 14) << 10) + fraction));
}

}  // namespace gradus::nn::frozen
