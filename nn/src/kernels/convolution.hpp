// Sums of shifted rows: what a convolution and its two gradients are made of. Products may be fused and sums of
// row_products are cut into as many as a register has lanes, so results differ between processors by their rounding.
#pragma once

#include <cstdint>

namespace gradus::nn::kernels {

using std::int64_t;

/// `count` rows, of which row p begins at data + begin[p]. They may overlap.
template <class T>
struct ShiftedRows {
  const T* data;
  const int64_t* begin;
  int64_t count;
};

/// y[i, l] = bias[i] + sum over p of weight[i, p] x[p, l] with y (rows, length), its rows `y_stride` apart, and weight
/// (rows, x.count). Up to `read_beyond` elements behind a row of x are read, and
/// have no effect; denormal numbers there are slow.
template <class T>
struct WeightedSums {
  T* y;
  int64_t y_stride, rows, length;
  const T *weight, *bias;
  ShiftedRows<T> x;
};
constexpr int64_t read_beyond = 96;

/// dw[i, p] += sum over r, l of dy[i, r, l] x[p, r, l] with dw (rows, x.count), for `runs` runs of `length` elements.
template <class T>
struct RowProducts {
  T* dw;
  int64_t rows;
  const T* dy;
  int64_t dy_row, dy_run;  // elements from one row, one run, to the next
  ShiftedRows<T> x;
  int64_t x_run;
  int64_t runs, length;
};

}  // namespace gradus::nn::kernels
