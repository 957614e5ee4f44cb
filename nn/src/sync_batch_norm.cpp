// Batch norm of a batch whose rows lie in several processes. Each loss is the mean over the rows of its process, so the
// gradients of processes add up with the shares of rows as weights: process r has M_r of all M values of a channel, and
//
//   dx = rstd (dxhat - sum_q w_q dxhat / M_r - xhat sum_q w_q (dxhat xhat) / M_r),  w_q = M_q / M.
#include "arguments.hpp"
#include "batch_norm.hpp"

#include <gradus/nn/all_reduce.hpp>

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

/// Two sums for each channel here become those over all processes: (2, C).
Tensor sum_of_both(const Tensor& a, const Tensor& b, const Processes& processes) {
  Tensor sums = cat({a, b}, 0);
  processes.all->sum(sums.data<double>());
  return sums.reshape({2, -1});
}

/// (x - mean) / std in double, with rows of mean, biased var, 1 / std and what the mean lacks since it was rounded.
Tensor xhat_of(const Tensor& x, const Tensor& rows) {
  const auto row = [&](std::int64_t i) { return per_channel(rows[i], x); };
  return ((x.to(float64) - row(0)) - row(3)) * row(2);
}

void fused_backward(const Tensor& dy_, InputGradients& dx, const Tensor& x, const Tensor& weight, const Tensor& rows,
                    const Processes& processes) {
  const Dims over = over_batch(x);
  const Tensor xhat = xhat_of(x, rows), dy = dy_.to(float64);
  const Tensor dweight = (dy * xhat).sum(over), dbias = dy.sum(over);
  if (dx.needs(1)) dx[1] = dweight.to(x.dtype());
  if (dx.needs(2)) dx[2] = dbias.to(x.dtype());
  if (!dx.needs(0)) return;
  const double share = processes.share();
  const Tensor means = sum_of_both(dbias * share, dweight * share, processes) / processes.here;
  const Tensor scale = weight.defined() ? rows[2] * weight.to(float64) : rows[2];
  const Tensor direct = dy - (per_channel(means[0], x) + xhat * per_channel(means[1], x));
  dx[0] = (per_channel(scale, x) * direct).to(x.dtype());
}

/// The means over all processes as operations.
BatchMeans batch_means(const Tensor& x, const Processes& processes) {
  const Dims over = over_batch(x);
  return {[=](const Tensor& z) { return plain_sum(z.sum(over, true), processes) / processes.total; },
          [=](const Tensor& z) { return weighted_sum(z.sum(over, true), processes) / processes.total; }};
}

}  // namespace

BatchNormResult sync_batch_norm(const Tensor& x, const NormTensors& state, const BatchNormCall& call) {
  Tensor y, rows;
  Processes processes{call.sync, static_cast<double>(x.shape()[0] * (x.dim() == 3 ? x.shape()[2] : 1)), 0};
  {
    const NoGradGuard no_grad;
    const Dims over = over_batch(x);
    const Tensor wide = x.to(float64);
    Tensor sums = cat({wide.sum(over), full({1}, processes.here, float64)}, 0);
    call.sync->sum(sums.data<double>());
    processes.total = sums[-1].item();
    throw_if<ValueError>(processes.total == 1,
                         "Expected more than 1 value per channel when training, got 1 in all processes together");
    const Tensor mean = sums.narrow(0, 0, x.shape()[1]) / processes.total, deviation = wide - per_channel(mean, x);
    const Tensor means = sum_of_both(deviation.sum(over), deviation.square().sum(over), processes) / processes.total;
    const Tensor low = means[0], var = relu(means[1] - low.square());
    rows = cat({mean, var, rstd_of(var, call.eps), low}, 0).reshape({4, -1});
    y = xhat_of(x, rows);
    if (state.weight.defined()) y = y * per_channel(state.weight.to(float64), x);
    if (state.bias.defined()) y = y + per_channel(state.bias.to(float64), x);
    y = y.to(x.dtype());
  }
  const bool counted =
      processes.total > 0 && move_buffers(state, call, row_of(rows, 0), row_of(rows, 1), processes.total, true);
  y = recorded(y, "SyncBatchNormBackward", {x, state.weight, state.bias},
               keep(x, state.weight, Kept(std::move(rows), "mean, var, 1/std, low part of mean")),
               [processes, eps = call.eps](const Tensor& dy, const Tensor& x, const Tensor& weight, const Tensor& rows,
                                           InputGradients& dx) {
                 if (!grad_enabled()) return fused_backward(dy, dx, x, weight, rows, processes);
                 const BatchMeans means = batch_means(x, processes);
                 composed_backward(dy, dx, x, weight, eps, &means);
               });
  return {y, counted};
}

}  // namespace gradus::nn::functional
