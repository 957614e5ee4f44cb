// Products of a matrix and a vector.
#pragma once

#include "kernels/lane_sums.hpp"

namespace gradus::body {
namespace {

template <int rows, class T>
GRADUS_INLINE void dot_rows(T* y, const T* w, const T* x, const T* bias, int64_t cols) {
  Pack<T> even[rows], odd[rows];
  for (int r = 0; r < rows; ++r) even[r] = odd[r] = Pack<T>(0);
  int64_t j = 0;
  for (; j + 2 * lane_count <= cols; j += 2 * lane_count) {
    const Pack<T> x0 = load(x + j), x1 = load(x + j + lane_count);
    for (int r = 0; r < rows; ++r) {
      even[r] = multiply_add(load(w + r * cols + j), x0, even[r]);
      odd[r] = multiply_add(load(w + r * cols + j + lane_count), x1, odd[r]);
    }
  }
  each_group(j, cols, [&](int64_t i, auto lanes) {
    const Pack<T> x0 = load(x + i, lanes);
    for (int r = 0; r < rows; ++r) even[r] = multiply_add(load(w + r * cols + i, lanes), x0, even[r]);
  });
  for (int r = 0; r < rows; ++r) y[r] = sum_of_lanes(even[r] + odd[r]) + (bias ? bias[r] : 0);
}
template <class T>
void gemv(T* y, const T* w, const T* x, const T* bias, int64_t rows, int64_t cols) {
  int64_t i = 0;
  for (; i + 4 <= rows; i += 4) dot_rows<4>(y + i, w + i * cols, x, bias ? bias + i : nullptr, cols);
  for (; i < rows; ++i) dot_rows<1>(y + i, w + i * cols, x, bias ? bias + i : nullptr, cols);
}

}  // namespace
}  // namespace gradus::body
