// The kernels of one instruction set. Those of `kernels.hpp` choose among instruction sets and add threads; a kernel
// itself runs on the calling thread, over the range it is given.
#pragma once

#include "kernels/isa.hpp"
#include "kernels/kernels.hpp"

namespace gradus::kernels {

template <class T>
struct Kernels {
  using Map = void(T* y, const T* x, int64_t n);
  using Zip = void(T* y, Operand<T> a, Operand<T> b, int64_t rows, int64_t n);
  // `scratch` for `cols` numbers saves exponentials from being computed twice; it may be null.
  using Rows = void(T* y, const T* x, int64_t rows, int64_t cols, double* scratch);
  using RowsBackward = void(T* dx, const T* dy, const T* y, int64_t rows, int64_t cols);

  Map* unary[unary_count];
  Zip* binary[binary_count];

  void (*convert)(OtherWidth<T>* y, const T* x, int64_t n);
  void (*clamp)(T* y, const T* x, T low, T high, int64_t n);
  void (*elu)(T* y, const T* x, double alpha, int64_t n);
  void (*elu_backward)(T* dx, const T* dy, const T* x, double alpha, int64_t n);
  void (*where)(T* y, const bool* chosen, const T* a, int64_t step_a, const T* b, int64_t step_b, int64_t n);
  void (*transpose)(T* y, int64_t y_stride, const T* x, int64_t x_stride, int64_t rows, int64_t cols);
  int64_t (*argmax)(const T* x, int64_t n);
  int64_t (*argmin)(const T* x, int64_t n);

  Total (*sum)(const T* x, int64_t n, int64_t runs, int64_t apart);
  Deviations (*deviations)(const T* x, int64_t n, double mean);
  double (*product)(const T* x, int64_t n);
  double (*sum_of_squares)(const T* x, int64_t n);
  void (*row_sums)(T* y, const T* x, int64_t rows, int64_t cols, double divisor);
  // Columns [first, last), the first of which is a multiple of 16.
  void (*column_sums)(T* y, const T* x, int64_t rows, int64_t cols, int64_t first, int64_t last, double divisor);
  Rows *softmax, *log_softmax;
  void (*log_sum_exp)(double* y, const T* x, int64_t rows, int64_t cols);
  RowsBackward *softmax_backward, *log_softmax_backward;
  void (*matmul)(const MatrixProduct<T>& product);
  void (*gemv)(T* y, const T* w, const T* x, const T* bias, int64_t rows, int64_t cols);
};
using Table = BothWidths<Kernels>;

/// The places of its elements in `unary` and `binary`.
template <class T, Unary f>
struct UnaryPlace {};
template <class T, Binary f>
struct BinaryPlace {};
template <class T, Unary f>
typename Kernels<T>::Map* kernel_at(UnaryPlace<T, f>);
template <class T, Binary f>
typename Kernels<T>::Zip* kernel_at(BinaryPlace<T, f>);

}  // namespace gradus::kernels
