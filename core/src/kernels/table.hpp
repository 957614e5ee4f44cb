// The kernels of one instruction set. Those of `kernels.hpp` choose a table once and add threads; a kernel itself runs
// on the calling thread, over the range it is given.
#pragma once

#include "kernels.hpp"

namespace gradus::kernels {

struct BatchNormApply {
  float* y;
  const float* x;
  BatchShape shape;
  const float *weight, *bias;
  const double *mean, *rstd;
  bool stream;  // y is too large to stay in a cache: write past them
};

struct BatchNormForward {
  float* y;
  const float* x;
  BatchShape shape;
  const float *weight, *bias;
  double eps;
  double *mean, *var, *rstd;
  bool stream;
  float* scratch = nullptr;  // for the elements of a channel of (N, C, L), or null
};

struct BatchNormBackward {
  float *dx, *dweight, *dbias;
  const float *dy, *x;
  BatchShape shape;
  const float* weight;
  const double *mean, *var, *rstd;
  bool batch_statistics;  // they depend on x: training
  bool stream;
  float* scratch = nullptr;  // twice as large
};

struct Table {
  using Unary = void(float* y, const float* x, int64_t n);
  using Binary = void(float* y, const float* a, const float* b, int64_t n);
  using Scalar = void(float* y, const float* a, float s, int64_t n);
  using Row = void(float* y, const float* a, const float* row, int64_t rows, int64_t cols);
  using Rows = void(float* y, const float* x, int64_t rows, int64_t cols);
  using RowsBackward = void(float* dx, const float* dy, const float* y, int64_t rows, int64_t cols);

  Binary *add, *sub, *mul, *div, *maximum, *minimum, *relu_backward;
  Scalar *add_scalar, *sub_scalar, *mul_scalar, *div_scalar, *maximum_scalar, *minimum_scalar;
  Scalar *scalar_sub, *scalar_div, *leaky_relu, *axpy;
  void (*leaky_relu_backward)(float* dx, const float* dy, const float* x, float slope, int64_t n);
  void (*fill)(float* y, float value, int64_t n);
  Row *add_row, *sub_row, *mul_row, *div_row;
  Unary *neg, *abs, *sqrt, *rsqrt, *square, *relu, *exp, *log, *tanh, *sigmoid;

  double (*sum)(const float* x, int64_t n);
  void (*column_sums)(float* y, const float* x, int64_t rows, int64_t cols, int64_t first, int64_t last);
  Rows *softmax, *log_softmax;
  RowsBackward *softmax_backward, *log_softmax_backward;
  void (*log_sum_exp)(double* y, const float* x, int64_t rows, int64_t cols);  // y (rows)
  void (*cross_entropy_backward)(float* dx, const float* x, const Classes& classes, const double* logsumexp,
                                 double scale);
  void (*gemv)(float* y, const float* w, const float* x, const float* bias, int64_t rows, int64_t cols);

  bool (*batch_norm_running)(double* mean, double* var, double* rstd, const float* running_mean,
                             const float* running_var, int64_t c, double eps);
  // Channels [first, last); `first` is a multiple of 16 when L is 1.
  bool (*batch_norm)(const BatchNormForward& pass, int64_t first, int64_t last);
  void (*batch_norm_apply)(const BatchNormApply& pass, int64_t first, int64_t last);
  void (*batch_norm_backward)(const BatchNormBackward& pass, int64_t first, int64_t last);

  void (*sgd)(float* p, const float* g, float* momentum_buffer, int64_t n, const SgdStep& step);
  void (*adam)(float* p, const float* g, float* exp_avg, float* exp_avg_sq, float* max_exp_avg_sq, int64_t n,
               const AdamStep& step);
  void (*rmsprop)(float* p, const float* g, float* square_avg, float* grad_avg, float* momentum_buffer, int64_t n,
                  const RmspropStep& step);
};

enum class Isa { plain, sse2, avx2, avx512 };

/// The table of an instruction set, null when this build or this processor lacks it.
const Table* table_for(Isa isa) noexcept;

/// The instruction set in use: the best of the processor, or what the environment variable GRADUS_ISA names (plain,
/// sse2, avx2 or avx512). Throws ValueError when that is unknown or unsupported.
Isa isa();

const char* isa_name(Isa isa) noexcept;

/// table_for(isa()).
const Table& table();

}  // namespace gradus::kernels
