// The loops of BatchNorm, for the processor at hand and on several threads: the same bits on every instruction set and
// with any number of threads.
#pragma once

#include "kernels/nn_table.hpp"
#include "kernels/split.hpp"

#include <atomic>

namespace gradus::nn::kernels {

/// Whether an output is better written past the caches: it would only push out what is read next.
inline bool worth_streaming(const void* y, BatchShape shape) {
  constexpr int64_t large = 3 << 20;
  const int64_t row = shape.l == 1 ? shape.c : shape.l;
  return shape.n * shape.c * shape.l > large && row % 16 == 0 && reinterpret_cast<std::uintptr_t>(y) % 64 == 0;
}

/// f(first, last, scratch). An element costs as much here as four in a loop that only adds. The scratch has room for
/// `copies` copies of a channel of (N, C, L), in the second-level cache; it is null when a channel is too large for
/// that, or the whole array so small that it lies there anyway.
template <class T, class F>
void split_channels(BatchShape shape, int64_t copies, F f) {
  const int64_t channel = shape.n * shape.l * copies, bytes = channel * static_cast<int64_t>(sizeof(T));
  const bool pays = shape.l > 1 && bytes <= (512 << 10) && bytes * shape.c > (2 << 20);
  gradus::kernels::split(shape.c, shape.n * shape.l * 4, shape.l == 1 ? 16 : 1, [&](int64_t first, int64_t last) {
    const gradus::kernels::Scratch<T> scratch(pays ? channel : 0);
    f(first, last, scratch.data());
  });
}

/// Training: mean and biased variance of the batch, rstd = 1 / sqrt(var + eps) (0 when both are 0),
/// y = (x - mean) rstd weight + bias. Returns whether all statistics are finite; y is written all the same.
template <class T>
bool batch_norm(BatchNormForward<T> pass) {
  pass.stream = worth_streaming(pass.y, pass.shape);
  std::atomic<bool> finite{true};
  split_channels<T>(pass.shape, 1, [&](int64_t first, int64_t last, T* scratch) {
    if (!chosen<&Kernels<T>::batch_norm>()(pass, first, last, scratch)) finite = false;
  });
  return finite;
}

/// Evaluation: mean, var and rstd = 1 / sqrt(var + eps) from the running buffers, all (C). Returns whether every rstd
/// is a number, which negative variances and NaN prevent.
template <class T>
bool batch_norm_running(const BatchNormForward<T>& pass, const T* running_mean, const T* running_var) {
  return chosen<&Kernels<T>::batch_norm_running>()(pass, running_mean, running_var);
}

/// y with given mean and rstd.
template <class T>
void batch_norm_apply(BatchNormForward<T> pass) {
  pass.stream = worth_streaming(pass.y, pass.shape);
  split_channels<T>(pass.shape, 0, [&](int64_t first, int64_t last, T*) {
    chosen<&Kernels<T>::batch_norm_apply>()(pass, first, last);
  });
}

/// dweight = sum dy xhat, dbias = sum dy, dx = weight rstd (dy - dbias / M - xhat dweight / M), M = N L; with constant
/// statistics dx = weight rstd dy.
template <class T>
void batch_norm_backward(BatchNormBackward<T> pass) {
  pass.stream = worth_streaming(pass.dx, pass.shape);
  split_channels<T>(pass.shape, 2, [&](int64_t first, int64_t last, T* scratch) {
    chosen<&Kernels<T>::batch_norm_backward>()(pass, first, last, scratch);
  });
}

}  // namespace gradus::nn::kernels
