// One operation on every element.
#pragma once

#include "../lanes.hpp"

namespace gradus::body {
namespace {

/// y[i] = f(x[i]...), sixteen at a time.
template <class F, class... X>
GRADUS_INLINE void each(float* y, int64_t n, F f, const X*... x) {
  int64_t i = 0;
#pragma GCC unroll 4
  for (; i + kLanes <= n; i += kLanes) store(y + i, f(load(x + i)...));
  if (const First rest{static_cast<int>(n - i)}; rest.n > 0) store(y + i, f(load(x + i, rest)...), rest);
}

GRADUS_INLINE Floats plus(Floats a, Floats b) { return a + b; }
GRADUS_INLINE Floats minus(Floats a, Floats b) { return a - b; }
GRADUS_INLINE Floats times(Floats a, Floats b) { return a * b; }
GRADUS_INLINE Floats over(Floats a, Floats b) { return a / b; }
// A comparison with NaN is false, which leaves b: right when b is the NaN, so a is looked at once more.
GRADUS_INLINE Floats larger(Floats a, Floats b) { return where_nan(a, a, where_greater(a, b, a, b)); }
GRADUS_INLINE Floats smaller(Floats a, Floats b) { return where_nan(a, a, where_greater(b, a, a, b)); }

using Operation = Floats(Floats, Floats);

template <Operation op>
void binary(float* y, const float* a, const float* b, int64_t n) {
  each(
      y, n, [](Floats u, Floats v) { return op(u, v); }, a, b);
}
template <Operation op>
void with_scalar(float* y, const float* a, float s, int64_t n) {
  each(
      y, n, [v = Floats(s)](Floats u) { return op(u, v); }, a);
}
template <Operation op>
void scalar_with(float* y, const float* a, float s, int64_t n) {
  each(
      y, n, [u = Floats(s)](Floats v) { return op(u, v); }, a);
}
template <Operation op>
void with_row(float* y, const float* a, const float* row, int64_t rows, int64_t cols) {
  for (int64_t i = 0; i < rows; ++i) binary<op>(y + i * cols, a + i * cols, row, cols);
}

void axpy(float* y, const float* x, float alpha, int64_t n) {
  each(
      y, n, [k = Floats(alpha)](Floats u, Floats v) { return u + k * v; }, y, x);
}
void fill(float* y, float value, int64_t n) {
  each(y, n, [v = Floats(value)] { return v; });
}
void neg(float* y, const float* x, int64_t n) {
  each(
      y, n, [](Floats v) { return v * Floats(-1); }, x);
}
void abs(float* y, const float* x, int64_t n) {
  each(
      y, n, [](Floats v) { return magnitude(v); }, x);
}
void sqrt(float* y, const float* x, int64_t n) {
  each(
      y, n, [](Floats v) { return square_root(v); }, x);
}
void rsqrt(float* y, const float* x, int64_t n) {
  each(
      y, n, [](Floats v) { return Floats(1) / square_root(v); }, x);
}
void square(float* y, const float* x, int64_t n) {
  each(
      y, n, [](Floats v) { return v * v; }, x);
}

// Of NaN both comparisons of relu are false, so it passes.
void relu(float* y, const float* x, int64_t n) {
  each(
      y, n, [zero = Floats(0)](Floats v) { return where_greater(zero, v, zero, v); }, x);
}
void relu_backward(float* dx, const float* dy, const float* y, int64_t n) {
  each(
      dx, n, [zero = Floats(0)](Floats g, Floats v) { return where_at_most(v, zero, zero, g); }, dy, y);
}
void leaky_relu(float* y, const float* x, float slope, int64_t n) {
  each(
      y, n, [k = Floats(slope)](Floats v) { return where_greater(v, Floats(0), v, v * k); }, x);
}
void leaky_relu_backward(float* dx, const float* dy, const float* x, float slope, int64_t n) {
  each(
      dx, n, [k = Floats(slope)](Floats g, Floats v) { return where_greater(v, Floats(0), g, g * k); }, dy, x);
}

}  // namespace
}  // namespace gradus::body
