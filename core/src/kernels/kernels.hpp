// Loops over arrays, mostly of float or double, for the processor at hand, on several threads where the arrays are
// long. Outputs may be one of the inputs, but must not overlap them otherwise. Everything but the products, which fuse
// additions where the processor can, gives the same bits on every instruction set and with any number of threads. What
// computes one of many functions on every element is in loops.hpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace gradus::kernels {

using std::int64_t;

// ------------------------------------------------------------------------------------------------------- elementwise
/// exp and what follows it, of floats, are computed in double and rounded once: within 0.51 ulp.
enum class Unary {
  neg,
  abs,
  sqrt,
  rsqrt,
  reciprocal,
  square,
  cube,
  relu,
  sign,
  floor,
  ceil,
  round,
  gelu,
  exp,
  expm1,
  tanh,
  sigmoid,
  silu,
  softplus,
  log,
  log1p,
  sin,
  cos,
  erf,
  count
};
/// maximum and minimum are NaN when an operand is, as PyTorch's; leaky_relu takes x and the slope; reciprocal_times is
/// a (1 / b), rounded twice. The derivatives take dy and what the operation saved, relu, tanh and sigmoid their y,
/// softplus, silu and gelu their x: relu_backward is 0 where y <= 0, else dy.
enum class Binary {
  add,
  sub,
  mul,
  div,
  maximum,
  minimum,
  leaky_relu,
  reciprocal_times,
  relu_backward,
  tanh_backward,
  sigmoid_backward,
  softplus_backward,
  silu_backward,
  gelu_backward,
  count
};
constexpr auto unary_count = static_cast<std::size_t>(Unary::count);
constexpr auto binary_count = static_cast<std::size_t>(Binary::count);

/// A matrix whose elements of a row follow each other (step 1) or are one and the same (step 0), its rows `row` apart.
template <class T>
struct Operand {
  const T* data;
  int64_t row, step;
  Operand advanced(int64_t rows, int64_t elements) const { return {data + rows * row + elements * step, row, step}; }
};

/// y = x, of floats as doubles, of doubles as the nearest floats
template <class T>
using OtherWidth = std::conditional_t<sizeof(T) == sizeof(float), double, float>;
template <class T>
void convert(OtherWidth<T>* y, const T* x, int64_t n);

/// y = x within [low, high], NaN where x is
template <class T>
void clamp(T* y, const T* x, T low, T high, int64_t n);

/// y = x where x > 0, else alpha (exp(x) - 1); and its derivative
template <class T>
void elu(T* y, const T* x, double alpha, int64_t n);
template <class T>
void elu_backward(T* dx, const T* dy, const T* x, double alpha, int64_t n);

/// y = a where `which`, else b; each advances by its step, 0 or 1.
template <class T>
void where(T* y, const bool* which, const T* a, int64_t step_a, const T* b, int64_t step_b, int64_t n);

/// y = value, for elements of every dtype.
template <class T>
void fill(T* y, T value, int64_t n);

/// y[j * y_stride + i] = x[i * x_stride + j] for i below `rows` and j below `cols`
template <class T>
void transpose(T* y, int64_t y_stride, const T* x, int64_t x_stride, int64_t rows, int64_t cols);

/// The place of the largest, or smallest, of n >= 16 numbers: the first among equals, the first NaN if there is one.
template <class T>
int64_t argmax(const T* x, int64_t n);
template <class T>
int64_t argmin(const T* x, int64_t n);

// -------------------------------------------------------------------------------------------------------------- sums
// Of floats in double; of doubles in blocks whose sums are added without loss: within 1e-15 of the sum of magnitudes.

/// A sum and what rounding took off it.
struct Total {
  double sum, lost = 0;
};
/// Of `runs` runs of n numbers, which begin `apart` from one another.
template <class T>
Total sum(const T* x, int64_t n, int64_t runs = 1, int64_t apart = 0);

/// The sums of x - mean and of its square.
struct Deviations {
  Total sum, squares;
};
template <class T>
Deviations deviations(const T* x, int64_t n, double mean);

/// The product of all, and the sum of their squares, in double.
template <class T>
double product(const T* x, int64_t n);
template <class T>
double sum_of_squares(const T* x, int64_t n);

/// y[i] = sum of x[i, j] over j, divided by `divisor` before it is rounded; x (rows, cols), cols <= most_of_a_row
constexpr int64_t most_of_a_row = 1 << 16;
template <class T>
void row_sums(T* y, const T* x, int64_t rows, int64_t cols, double divisor);

/// y[j] = sum of x[i, j] over i, divided by `divisor` before it is rounded; x (rows, cols)
template <class T>
void column_sums(T* y, const T* x, int64_t rows, int64_t cols, double divisor);

// ----------------------------------------------------------------------------------------------------------- softmax
// Along the rows of (rows, cols); computed in double and rounded once.
template <class T>
void softmax(T* y, const T* x, int64_t rows, int64_t cols);
template <class T>
void log_softmax(T* y, const T* x, int64_t rows, int64_t cols);
/// NaN where the largest of a row is infinite.
template <class T>
void log_sum_exp(double* y, const T* x, int64_t rows, int64_t cols);
template <class T>
void softmax_backward(T* dx, const T* dy, const T* y, int64_t rows, int64_t cols);
template <class T>
void log_softmax_backward(T* dx, const T* dy, const T* y, int64_t rows, int64_t cols);

// ---------------------------------------------------------------------------------------------------------- products
/// C = op(A) op(B) + bias, all row-major: op(A) (m, k), op(B) (k, n), C (m, n), their rows lda, ldb and ldc apart; op
/// transposes when asked. `bias` has n numbers for each row of C, or is null.
template <class T>
struct MatrixProduct {
  bool trans_a, trans_b;
  int64_t m, n, k;
  const T* a;
  int64_t lda;
  const T* b;
  int64_t ldb;
  const T* bias;
  T* c;
  int64_t ldc;
};

/// On the calling thread. Every element adds its k products in their order, in blocks of 256.
template <class T>
void matmul(const MatrixProduct<T>& product);

/// y = W x + bias with W (rows, cols); bias may be null. Fused multiply-add where the processor has it.
template <class T>
void gemv(T* y, const T* w, const T* x, const T* bias, int64_t rows, int64_t cols);

}  // namespace gradus::kernels
