// The loops of BatchNorm, for the processor at hand and on several threads.
// x, y, dy, dx are (N, C, L), L = 1 for (N, C); mean, var, rstd (C) in double; weight and bias (C) may be null.
// Statistics and sums of floats are carried in double, those of doubles compensated; every element is computed in
// double and rounded once; x - mean comes before the scale, so that an exact zero stays one. The same bits on every
// instruction set and with any number of threads.
#pragma once

#include <cstdint>

namespace gradus::nn::kernels {

using std::int64_t;

struct BatchShape {
  int64_t n, c, l = 1;
};

template <class T>
struct BatchNormForward {
  BatchShape shape;
  T* y;
  const T *x, *weight, *bias;
  double *mean, *var, *rstd;
  double eps = 0;
  bool stream = false;  // y is too large to stay in a cache: write past them
};

/// Training: mean and biased variance of the batch, rstd = 1 / sqrt(var + eps) (0 when both are 0),
/// y = (x - mean) rstd weight + bias. Returns whether all statistics are finite; y is written all the same.
template <class T>
bool batch_norm(BatchNormForward<T> pass);

/// Evaluation: mean, var and rstd = 1 / sqrt(var + eps) from the running buffers, all (C). Returns whether every rstd
/// is a number, which negative variances and NaN prevent.
template <class T>
bool batch_norm_running(const BatchNormForward<T>& pass, const T* running_mean, const T* running_var);

/// y with given mean and rstd.
template <class T>
void batch_norm_apply(BatchNormForward<T> pass);

template <class T>
struct BatchNormBackward {
  BatchShape shape;
  T *dx, *dweight, *dbias;  // each may be null; dx may be dy
  const T *dy, *x, *weight;
  const double *mean, *var, *rstd;
  bool batch_statistics;  // mean and rstd depend on x: training
  bool stream = false;
};

/// dweight = sum dy xhat, dbias = sum dy, dx = weight rstd (dy - dbias / M - xhat dweight / M), M = N L; with constant
/// statistics dx = weight rstd dy.
template <class T>
void batch_norm_backward(BatchNormBackward<T> pass);

}  // namespace gradus::nn::kernels
