// The operation: statistics, normalisation, and the gradient of both. Kernels do the loops; `composed_backward` says
// the same with differentiable operations, for second derivatives.
#include "batch_norm.hpp"

#include "arguments.hpp"
#include "kernels/batch_norm.hpp"
#include "ops/elementwise.hpp"
#include "tensor/message.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <mutex>

namespace gradus::nn::functional {

using namespace gradus::detail;
using kernels::BatchShape;

namespace {

BatchShape batch_shape(const Tensor& x) {
  return {.n = x.shape()[0], .c = x.shape()[1], .l = x.dim() == 3 ? x.shape()[2] : 1};
}

bool fits_channels(const Tensor& values, const Tensor& x) {
  return values.dim() == 1 && values.numel() == x.shape()[1] && values.dtype() == x.dtype();
}

void check_channels(const Tensor& x, const char* what, const Tensor& values) {
  if (!values.defined() || fits_channels(values, x)) return;
  throw_if<RuntimeError>(values.numel() != x.shape()[1], what, " should contain ", x.shape()[1], " elements not ",
                         values.numel(), "\nbatch_norm: x of shape ", x.shape(), " has its channels in dimension 1");
  throw_if<RuntimeError>(values.dim() != 1, "TensorAccessor expected 1 dims but tensor has ", values.dim(),
                         "\nbatch_norm: expected ", what, " of shape ", Shape{x.shape()[1]}, ", got ", values.shape(),
                         "; flatten() makes one of it");
  fail<RuntimeError>("mixed dtype (CPU): expect parameter to have scalar type of Float\nbatch_norm: x is ", x.dtype(),
                     ", ", what, " is ", values.dtype(), "; convert one with to()");
}

void check(const Tensor& x, const NormTensors& state, const BatchNormCall& call) {
  check_options(call.eps, call.momentum);
  throw_if<ValueError>(x.dim() != 2 && x.dim() != 3, "expected 2D or 3D input (got ", x.dim(),
                       "D input)\nbatch_norm: x is (N, C) or (N, C, L), ", "got the shape ", x.shape(),
                       "; unsqueeze(0) makes a batch of one sample");
  require_floating("batch_norm", x.dtype());
  throw_if<RuntimeError>(state.running_mean.defined() != state.running_var.defined(),
                         "batch_norm: running_mean and running_var come together, or not at all");
  throw_if<RuntimeError>(!call.training && !(state.running_mean.defined() && state.running_var.defined()),
                         "running_mean must be defined in evaluation mode");
  if (call.training && !call.sync && x.numel() > 0 && x.numel() == x.shape()[1]) {
    fail<ValueError>("Expected more than 1 value per channel when training, got input size ", torch_size(x.shape()),
                     "\nthe variance of one value is 0: drop the last batch (drop_last), or call eval()");
  }
  check_channels(x, "running_mean", state.running_mean);
  check_channels(x, "running_var", state.running_var);
  check_channels(x, "weight", state.weight);
  check_channels(x, "bias", state.bias);
  refuse_gradient("native_batch_norm", "running_mean", state.running_mean);
  refuse_gradient("native_batch_norm", "running_var", state.running_var);
}

/// `statistics` has rows of mean, biased var and rstd = 1 / sqrt(var + eps), in double whatever the dtype of x.
template <class T>
kernels::BatchNormForward<T> pass_over(const Tensor& x, const Tensor& y, const NormTensors& state, double eps,
                                       const Tensor& statistics) {
  return {.shape = batch_shape(x),
          .y = elements<T>(y),
          .x = elements<T>(x),
          .weight = elements_or_null<T>(state.weight),
          .bias = elements_or_null<T>(state.bias),
          .mean = row_of(statistics, 0),
          .var = row_of(statistics, 1),
          .rstd = row_of(statistics, 2),
          .eps = eps};
}

/// A running buffer, on its way to its next values: each computed in double and rounded once.
template <class T>
struct NextValues {
  const Tensor& running;
  T* values;
  const double* batch;
  double scale, momentum;

  bool all_finite() const {
    int others = 0;  // found without branches, of which the compiler makes vectors
    for (std::int64_t c = 0; c < running.numel(); ++c) others |= !(std::abs(next(c)) <= std::numeric_limits<T>::max());
    return others == 0;
  }
  void write() const {
    for (std::int64_t c = 0; c < running.numel(); ++c) values[c] = next(c);
    bump_version(running);
  }
  T next(std::int64_t c) const {
    return static_cast<T>((1 - momentum) * static_cast<double>(values[c]) + momentum * scale * batch[c]);
  }
};

/// The statistics of the running buffers.
template <class T>
void running_statistics(const kernels::BatchNormForward<T>& pass, const NormTensors& state) {
  if (kernels::batch_norm_running(pass, elements<T>(state.running_mean), elements<T>(state.running_var))) return;
  const auto bad = std::find_if(pass.rstd, pass.rstd + pass.shape.c, [](double r) { return std::isnan(r); });
  fail<ValueError>("batch_norm: running_var of channel ", bad - pass.rstd,
                   " plus eps is negative or NaN\nits file or the training before was broken: recalibrate, or "
                   "reset_running_stats");
}

template <class T>
void fused_backward(const Tensor& dy, InputGradients& dx, const Tensor& x, const Tensor& weight,
                    const Tensor& statistics, bool training) {
  const auto vector = [&](std::size_t i) { return dx.needs(i) ? make_tensor(x.shape()[1], x.dtype()) : Tensor(); };
  if (dx.needs(0)) dx[0] = owned_alone(dy) ? dy : empty_like(dy);
  dx[1] = vector(1);
  dx[2] = vector(2);
  kernels::batch_norm_backward(kernels::BatchNormBackward<T>{.shape = batch_shape(x),
                                                             .dx = elements_or_null<T>(dx[0]),
                                                             .dweight = elements_or_null<T>(dx[1]),
                                                             .dbias = elements_or_null<T>(dx[2]),
                                                             .dy = elements<T>(dy),
                                                             .x = elements<T>(x),
                                                             .weight = elements_or_null<T>(weight),
                                                             .mean = row_of(statistics, 0),
                                                             .var = row_of(statistics, 1),
                                                             .rstd = row_of(statistics, 2),
                                                             .batch_statistics = training});
}

/// Nothing to normalise: x itself in a graph where weight and bias get gradients of zeros.
Tensor empty_batch(const Tensor& x, const NormTensors& state) {
  const Tensor y = state.weight.defined() ? x * per_channel(state.weight, x) : x.clone();
  return state.bias.defined() ? y + per_channel(state.bias, x) : y;
}

/// y = max(y, 0), in place.
template <class T>
void rectify(const Tensor& y) {
  loop<gradus::kernels::Unary::relu>(elements<T>(y), elements<T>(y), y.numel());
}

bool same_bits(const Tensor& a, const Tensor& b) {
  return a.defined() && b.defined() && a.dtype() == b.dtype() && a.numel() == b.numel() &&
         std::memcmp(elements<char>(a), elements<char>(b),
                     static_cast<std::size_t>(a.numel()) * item_size(a.dtype())) == 0;
}

/// Whether `check` would pass and no graph is recorded; for a few rows the long way takes longer than the kernel.
bool is_plain_evaluation(const Tensor& x, const NormTensors& state) {
  const auto fits = [&x](const Tensor& values) { return !values.defined() || fits_channels(values, x); };
  return x.dim() == 2 && x.numel() > 0 && fits(state.running_mean) && fits(state.running_var) && fits(state.weight) &&
         fits(state.bias) && !tracks(x, state.weight, state.bias, state.running_mean, state.running_var);
}

}  // namespace

void check_options(double eps, double momentum) {
  throw_if<ValueError>(!(eps >= 0 && std::isfinite(eps)), "batch_norm: eps is a number from 0 up, got ", eps);
  throw_if<ValueError>(!(momentum >= 0 && momentum <= 1), "batch_norm: momentum is a number from 0 to 1, got ",
                       momentum, "\nit is the weight of the new batch: what Keras calls 0.99 is 0.01 here");
}

Tensor rstd_of(const Tensor& var, double eps) {
  if (eps > 0) return (var + eps).rsqrt();
  const Tensor positive = var > 0;
  return where(positive, var, ones_like(var)).rsqrt() * positive.to(var.dtype());
}

bool move_buffers(const NormTensors& state, const BatchNormCall& call, const double* mean, const double* var,
                  double values, bool finite) {
  if (!state.running_mean.defined()) return false;
  visit_floating(state.running_mean.dtype(), [&]<class T>(T*) {
    const NextValues<T> next_mean{state.running_mean, elements<T>(state.running_mean), mean, 1, call.momentum};
    const double unbiased = values / (values - 1);
    const NextValues<T> next_var{state.running_var, elements<T>(state.running_var), var, unbiased, call.momentum};
    finite = finite && next_mean.all_finite() && next_var.all_finite();
    throw_if<ValueError>(
        !finite && call.non_finite == NonFinite::raise,
        "batch_norm: the batch has NaN or infinity, or values too large for the running buffers, which stay "
        "unchanged\nmend the batch, or choose NonFinite::skip to go on without counting it");
    if (!finite) return;
    next_mean.write();
    next_var.write();
  });
  return finite;
}

void composed_backward(const Tensor& dy_, InputGradients& dx, const Tensor& x_, const Tensor& weight, double eps,
                       const BatchMeans* means, const Tensor& statistics) {
  const Dims over = over_batch(x_);
  const Tensor x = x_.to(float64), dy = dy_.to(float64);
  Tensor centered, rstd;
  if (means) {
    centered = x - means->of_values(x);
    centered = centered - means->of_values(centered);  // the first mean was rounded
    rstd = rstd_of(means->of_values(centered.square()), eps);
  } else {
    centered = x - per_channel(statistics[0], x);
    rstd = per_channel(statistics[2], x);
  }
  const Tensor xhat = centered * rstd;
  const Tensor dxhat = weight.defined() ? dy * per_channel(weight.to(float64), x) : dy;
  if (dx.needs(0)) {
    const Tensor wide =
        means ? rstd * (dxhat - means->of_gradients(dxhat) - xhat * means->of_gradients(dxhat * xhat)) : rstd * dxhat;
    dx[0] = wide.to(x_.dtype());
  }
  if (dx.needs(1)) dx[1] = (dy * xhat).sum(over).to(x_.dtype());
  if (dx.needs(2)) dx[2] = dy.sum(over).to(x_.dtype());
}

Tensor EvaluationCache::find(const NormTensors& state, double eps) const {
  const std::lock_guard lock(lock_);
  const bool holds =
      eps == eps_ && same_bits(running_mean_, state.running_mean) && same_bits(running_var_, state.running_var);
  return holds ? statistics_ : Tensor();
}

void EvaluationCache::keep(const NormTensors& state, double eps, const Tensor& statistics) {
  const NoGradGuard no_grad;
  const Tensor mean = state.running_mean.clone(), var = state.running_var.clone();
  const std::lock_guard lock(lock_);
  running_mean_ = mean;
  running_var_ = var;
  statistics_ = statistics;
  eps_ = eps;
}

BatchNormResult batch_norm_counted(const Tensor& x, const NormTensors& state, const BatchNormCall& call,
                                   EvaluationCache* cache, bool then_relu) {
  check_defined(x, "batch_norm");
  const Tensor kept = cache && !call.training ? cache->find(state, call.eps) : Tensor();
  if (kept.defined() && is_plain_evaluation(x, state)) {
    Tensor y = make_tensor(x.shape(), x.dtype());
    visit_floating(x.dtype(), [&]<class T>(T*) {
      kernels::batch_norm_apply(pass_over<T>(x, y, state, call.eps, kept));
      if (then_relu) rectify<T>(y);
    });
    return {std::move(y), false};
  }
  check(x, state, call);
  if (call.training && call.sync) return sync_batch_norm(x, state, call);
  const bool recorded = tracks(x, state.weight, state.bias);  // refuses views before the buffers move
  if (x.numel() == 0) return {recorded ? empty_batch(x, state) : empty_like(x), false};
  Tensor y = empty_like(x);
  Tensor statistics = kept.defined() ? kept : make_tensor({3, x.shape()[1]}, float64);
  bool counted = false;
  visit_floating(x.dtype(), [&]<class T>(T*) {
    const kernels::BatchNormForward<T> pass = pass_over<T>(x, y, state, call.eps, statistics);
    if (call.training) {
      const bool finite = kernels::batch_norm(pass);
      const double values = static_cast<double>(pass.shape.n * pass.shape.l);
      counted = move_buffers(state, call, pass.mean, pass.var, values, finite);
    } else {
      if (!kept.defined()) running_statistics(pass, state);
      kernels::batch_norm_apply(pass);
    }
    if (then_relu) rectify<T>(y);
  });
  if (cache && !call.training && !kept.defined()) cache->keep(state, call.eps, statistics);
  if (recorded) {
    record(y, then_relu ? "ReluBackward0" : "NativeBatchNormBackward0", {x, state.weight, state.bias},
           keep(x, state.weight, Kept(std::move(statistics), "mean, var, 1/std"), only_if(then_relu, y)),
           [training = call.training, eps = call.eps](const Tensor& dy_, const Tensor& x, const Tensor& weight,
                                                      const Tensor& statistics, const Tensor& y, InputGradients& dx) {
             Tensor of_norm = y.defined() ? relu_backward(dy_, y) : Tensor();
             if (of_norm.defined() && of_norm.is_same(dy_)) of_norm = Tensor();  // written over dy_
             const Tensor& dy = of_norm.defined() ? of_norm : dy_;
             if (grad_enabled()) {
               const auto mean = [over = over_batch(x)](const Tensor& z) { return z.mean(over, true); };
               const BatchMeans means{mean, mean};
               return composed_backward(dy, dx, x, weight, eps, training ? &means : nullptr, statistics);
             }
             const auto fused = dy.dtype() == float32 ? fused_backward<float> : fused_backward<double>;
             fused(dy, dx, x, weight, statistics, training);
           });
    if (!call.training) {
      trace_operand(y, state.running_mean);
      trace_operand(y, state.running_var);
    }
  }
  return {std::move(y), counted};
}

Tensor batch_norm(const Tensor& x, const BatchNormState& state, const BatchNormCall& call) {
  return batch_norm_counted(x, {state.running_mean, state.running_var, state.weight, state.bias}, call).y;
}

}  // namespace gradus::nn::functional
