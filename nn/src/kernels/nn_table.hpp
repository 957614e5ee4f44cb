// The kernels of nn for one instruction set; each runs on the calling thread, over the range it is given.
#pragma once

#include "kernels/batch_norm.hpp"
#include "kernels/convolution.hpp"
#include "kernels/cross_entropy.hpp"
#include "kernels/isa.hpp"

namespace gradus::nn::kernels {

template <class T>
struct Kernels {
  bool (*batch_norm_running)(const BatchNormForward<T>& pass, const T* running_mean, const T* running_var);
  // Channels [first, last); `first` is a multiple of 16 when L is 1. `scratch` has room for the elements of a channel
  // of (N, C, L), backwards for two such, or is null.
  bool (*batch_norm)(const BatchNormForward<T>& pass, int64_t first, int64_t last, T* scratch);
  void (*batch_norm_apply)(const BatchNormForward<T>& pass, int64_t first, int64_t last);
  void (*batch_norm_backward)(const BatchNormBackward<T>& pass, int64_t first, int64_t last, T* scratch);
  // Rows [first, last).
  void (*log_sum_exp)(double* y, const Classes<T>& classes, int64_t first, int64_t last);
  void (*cross_entropy_backward)(T* dx, const Classes<T>& classes, const double* logsumexp, double scale, int64_t first,
                                 int64_t last);
  void (*weighted_sums)(const WeightedSums<T>& sums);
  void (*row_products)(const RowProducts<T>& products);
};
using Table = gradus::kernels::BothWidths<Kernels>;

template <class T>
const Kernels<T>& chosen() {
  return gradus::kernels::table<Table>().template of<T>();
}

}  // namespace gradus::nn::kernels
