// Loops over the registers of a tile, which have to be written out for them to be registers.
#pragma once

#include "kernels/lanes.hpp"

namespace gradus::body {
namespace {

/// f(i) for i below n; f(i, j, …) for i below n, j below the first of `more`, …
template <int n, int... more, class F>
GRADUS_INLINE void each_of(F f) {
#pragma GCC unroll 16
  for (int i = 0; i < n; ++i) {
    if constexpr (sizeof...(more) == 0) {
      f(i);
    } else {
      each_of<more...>([&](auto... inner) GRADUS_INLINED { f(i, inner...); });
    }
  }
}

}  // namespace
}  // namespace gradus::body
