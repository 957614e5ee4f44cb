// The layer: its state, its modes, and what can be done with a trained one.
#include "batch_norm.hpp"
#include "tensor/message.hpp"
#include "tensor/tensor_impl.hpp"
#include "walk.hpp"

#include <gradus/core/autograd.hpp>
#include <gradus/core/print.hpp>
#include <gradus/nn/batch_norm.hpp>

#include <mutex>
#include <optional>

namespace gradus::nn {

using detail::fail, detail::message, detail::throw_if;

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
    cache_ = std::make_shared<functional::EvaluationCache>();
  }
}

void BatchNorm1d::state(StateList& list) {
  list("weight", weight)("bias", bias)("running_mean", running_mean)("running_var", running_var);
  list.optional("num_batches_tracked", num_batches_tracked);
}

Tensor BatchNorm1d::forward(const Tensor& x) const { return normalise(x, false); }

Tensor batch_norm_relu(const BatchNorm1d& bn, const Tensor& x) {
  settle_ties(bn);
  const bool one_node = !bn.options().sync && x.defined() && x.numel() > 0;
  return one_node ? bn.normalise(x, true) : relu(bn.forward(x));
}

Tensor BatchNorm1d::normalise(const Tensor& x, bool then_relu) const {
  const bool tracking = running_mean.defined();
  const bool learning = training() && !frozen_;
  std::unique_lock<detail::Lock> counting;  // threads that train one layer count their batches one after the other
  if (tracking && learning) counting = std::unique_lock(impl_of(running_mean)->lock);
  double momentum = options_.momentum.value_or(0);
  if (!options_.momentum && tracking && learning) {
    momentum = 1 / (num_batches_tracked.item<double>() + 1);
  }
  auto result = functional::batch_norm_counted(x, {running_mean, running_var, weight, bias},
                                               {.training = learning || !tracking,
                                                .momentum = momentum,
                                                .eps = options_.eps,
                                                .non_finite = options_.non_finite,
                                                .sync = learning ? options_.sync.get() : nullptr},
                                               cache_.get(), then_relu);
  // PyTorch counts a batch without values; where the counter is the weight of the mean, it would be wrong.
  const bool empty = learning && !options_.sync && x.numel() == 0 && options_.momentum;
  if (tracking && (result.counted || empty)) {
    Tensor counter = num_batches_tracked;
    ++counter.data<std::int64_t>()[0];
    detail::bump_version(counter);
  }
  return std::move(result.y);
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
  module_(x);
}

void Recalibration::finish() {
  for (const Layer& l : layers_) {
    if (l.layer->num_batches_tracked.item<std::int64_t>() > 0) continue;
    fail<ValueError>("recalibrate: no batch to estimate mean and variance from reached ", to_string(*l.layer),
                     "\nbatches without values, and those that NonFinite::skip passes over, do not count");
  }
  finished_ = true;
}

// --- fusing

namespace {

/// What a layer is multiplied by, and what is then added to it, per channel, in double.
struct Folded {
  Tensor scale, shift;
};

Folded fold(const BatchNorm1d& bn, const Tensor& bias, std::int64_t outputs, Dtype dtype) {
  if (!bn.running_mean.defined()) throw ValueError("fuse: the BatchNorm1d has no running buffers to fuse");
  throw_if<ValueError>(bn.training() && !bn.frozen(), "fuse: the BatchNorm1d is in training mode\ncall eval() first");
  throw_if<ValueError>(outputs != bn.num_features(), "fuse: the layer has ", outputs, " outputs, the BatchNorm1d ",
                       bn.num_features(), " features");
  throw_if<ValueError>(bn.running_mean.dtype() != dtype, "fuse: the layer is ", dtype, ", the BatchNorm1d ",
                       bn.running_mean.dtype());
  const auto wide = [](const Tensor& x, double otherwise) {
    return x.defined() ? x.to(float64) : full({}, otherwise, float64);
  };
  const Tensor shifted = wide(bn.running_var, 1) + bn.options().eps;
  throw_if<ValueError>(!(shifted > 0).all().item<bool>(),
                       "fuse: running_var + eps is not above 0 everywhere\nrecalibrate the net first");
  const Tensor scale = wide(bn.weight, 1) / shifted.sqrt();
  return {scale, scale * (wide(bias, 0) - wide(bn.running_mean, 0)) + wide(bn.bias, 0)};
}

/// What is fused is a copy, and copies have no hooks.
void refuse_hooks(const Module& top) {
  for (const Module* module : const_cast<Module&>(top).modules()) {
    if (!module->has_forward_hooks()) continue;
    fail<ValueError>("fuse: ", module->name(), " has forward hooks, which the fused module would not have\n",
                     "remove them, and register them with the fused module");
  }
}

/// A copy of the layer that does what the norm behind it does, too.
template <class L>
L folded(const L& layer, const BatchNorm1d& bn) {
  refuse_hooks(layer);
  refuse_hooks(bn);
  const NoGradGuard no_grad;
  const Dtype dtype = layer.weight.dtype();
  auto [scale, shift] = fold(bn, layer.bias, layer.weight.size(0), dtype);
  while (scale.dim() < layer.weight.dim()) scale = scale.unsqueeze(-1);
  L fused = layer;
  fused.eval();
  fused.weight = Parameter((fused.weight.to(float64) * scale).to(dtype));
  fused.bias = Parameter(shift.to(dtype));
  return fused;
}

/// The two as one module, if they can be.
std::optional<AnyModule> fused_pair(const Module& layer, const BatchNorm1d& bn) {
  if (!bn.running_mean.defined()) return std::nullopt;
  const auto fits = [&](const Tensor& weight) {
    return weight.size(0) == bn.num_features() && weight.dtype() == bn.running_mean.dtype();
  };
  if (const auto* linear = exactly<Linear>(layer); linear && fits(linear->weight)) return AnyModule(fuse(*linear, bn));
  if (const auto* conv = exactly<Conv1d>(layer); conv && fits(conv->weight)) return AnyModule(fuse(*conv, bn));
  return std::nullopt;
}

}  // namespace

Conv1d fuse(const Conv1d& conv, const BatchNorm1d& bn) {
  Conv1d fused = folded(conv, bn);
  fused.batches_only_ = true;
  return fused;
}

Linear fuse(const Linear& linear, const BatchNorm1d& bn) {
  Linear fused = folded(linear, bn);
  fused.rows_only_ = true;
  return fused;
}

Sequential fuse(const Sequential& net) {
  refuse_hooks(net);
  Sequential fused;
  fused.train(net.training());
  const auto children = net.children();
  for (std::size_t i = 0; i < children.size(); ++i) {
    const auto& [name, module] = children[i];
    const auto* inner = exactly<Sequential>(*module);
    const auto* bn = i + 1 < children.size() ? exactly<BatchNorm1d>(*children[i + 1].second) : nullptr;
    const std::optional<AnyModule> pair = bn ? fused_pair(*module, *bn) : std::nullopt;
    fused.push_back(name, inner ? AnyModule(fuse(*inner)) : pair ? *pair : module);
    if (pair) ++i;
  }
  return fused;
}

}  // namespace gradus::nn
