// Polynomials.
#pragma once

#include "kernels/lanes.hpp"

namespace gradus::body {
namespace {

/// c0 + c1 x + c2 x^2 + …, by pairs: (c0 + c1 x) + (c2 + c3 x) x^2, and so on, which waits less than Horner's scheme.
template <class T, int n>
GRADUS_INLINE Batch<T> polynomial_of(Batch<T> x, const Batch<T> (&c)[n]) {
  if constexpr (n == 1) {
    return c[0];
  } else {
    Batch<T> pair[(n + 1) / 2];
#pragma GCC unroll 16
    for (int i = 0; i < n / 2; ++i) pair[i] = c[2 * i] + c[2 * i + 1] * x;
    if constexpr (n % 2) pair[n / 2] = c[n - 1];
    return polynomial_of<T>(x * x, pair);
  }
}
template <class T, int n>
GRADUS_INLINE Batch<T> polynomial(Batch<T> x, const T (&coefficients)[n]) {
  Batch<T> c[n];
#pragma GCC unroll 32
  for (int i = 0; i < n; ++i) c[i] = Batch<T>(coefficients[i]);
  return polynomial_of<T>(x, c);
}
GRADUS_INLINE Batch<double> polynomial(Batch<double> x, double constant, auto... others) {
  return polynomial_of<double>(x, {Batch<double>(constant), Batch<double>(others)...});
}

}  // namespace
}  // namespace gradus::body
