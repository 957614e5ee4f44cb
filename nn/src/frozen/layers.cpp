#include "frozen/layers.hpp"

#include "exactly.hpp"
#include "frozen/collector.hpp"
#include "tensor/message.hpp"

#include <gradus/core/autograd.hpp>
#include <gradus/core/create.hpp>
#include <gradus/nn/activation.hpp>
#include <gradus/nn/dropout.hpp>
#include <gradus/nn/embedding.hpp>
#include <gradus/nn/flatten.hpp>
#include <gradus/nn/sequential.hpp>

#include <optional>

namespace gradus::nn::frozen {

using gradus::detail::message;

namespace {

std::string described(const std::string& name, const std::string& type) {
  return name.empty() ? type : message(type, " '", name, "'");
}

}  // namespace

void refuse(const char* caller, const std::string& name, const std::string& type, const std::string& why) {
  throw ValueError(message(caller, ": ", described(name, type), " ", why));
}

namespace {

constexpr std::int64_t row_count = 3;  // of a batch that shapes are tried with

std::optional<Activation> activation_of(const Module& module) {
  if (exactly<ReLU>(module)) return Activation{Function::relu};
  if (const auto* leaky = exactly<LeakyReLU>(module)) return Activation{Function::leaky_relu, leaky->negative_slope};
  if (const auto* hard = exactly<Hardtanh>(module)) return Activation{Function::hardtanh, hard->min_val, hard->max_val};
  if (exactly<Sigmoid>(module)) return Activation{Function::sigmoid};
  if (exactly<Tanh>(module)) return Activation{Function::tanh};
  if (exactly<GELU>(module)) return Activation{Function::gelu};
  if (exactly<Softplus>(module)) return Activation{Function::softplus};
  if (const auto* elu = exactly<ELU>(module)) return Activation{Function::elu, elu->alpha};
  if (exactly<SiLU>(module)) return Activation{Function::silu};
  return std::nullopt;
}

std::optional<Pooling> pooling_of(const Module& module, const Shape& row) {
  const std::int64_t length = row.empty() ? 0 : row[row.rank() - 1];
  if (const auto* max = exactly<MaxPool1d>(module)) {
    return Pooling{windows_of(length, max->kernel_size(), max->options()), true};
  }
  if (const auto* mean = exactly<AvgPool1d>(module)) {
    return Pooling{windows_of(length, mean->kernel_size(), mean->options()), false};
  }
  if (const auto* adaptive = exactly<AdaptiveAvgPool1d>(module)) {
    return Pooling{{.length = length, .places = adaptive->output_size()}, false};
  }
  return std::nullopt;
}

bool vanishes(const Module& module) { return exactly<Dropout>(module) || exactly<Identity>(module); }

/// What `module` is for rows of shape `row`; nothing: none of the layers.
std::optional<decltype(Layer::what)> what_is(const Module& module, const Shape& row) {
  if (const auto* linear = exactly<Linear>(module)) return linear;
  if (const auto* conv = exactly<Conv1d>(module)) return conv;
  if (const auto* norm = exactly<BatchNorm1d>(module)) return norm;
  if (const auto* norm = exactly<LayerNorm>(module)) return norm;
  if (const auto activation = activation_of(module)) return *activation;
  if (const auto pooling = pooling_of(module, row)) return *pooling;
  const auto from_front = [&](std::int64_t dim) { return dim < 0 ? dim + row.rank() + 1 : dim; };
  if (const auto* soft = exactly<nn::Softmax>(module)) return SoftmaxOver{from_front(soft->dim), false};
  if (const auto* soft = exactly<LogSoftmax>(module)) return SoftmaxOver{from_front(soft->dim), true};
  if (exactly<Flatten>(module) || exactly<Unflatten>(module)) return Reshape{};
  return std::nullopt;
}

}  // namespace

bool is_known(const Module& module) { return vanishes(module) || what_is(module, {}); }

Tensor batch_of(Shape row, const Module& module, bool random) {
  row.insert(0, row_count);
  const std::vector<Tensor> parameters = module.parameters();
  const Dtype dtype = parameters.empty() ? float32 : parameters[0].dtype();
  Generator generator(0);
  return random ? rand(row, dtype, generator) - 0.5 : zeros(row, dtype);
}

// --- one layer

void Collector::check(const std::string& name, const Module& module) const {
  const auto say = [&](const std::string& why) { refuse(caller_, name, module.name(), why); };
  if (module.has_forward_hooks()) say("has forward hooks, which would be left out\nremove them first");
  if (exactly<Embedding>(module)) say("takes whole numbers, rows are of floats\nlook the vectors up before");
  const auto* norm = exactly<BatchNorm1d>(module);
  if (norm && !norm->running_mean.defined()) say("has no running buffers: a row alone has no statistics");
  const bool matters = norm ? !norm->frozen() : exactly<Dropout>(module) || !is_known(module);
  if (matters && module.training()) say("is in training mode\ncall eval() on the net first");
}

Shape Collector::row_after(const std::string& name, const std::string& type, const Shape& batch) const {
  if (batch.empty() || batch[0] != row_count) refuse(caller_, name, type, "mixes the rows of a batch");
  Shape row = batch;
  row.erase(0);
  if (numel(row) == 0) refuse(caller_, name, type, "has no outputs");
  return row;
}

Tensor Collector::call(const std::string& name, Module& module, const Tensor& x) const {
  try {
    return module.forward(x);
  } catch (const Error& e) {
    throw ValueError(
        message(caller_, ": ", described(name, module.name()), ", given rows of ", shape_, ": ", e.what()));
  }
}

void Collector::push(const std::string& name, const std::string& type, What what, const Shape& after) {
  layers_.list.push_back({name, type, std::move(what), shape_, after});
  shape_ = after;
}

void Collector::add(const std::string& name, Module& module) {
  check(name, module);
  if (exactly<Sequential>(module)) {
    for (const auto& [child, below] : module.named_children()) add(name.empty() ? child : name + "." + child, *below);
  } else if (auto what = what_is(module, shape_)) {
    const Tensor y = call(name, module, batch_of(shape_, module, false));
    push(name, module.name(), std::move(*what), row_after(name, module.name(), y.shape()));
  } else if (!vanishes(module)) {
    trace(name, module);
  }
}

Layers Collector::finish() {
  layers_.out = shape_;
  return std::move(layers_);
}

// --- a net

Layers layers_of(const Module& net, const Shape& row, const char* caller) {
  if (row.rank() == 0 || numel(row) <= 0) {
    throw ValueError(message(caller, ": expected the shape of one row, without the batch, e.g. {64}, got ", row));
  }
  if (net.training()) throw ValueError(message(caller, ": the net is in training mode\ncall eval() first"));
  const NoGradGuard no_grad;
  Collector collector(row, caller);
  collector.add("", const_cast<Module&>(net));  // modules list their state through functions that are not const
  return collector.finish();
}

Shape row_of(const Module& net, const char* caller) {
  for (const Module* module : const_cast<Module&>(net).modules()) {
    if (const auto* linear = exactly<Linear>(*module)) return linear->in_features();
    if (const auto* norm = exactly<BatchNorm1d>(*module)) return norm->num_features();
    if (const auto* norm = exactly<LayerNorm>(*module)) return norm->normalized_shape();
    if (!exactly<Sequential>(*module) && !vanishes(*module)) break;
  }
  throw ValueError(message(caller, ": the first layer does not tell the shape of a row\nsay it: {.row = {C, L}}"));
}

}  // namespace gradus::nn::frozen
