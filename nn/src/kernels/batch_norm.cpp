#include "kernels/batch_norm.hpp"

#include "kernels/nn_table.hpp"
#include "kernels/split.hpp"

#include <atomic>

namespace gradus::nn::kernels {

using gradus::kernels::Scratch;
using gradus::kernels::split;

namespace {

/// Whether an output is better written past the caches: it would only push out what is read next.
bool worth_streaming(const void* y, BatchShape shape) {
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
  split(shape.c, shape.n * shape.l * 4, shape.l == 1 ? 16 : 1, [&](int64_t first, int64_t last) {
    const Scratch<T> scratch(pays ? channel : 0);
    f(first, last, scratch.data());
  });
}

}  // namespace

template <class T>
bool batch_norm(BatchNormForward<T> pass) {
  pass.stream = worth_streaming(pass.y, pass.shape);
  std::atomic<bool> finite{true};
  split_channels<T>(pass.shape, 1, [&](int64_t first, int64_t last, T* scratch) {
    if (!chosen<T>().batch_norm(pass, first, last, scratch)) finite = false;
  });
  return finite;
}

template <class T>
bool batch_norm_running(const BatchNormForward<T>& pass, const T* running_mean, const T* running_var) {
  return chosen<T>().batch_norm_running(pass, running_mean, running_var);
}

template <class T>
void batch_norm_apply(BatchNormForward<T> pass) {
  pass.stream = worth_streaming(pass.y, pass.shape);
  split_channels<T>(pass.shape, 0,
                    [&](int64_t first, int64_t last, T*) { chosen<T>().batch_norm_apply(pass, first, last); });
}

template <class T>
void batch_norm_backward(BatchNormBackward<T> pass) {
  pass.stream = worth_streaming(pass.dx, pass.shape);
  split_channels<T>(pass.shape, 2, [&](int64_t first, int64_t last, T* scratch) {
    chosen<T>().batch_norm_backward(pass, first, last, scratch);
  });
}

template bool batch_norm(BatchNormForward<float>);
template bool batch_norm(BatchNormForward<double>);
template bool batch_norm_running(const BatchNormForward<float>&, const float*, const float*);
template bool batch_norm_running(const BatchNormForward<double>&, const double*, const double*);
template void batch_norm_apply(BatchNormForward<float>);
template void batch_norm_apply(BatchNormForward<double>);
template void batch_norm_backward(BatchNormBackward<float>);
template void batch_norm_backward(BatchNormBackward<double>);

}  // namespace gradus::nn::kernels
