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
/// that, or the whole array so small that it lies there anyway. Where (N, C) is written to, a thread takes whole pages
/// of a row: parts of one are slow to write.
template <class T, class F>
void split_channels(BatchShape shape, int64_t copies, bool writes, F f) {
  const int64_t channel = shape.n * shape.l * copies, bytes = channel * static_cast<int64_t>(sizeof(T));
  const bool pays = shape.l > 1 && bytes <= (512 << 10) && bytes * shape.c > (2 << 20);
  const int64_t unit = shape.l > 1 ? 1 : writes ? 4096 / sizeof(T) : 16;
  gradus::kernels::split(shape.c, shape.n * shape.l * 4, unit, [&](int64_t first, int64_t last) {
    const gradus::kernels::Scratch<T> scratch(pays ? channel : 0);
    f(first, last, scratch.data());
  });
}

/// f(pass of some samples): of many samples a thread takes whole ones, for parts of a page are slow to read and write.
template <class Pass, class F>
void split_samples(const Pass& pass, F f) {
  const int64_t sample = pass.shape.c * pass.shape.l;
  gradus::kernels::split(pass.shape.n, sample * 4, 1, [&](int64_t first, int64_t last) {
    Pass part = pass;
    part.shape.n = last - first;
    part.x += first * sample;
    if constexpr (requires { part.dx; }) {
      part.dy += first * sample;
      part.dx += first * sample;
    } else {
      part.y += first * sample;
    }
    f(part);
  });
}

/// Whether threads share out the channels for sums alone, and then samples. One thread takes strips that stay in its
/// cache.
template <class T>
bool in_two_passes(BatchShape shape) {
  const int64_t bytes = shape.n * shape.c * int64_t{sizeof(T)};
  return shape.l == 1 && shape.n >= 64 && bytes >= 512 << 10 && gradus::detail::chunks_for(shape.n, 1) > 1;
}

/// y with given mean and rstd.
template <class T>
void batch_norm_apply(const BatchNormForward<T>& pass) {
  const auto apply = chosen<&Kernels<T>::batch_norm_apply>();
  const BatchShape shape = pass.shape;
  if (constexpr int64_t few = 4096; shape.n * shape.c * shape.l <= few) return apply(pass, 0, shape.c);
  BatchNormForward<T> whole = pass;
  whole.stream = worth_streaming(pass.y, shape);
  if (shape.n >= 64) {
    split_samples(whole, [&](const BatchNormForward<T>& part) { apply(part, 0, part.shape.c); });
  } else {
    split_channels<T>(shape, 0, true, [&](int64_t first, int64_t last, T*) { apply(whole, first, last); });
  }
}

/// Training: mean and biased variance of the batch, rstd = 1 / sqrt(var + eps) (0 when both are 0),
/// y = (x - mean) rstd weight + bias. Returns whether all statistics are finite; y is written all the same.
template <class T>
bool batch_norm(BatchNormForward<T> pass) {
  pass.stream = worth_streaming(pass.y, pass.shape);
  const bool low = std::is_same_v<T, double> && pass.shape.l == 1;
  const gradus::kernels::Scratch<double> what_means_lack(low ? pass.shape.c : 0);
  pass.low = what_means_lack.data();
  const bool two_passes = in_two_passes<T>(pass.shape);
  T* const y = pass.y;
  if (two_passes) pass.y = nullptr;
  std::atomic<bool> finite{true};
  split_channels<T>(pass.shape, 1, pass.y, [&](int64_t first, int64_t last, T* scratch) {
    if (!chosen<&Kernels<T>::batch_norm>()(pass, first, last, scratch)) finite = false;
  });
  pass.y = y;
  if (two_passes) batch_norm_apply(pass);
  return finite;
}

/// Evaluation: mean, var and rstd = 1 / sqrt(var + eps) from the running buffers, all (C). Returns whether every rstd
/// is a number, which negative variances and NaN prevent.
template <class T>
bool batch_norm_running(const BatchNormForward<T>& pass, const T* running_mean, const T* running_var) {
  return chosen<&Kernels<T>::batch_norm_running>()(pass, running_mean, running_var);
}

/// dweight = sum dy xhat, dbias = sum dy, dx = weight rstd (dy - dbias / M - xhat dweight / M), M = N L; with constant
/// statistics dx = weight rstd dy.
template <class T>
void batch_norm_backward(BatchNormBackward<T> pass) {
  pass.stream = worth_streaming(pass.dx, pass.shape);
  const gradus::kernels::Scratch<double> channel_sums(pass.shape.l == 1 ? 3 * pass.shape.c : 0);
  pass.sums = channel_sums.data();
  const bool two_passes = in_two_passes<T>(pass.shape);
  T* const dx = pass.dx;
  if (two_passes) pass.dx = nullptr;
  split_channels<T>(pass.shape, 2, pass.dx, [&](int64_t first, int64_t last, T* scratch) {
    chosen<&Kernels<T>::batch_norm_backward>()(pass, first, last, scratch);
  });
  pass.dx = dx;
  if (two_passes && dx) {
    split_samples(pass,
                  [](const BatchNormBackward<T>& part) { chosen<&Kernels<T>::batch_norm_input_gradient>()(part); });
  }
}

}  // namespace gradus::nn::kernels
