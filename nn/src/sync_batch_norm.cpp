// Batch norm of a batch whose rows lie in several processes. Each loss is the mean over the rows of its process, so the
// gradients of processes add up with the shares of rows as weights: process r has M_r of all M values of a channel, and
//
//   dx = rstd (dxhat - sum_q w_q dxhat / M_r - xhat sum_q w_q (dxhat xhat) / M_r),  w_q = M_q / M.
#include "autograd/record.hpp"
#include "batch_norm.hpp"
#include "tensor/message.hpp"

#include <gradus/nn/all_reduce.hpp>

#include <algorithm>
#include <cmath>

namespace gradus::nn::functional {

using namespace gradus::detail;

namespace {

struct Processes {
  AllReduce* all;
  double here, total;  // values of a channel: M_r and M
  double share() const { return here / total; }
};

Tensor weighted_sum(const Tensor& z, const Processes& processes);

/// The sum of z, float64, over all processes.
Tensor plain_sum(const Tensor& z, const Processes& processes) {
  Tensor y = z.detach().clone();
  processes.all->sum(y.data<double>());
  return recorded(y, "AllReduceSumBackward", {z},
                  [processes](const Tensor& dy) { return weighted_sum(dy, processes); });
}

/// sum_q w_q z_q / w_r: the gradient of plain_sum, whose gradient that one is in turn. Without rows here nobody reads
/// it.
Tensor weighted_sum(const Tensor& z, const Processes& processes) {
  Tensor y = z.detach() * processes.share();
  processes.all->sum(y.data<double>());
  for (double& sum : y.data<double>()) sum *= processes.here > 0 ? 1 / processes.share() : 0;
  return recorded(y, "AllReduceMeanBackward", {z}, [processes](const Tensor& dy) { return plain_sum(dy, processes); });
}

/// Calls f(value, channel, index) for every element of x, (N, C) or (N, C, L).
template <class T, class F>
void for_each_value(const Tensor& x, F f) {
  const std::int64_t n = x.shape()[0], c = x.shape()[1], l = x.dim() == 3 ? x.shape()[2] : 1;
  const T* values = elements<T>(x);
  for (std::int64_t i = 0, k = 0; i < n; ++i) {
    for (std::int64_t j = 0; j < c; ++j) {
      for (std::int64_t m = 0; m < l; ++m, ++k) f(static_cast<double>(values[k]), j, k);
    }
  }
}

/// mean, biased var, rstd and what the mean lacks since it was rounded, of all rows: (4, C).
struct ProcessStatistics {
  explicit ProcessStatistics(const Tensor& rows)
      : channels(rows.shape()[1]),
        mean(elements<double>(rows)),
        var(mean + channels),
        rstd(var + channels),
        low(rstd + channels) {}
  double centered(double value, std::int64_t channel) const { return (value - mean[channel]) - low[channel]; }
  double xhat(double value, std::int64_t channel) const { return centered(value, channel) * rstd[channel]; }

  std::int64_t channels;
  double *mean, *var, *rstd, *low;
};

/// Fills in `all`, and returns how many values a channel has here and in all.
template <class T>
Processes find_statistics(const ProcessStatistics& all, const Tensor& x, const BatchNormCall& call) {
  const std::int64_t channels = all.channels;
  const double here = static_cast<double>(x.shape()[0] * (x.dim() == 3 ? x.shape()[2] : 1));
  std::vector<double> sums(static_cast<std::size_t>(channels) + 1);
  sums.back() = here;
  double* const sum = sums.data();
  for_each_value<T>(x, [=](double value, std::int64_t j, std::int64_t) { sum[j] += value; });
  call.sync->sum(sums);
  const Processes processes{call.sync, here, sums.back()};

  std::vector<double> deviations(2 * static_cast<std::size_t>(channels));  // from the mean, and their squares
  double* const first = deviations.data();
  double* const second = first + channels;
  for (std::int64_t j = 0; j < channels; ++j) all.mean[j] = sum[j] / processes.total;
  for_each_value<T>(x, [&](double value, std::int64_t j, std::int64_t) {
    const double deviation = value - all.mean[j];
    first[j] += deviation;
    second[j] += deviation * deviation;
  });
  call.sync->sum(deviations);
  for (std::int64_t j = 0; j < channels; ++j) {
    all.low[j] = first[j] / processes.total;
    all.var[j] = std::max(second[j] / processes.total - all.low[j] * all.low[j], 0.0);
    const double radicand = all.var[j] + call.eps;
    all.rstd[j] = radicand == 0 ? 0 : 1 / std::sqrt(radicand);
  }
  return processes;
}

/// The elements in double, or as many times `otherwise`.
template <class T>
std::vector<double> widened(const Tensor& x, std::int64_t channels, double otherwise) {
  if (x.defined()) return {elements<T>(x), elements<T>(x) + channels};
  return std::vector<double>(static_cast<std::size_t>(channels), otherwise);
}

template <class T>
void normalise_part(const Tensor& y, const Tensor& x, const NormTensors& state, const ProcessStatistics& all) {
  const auto weight = widened<T>(state.weight, all.channels, 1), bias = widened<T>(state.bias, all.channels, 0);
  T* const out = elements<T>(y);
  for_each_value<T>(x, [&, out, w = weight.data(), b = bias.data()](double value, std::int64_t j, std::int64_t k) {
    out[k] = static_cast<T>(all.xhat(value, j) * w[j] + b[j]);
  });
}

template <class T>
void fused_backward(const Tensor& dy, InputGradients& dx, const Tensor& x, const Tensor& weight,
                    const ProcessStatistics& all, const Processes& processes) {
  const std::int64_t channels = all.channels;
  const T* const upstream = elements<T>(dy);
  std::vector<double> sums(2 * static_cast<std::size_t>(channels));  // of dy and of dy xhat
  double* const dy_sum = sums.data();
  double* const product_sum = dy_sum + channels;
  for_each_value<T>(x, [&](double value, std::int64_t j, std::int64_t k) {
    dy_sum[j] += static_cast<double>(upstream[k]);
    product_sum[j] += static_cast<double>(upstream[k]) * all.xhat(value, j);
  });
  const auto vector = [&](const double* values) {
    Tensor result = make_tensor({channels}, x.dtype());
    for (std::int64_t j = 0; j < channels; ++j) elements<T>(result)[j] = static_cast<T>(values[j]);
    return result;
  };
  if (dx.needs(1)) dx[1] = vector(product_sum);
  if (dx.needs(2)) dx[2] = vector(dy_sum);
  if (!dx.needs(0)) return;
  for (double& sum : sums) sum *= processes.share();
  processes.all->sum(sums);
  dx[0] = empty_like(x);
  T* const out = elements<T>(dx[0]);
  std::vector<double> scales = widened<T>(weight, channels, 1);
  double* const scale = scales.data();
  for (std::int64_t j = 0; j < channels; ++j) scale[j] *= all.rstd[j];
  for_each_value<T>(x, [&](double value, std::int64_t j, std::int64_t k) {
    const double direct =
        static_cast<double>(upstream[k]) - (dy_sum[j] + all.xhat(value, j) * product_sum[j]) / processes.here;
    out[k] = static_cast<T>(scale[j] * direct);
  });
}

/// The means over all processes as operations.
BatchMeans batch_means(const Tensor& x, const Processes& processes) {
  const Dims over = over_batch(x);
  return {[=](const Tensor& z) { return plain_sum(z.sum(over, true), processes) / processes.total; },
          [=](const Tensor& z) { return weighted_sum(z.sum(over, true), processes) / processes.total; }};
}

template <class T>
BatchNormResult run(const Tensor& x, const NormTensors& state, const BatchNormCall& call) {
  const bool recorded = tracks(x, state.weight, state.bias);  // refuses views before the buffers move
  Tensor rows = make_tensor({4, x.shape()[1]}, float64);
  const ProcessStatistics all(rows);
  const Processes processes = find_statistics<T>(all, x, call);
  throw_if<ValueError>(processes.total == 1,
                       "Expected more than 1 value per channel when training, got 1 in all processes together");
  const bool counted = processes.total > 0 && move_buffers(state, call, all.mean, all.var, processes.total, true);
  Tensor y = empty_like(x);
  normalise_part<T>(y, x, state, all);
  if (recorded) {
    record(y, "SyncBatchNormBackward", {x, state.weight, state.bias},
           keep(x, state.weight, Kept(std::move(rows), "mean, var, 1/std, low part of mean")),
           [processes, eps = call.eps](const Tensor& dy, const Tensor& x, const Tensor& weight, const Tensor& rows,
                                       InputGradients& dx) {
             if (grad_enabled()) {
               const BatchMeans means = batch_means(x, processes);
               return composed_backward(dy, dx, x, weight, eps, &means);
             }
             fused_backward<T>(dy, dx, x, weight, ProcessStatistics(rows), processes);
           });
  }
  return {y, counted};
}

}  // namespace

BatchNormResult sync_batch_norm(const Tensor& x, const NormTensors& state, const BatchNormCall& call) {
  return x.dtype() == float32 ? run<float>(x, state, call) : run<double>(x, state, call);
}

}  // namespace gradus::nn::functional
