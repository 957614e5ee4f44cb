// Loops over float32 arrays for the processor at hand, on several threads where the arrays are long. Outputs may be one
// of the inputs, but must not overlap them otherwise. Everything but `gemv` gives the same bits on every instruction
// set and with any number of threads.
#pragma once

#include <cstdint>

namespace gradus::kernels {

using std::int64_t;

// --------------------------------------------------------------------------------- elementwise: y, then the operands
void add(float* y, const float* a, const float* b, int64_t n);
void sub(float* y, const float* a, const float* b, int64_t n);
void mul(float* y, const float* a, const float* b, int64_t n);
void div(float* y, const float* a, const float* b, int64_t n);
void maximum(float* y, const float* a, const float* b, int64_t n);  // NaN when an operand is NaN, as PyTorch
void minimum(float* y, const float* a, const float* b, int64_t n);

void add_scalar(float* y, const float* a, float s, int64_t n);
void sub_scalar(float* y, const float* a, float s, int64_t n);
void mul_scalar(float* y, const float* a, float s, int64_t n);
void div_scalar(float* y, const float* a, float s, int64_t n);
void maximum_scalar(float* y, const float* a, float s, int64_t n);
void minimum_scalar(float* y, const float* a, float s, int64_t n);
void scalar_sub(float* y, float s, const float* a, int64_t n);
void scalar_div(float* y, float s, const float* a, int64_t n);

// a (rows, cols), row (cols)
void add_row(float* y, const float* a, const float* row, int64_t rows, int64_t cols);
void sub_row(float* y, const float* a, const float* row, int64_t rows, int64_t cols);
void mul_row(float* y, const float* a, const float* row, int64_t rows, int64_t cols);
void div_row(float* y, const float* a, const float* row, int64_t rows, int64_t cols);

void axpy(float* y, float alpha, const float* x, int64_t n);  // y += alpha * x, product and sum rounded
void fill(float* y, float value, int64_t n);

void neg(float* y, const float* x, int64_t n);
void abs(float* y, const float* x, int64_t n);
void sqrt(float* y, const float* x, int64_t n);
void rsqrt(float* y, const float* x, int64_t n);  // 1 / sqrt(x), both rounded
void square(float* y, const float* x, int64_t n);
void relu(float* y, const float* x, int64_t n);
void leaky_relu(float* y, const float* x, float slope, int64_t n);
void relu_backward(float* dx, const float* dy, const float* y, int64_t n);  // dx = 0 where y <= 0, else dy
void leaky_relu_backward(float* dx, const float* dy, const float* x, float slope, int64_t n);

// Computed in double and rounded once: within 0.51 ulp.
void exp(float* y, const float* x, int64_t n);
void log(float* y, const float* x, int64_t n);
void tanh(float* y, const float* x, int64_t n);
void sigmoid(float* y, const float* x, int64_t n);

// ---------------------------------------------------------------------------------------------- sums, all in double
double sum(const float* x, int64_t n);
void column_sums(float* y, const float* x, int64_t rows, int64_t cols);  // x (rows, cols), y (cols)

// ------------------------------------------------------------------------------------------------- softmax and loss
void softmax(float* y, const float* x, int64_t rows, int64_t cols);
void log_softmax(float* y, const float* x, int64_t rows, int64_t cols);
void softmax_backward(float* dx, const float* dy, const float* y, int64_t rows, int64_t cols);
void log_softmax_backward(float* dx, const float* dy, const float* y, int64_t rows, int64_t cols);

/// Rows whose target is `ignored` take no part. Every other target must lie in [0, cols): the caller has checked.
struct Classes {
  const int64_t* target;  // (rows)
  int64_t rows, cols;
  int64_t ignored = -100;
};

/// Sum over the rows of log(sum(exp(x))) - x[target]; `logsumexp` (rows) is what backward needs.
double cross_entropy(const float* x, const Classes& classes, double* logsumexp);

/// dx = (softmax(x) - onehot(target)) * scale, 0 in ignored rows.
void cross_entropy_backward(float* dx, const float* x, const Classes& classes, const double* logsumexp, double scale);

// ---------------------------------------------------------------------------------------------------------- products
/// y = W x + bias with W (rows, cols); bias may be null. Fused multiply-add where the processor has it.
void gemv(float* y, const float* w, const float* x, const float* bias, int64_t rows, int64_t cols);

// --------------------------------------------------------------------------------------------------------- BatchNorm
// x, y, dy, dx (N, C, L), L = 1 for (N, C). mean, var, rstd (C) in double; weight and bias (C) may be null.
// Statistics and sums are carried in double, every element is computed in double and rounded once; x - mean comes
// before the scale, so that an exact zero stays one.
struct BatchShape {
  int64_t n, c, l = 1;
};

/// Training: mean and biased variance of the batch, rstd = 1 / sqrt(var + eps) (0 when both are 0),
/// y = (x - mean) rstd weight + bias. Returns whether all statistics are finite; y is written all the same.
bool batch_norm(float* y, const float* x, BatchShape shape, const float* weight, const float* bias, double eps,
                double* mean, double* var, double* rstd);

/// Evaluation: mean, var and rstd = 1 / sqrt(var + eps) from the running buffers, all (C). Returns whether every rstd
/// is a number, which negative variances and NaN prevent.
bool batch_norm_running(double* mean, double* var, double* rstd, const float* running_mean, const float* running_var,
                        int64_t c, double eps);

/// y with given mean and rstd.
void batch_norm_apply(float* y, const float* x, BatchShape shape, const float* weight, const float* bias,
                      const double* mean, const double* rstd);

/// dweight = sum dy xhat, dbias = sum dy, dx = weight rstd (dy - dbias / M - xhat dweight / M), M = N L.
/// dx, dweight, dbias (C) may each be null. dx may be dy.
void batch_norm_backward(float* dx, float* dweight, float* dbias, const float* dy, const float* x, BatchShape shape,
                         const float* weight, const double* mean, const double* var, const double* rstd);

/// The same with constant statistics: dx = weight rstd dy.
void batch_norm_apply_backward(float* dx, float* dweight, float* dbias, const float* dy, const float* x,
                               BatchShape shape, const float* weight, const double* mean, const double* var,
                               const double* rstd);

// -------------------------------------------------------------------------------------------------- optimiser steps
// One pass over parameter p, gradient g and state. Scalars are rounded to float where they meet an array; the rounding
// sequence is PyTorch's, fused multiply-adds included.
struct SgdStep {
  double lr, momentum = 0, dampening = 0, weight_decay = 0;
  bool nesterov = false, maximize = false;
  bool first = false;  // the momentum buffer has no value yet
};
void sgd(float* p, const float* g, float* momentum_buffer, int64_t n, const SgdStep& step);  // buffer null: no momentum

struct AdamStep {
  double lr, beta1, beta2, eps, weight_decay = 0;
  bool decoupled = false;  // AdamW
  bool maximize = false;
  double correction1 = 1, correction2 = 1;  // 1 - beta^t, in step t counted from 1
};
void adam(float* p, const float* g, float* exp_avg, float* exp_avg_sq, float* max_exp_avg_sq, int64_t n,
          const AdamStep& step);  // maximum null: no amsgrad

struct RmspropStep {
  double lr, alpha, eps, weight_decay = 0, momentum = 0;
  bool maximize = false;
};
void rmsprop(float* p, const float* g, float* square_avg, float* grad_avg, float* momentum_buffer, int64_t n,
             const RmspropStep& step);  // grad_avg null: not centered; buffer null: no momentum

}  // namespace gradus::kernels
