// The layer: its state, its modes, and what can be done with a trained one.
#include <gradus/core/autograd.hpp>
#include <gradus/core/print.hpp>
#include <gradus/nn/batch_norm.hpp>

#include "batch_norm.hpp"
#include "tensor/message.hpp"
#include "tensor/tensor_impl.hpp"

#include <cmath>
#include <mutex>

namespace gradus::nn {

using detail::message;

BatchNorm1d::BatchNorm1d(std::int64_t num_features, const BatchNormOptions& options)
    : num_features_(num_features), options_(options) {
  functional::check_options(options.eps, options.momentum.value_or(0));
  const Shape channels{num_features};
  if (options.affine) {
    weight = Parameter(ones(channels, options.dtype));
    bias = Parameter(zeros(channels, options.dtype));
  }
  if (options.track_running_stats) {
    running_mean = Buffer(zeros(channels, options.dtype));
    running_var = Buffer(ones(channels, options.dtype));
    num_batches_tracked = Buffer(zeros({}, int64));
  }
}

void BatchNorm1d::state(StateList& list) {
  list("weight", weight)("bias", bias)("running_mean", running_mean)("running_var", running_var);
  list.optional("num_batches_tracked", num_batches_tracked);
}

Tensor BatchNorm1d::forward(const Tensor& x) {
  const bool tracking = running_mean.defined();
  const bool learning = training() && !frozen_;
  functional::BatchNormState state{.weight = weight, .bias = bias};
  if (tracking) {
    state.running_mean = running_mean;
    state.running_var = running_var;
  }
  std::unique_lock<detail::Lock> counting;  // threads that train one layer count their batches one after the other
  if (tracking && learning) counting = std::unique_lock(impl_of(running_mean)->lock);
  double momentum = options_.momentum.value_or(0);
  if (!options_.momentum && tracking && learning) {
    momentum = 1 / (num_batches_tracked.item<double>() + 1);
  }
  const auto result = functional::batch_norm_counted(x, state,
                                                     {.training = learning || !tracking,
                                                      .momentum = momentum,
                                                      .eps = options_.eps,
                                                      .non_finite = options_.non_finite,
                                                      .sync = learning ? options_.sync.get() : nullptr});
  if (tracking && result.counted) {
    const NoGradGuard no_grad;
    num_batches_tracked.add_(1);
  }
  return result.y;
}

std::string BatchNorm1d::extra_repr() const {
  const auto python = [](bool value) { return value ? "True" : "False"; };
  return message(num_features_, ", eps=", format_number(options_.eps),
                 ", momentum=", options_.momentum ? format_number(*options_.momentum) : "None",
                 ", affine=", python(options_.affine), ", track_running_stats=", python(options_.track_running_stats),
                 frozen_ ? ", frozen=True" : "");
}

void BatchNorm1d::set_momentum(std::optional<double> momentum) {
  functional::check_options(options_.eps, momentum.value_or(0));
  options_.momentum = momentum;
}

BatchNorm1d& BatchNorm1d::freeze(bool frozen) {
  frozen_ = frozen;
  return *this;
}

void BatchNorm1d::reset_running_stats() {
  if (!running_mean.defined()) return;
  running_mean.zero_();
  running_var.fill_(1);
  num_batches_tracked.zero_();
}

// --- recalibration

Recalibration::Recalibration(Module& module) : module_(module) {
  for (Module* m : module.modules()) {
    auto* layer = dynamic_cast<BatchNorm1d*>(m);
    if (!layer || layer->frozen() || !layer->running_mean.defined()) continue;
    layers_.push_back({layer, *layer});
    layer->reset_running_stats();
    layer->set_momentum(std::nullopt);
    layer->train();
  }
}

Recalibration::~Recalibration() {
  for (auto& [layer, before] : layers_) {
    layer->set_momentum(before.options().momentum);
    layer->train(before.training());
    if (finished_) continue;
    layer->running_mean.copy_(before.running_mean);
    layer->running_var.copy_(before.running_var);
    layer->num_batches_tracked.copy_(before.num_batches_tracked);
  }
}

void Recalibration::see(const Tensor& x) {
  const NoGradGuard no_grad;
  module_.forward(x);
  seen_ = true;
}

void Recalibration::finish() {
  if (!seen_) throw ValueError("recalibrate: no batch to estimate mean and variance from");
  finished_ = true;
}

// --- fusing

Linear fuse(const Linear& linear, const BatchNorm1d& bn) {
  if (!bn.running_mean.defined()) throw ValueError("fuse: the BatchNorm1d has no running buffers to fuse");
  if (bn.training() && !bn.frozen()) throw ValueError("fuse: the BatchNorm1d is in training mode\ncall eval() first");
  if (linear.out_features() != bn.num_features()) {
    throw ValueError(message("fuse: the Linear has ", linear.out_features(), " outputs, the BatchNorm1d ",
                             bn.num_features(), " features"));
  }
  const NoGradGuard no_grad;
  const auto wide = [](const Tensor& x, double otherwise) {
    return x.defined() ? x.to(float64) : full({}, otherwise, float64);
  };
  const Tensor scale = wide(bn.weight, 1) / (bn.running_var.to(float64) + bn.options().eps).sqrt();
  const Tensor shift = scale * (wide(linear.bias, 0) - bn.running_mean.to(float64)) + wide(bn.bias, 0);

  Linear fused = linear;
  fused.eval();
  fused.weight = Parameter((linear.weight.to(float64) * scale.unsqueeze(1)).to(linear.weight.dtype()));
  fused.bias = Parameter(shift.to(linear.weight.dtype()));
  return fused;
}

Sequential fuse(const Sequential& net) {
  Sequential fused;
  const auto children = net.children();
  for (std::size_t i = 0; i < children.size(); ++i) {
    const auto& [name, module] = children[i];
    const auto* linear = dynamic_cast<const Linear*>(&*module);
    const auto* bn =
        linear && i + 1 < children.size() ? dynamic_cast<const BatchNorm1d*>(&*children[i + 1].second) : nullptr;
    fused.push_back(name, bn ? AnyModule(fuse(*linear, *bn)) : module);
    if (bn) ++i;
  }
  fused.train(net.training());
  return fused;
}

}  // namespace gradus::nn
