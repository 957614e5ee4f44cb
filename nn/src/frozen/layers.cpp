#include "frozen/layers.hpp"

#include "autograd/record.hpp"
#include "tensor/message.hpp"
#include "walk.hpp"

#include <gradus/core/autograd.hpp>
#include <gradus/core/create.hpp>
#include <gradus/nn/activation.hpp>
#include <gradus/nn/dropout.hpp>
#include <gradus/nn/embedding.hpp>
#include <gradus/nn/flatten.hpp>
#include <gradus/nn/sequential.hpp>

#include <algorithm>
#include <cstring>
#include <optional>

namespace gradus::nn::frozen {

using gradus::detail::fail, gradus::detail::message, gradus::detail::throw_if;

namespace {

std::string described(const std::string& name, const std::string& type) {
  return name.empty() ? type : message(type, " '", name, "'");
}

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

/// Whether `module` is one of the layers, or vanishes in evaluation.
bool is_known(const Module& module) { return vanishes(module) || what_is(module, {}); }

struct Known {
  const char* node;
  Function function;  // none: the elements stay as they are
  const char* type;
};

constexpr Known known_nodes[] = {{"ReluBackward0", Function::relu, "relu"},
                                 {"SigmoidBackward0", Function::sigmoid, "sigmoid"},
                                 {"TanhBackward0", Function::tanh, "tanh"},
                                 {"GeluBackward0", Function::gelu, "gelu"},
                                 {"SoftplusBackward0", Function::softplus, "softplus"},
                                 {"SiluBackward0", Function::silu, "silu"},
                                 {"ViewBackward0", Function::none, ""},
                                 {"UnsafeViewBackward0", Function::none, ""},
                                 {"ReshapeAliasBackward0", Function::none, ""},
                                 {"UnsqueezeBackward0", Function::none, ""},
                                 {"SqueezeBackward0", Function::none, ""},
                                 {"SqueezeBackward1", Function::none, ""}};

const Known* known(const detail::Node& node) {
  const auto* found =
      std::ranges::find_if(known_nodes, [&](const Known& k) { return !std::strcmp(k.node, node.name()); });
  return found == std::end(known_nodes) || node.inputs().size() != 1 ? nullptr : found;
}

/// Takes its hooks away again.
struct Hooks {
  ~Hooks() {
    for (HookHandle& handle : handles) handle.remove();
  }
  std::vector<HookHandle> handles;
};

/// A layer that was called, between the nodes of what it took and what it made.
struct Call {
  std::string name;
  Module* layer = nullptr;
  detail::Ref<detail::Node> in, out;
  Shape in_shape;  // of the batch
};

/// Collects the layers of a net.
class Collector {
 public:
  Collector(const Shape& row, const char* caller) : caller_(caller), shape_(row) { layers_.in = row; }

  void add(const std::string& name, Module& module) {
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

  Layers finish() {
    layers_.out = shape_;
    return std::move(layers_);
  }

 private:
  using What = decltype(Layer::what);

  // --- one layer

  void check(const std::string& name, const Module& module) const {
    const auto say = [&](const std::string& why) { refuse(caller_, name, module.name(), why); };
    if (module.has_forward_hooks()) say("has forward hooks, which would be left out\nremove them first");
    if (exactly<Embedding>(module)) say("takes whole numbers, rows are of floats\nlook the vectors up before");
    const auto* norm = exactly<BatchNorm1d>(module);
    if (norm && !norm->running_mean.defined()) say("has no running buffers: a row alone has no statistics");
    const bool matters = norm ? !norm->frozen() : exactly<Dropout>(module) || !is_known(module);
    if (matters && module.training()) say("is in training mode\ncall eval() on the net first");
  }

  Shape row_after(const std::string& name, const std::string& type, const Shape& batch) const {
    if (batch.empty() || batch[0] != row_count) refuse(caller_, name, type, "mixes the rows of a batch");
    Shape row = batch;
    row.erase(0);
    if (numel(row) == 0) refuse(caller_, name, type, "has no outputs");
    return row;
  }

  Tensor call(const std::string& name, Module& module, const Tensor& x) const {
    try {
      return module.forward(x);
    } catch (const Error& e) {
      fail<ValueError>(caller_, ": ", described(name, module.name()), ", given rows of ", shape_, ": ", e.what());
    }
  }

  void push(const std::string& name, const std::string& type, What what, const Shape& after) {
    layers_.list.push_back({name, type, std::move(what), shape_, after});
    shape_ = after;
  }

  // --- a module of the user's own, seen through: one forward pass is recorded, and if its graph is a chain of layers
  // with functions of one tensor between them, these are its layers

  /// Adds what was computed between two calls.
  void follow(const std::string& name, const Module& module, const Call& from, const Call& to) {
    std::vector<const Known*> chain;
    for (const detail::Node* node = to.in.get(); node != from.out.get(); node = node->inputs()[0].get()) {
      if (!node || node->is_leaf())
        refuse(caller_, name, module.name(), "hands on more than the output of the last layer");
      const Known* function = known(*node);
      if (!function) {
        refuse(caller_, name, module.name(),
               message("computes ", node->name(), ", which has no form outside gradus\nuse layers of nn, called as ",
                       "layer(x), one behind the other, and relu, sigmoid, tanh, gelu, softplus, silu, reshape"));
      }
      chain.push_back(function);
    }
    for (; !chain.empty(); chain.pop_back()) {
      if (chain.back()->function != Function::none)
        push(name, chain.back()->type, Activation{chain.back()->function}, shape_);
    }
    const Shape after = row_after(name, module.name(), to.in_shape);
    if (numel(after) != numel(shape_)) refuse(caller_, name, module.name(), "calls a function that nn has a layer for");
    if (after != shape_) push(name, "reshape", Reshape{}, after);
  }

  /// The input of the module, the layers that it calls, in order, and its output.
  std::vector<Call> record(const std::string& name, Module& module) const {
    std::vector<Call> calls(1);
    Hooks hooks;
    for (const auto& [below, layer] : module.named_modules()) {
      const std::string full = name.empty() || below.empty() ? name + below : name + "." + below;
      check(full, *layer);
      if (!is_known(*layer)) continue;
      hooks.handles.push_back(layer->register_forward_hook([&calls, full](Module& m, const Tensor& x, const Tensor& y) {
        calls.push_back({full, &m, detail::node_of(x), detail::node_of(y), x.shape()});
      }));
    }
    const EnableGradGuard recorded;
    const Tensor x = batch_of(shape_, module, true).requires_grad_(), y = call(name, module, x);
    calls[0].out = detail::node_of(x);
    calls.push_back({name, nullptr, detail::node_of(y), {}, y.shape()});
    return calls;
  }

  void trace(const std::string& name, Module& module) {
    layers_.traced = true;
    const std::vector<Call> calls = record(name, module);
    for (std::size_t i = 1; i < calls.size(); ++i) {
      follow(name, module, calls[i - 1], calls[i]);
      if (calls[i].layer) add(calls[i].name, *calls[i].layer);
    }
  }

  const char* caller_;
  Shape shape_;  // of a row, where the layers have come to
  Layers layers_;
};

}  // namespace

// --- a net

void refuse(const char* caller, const std::string& name, const std::string& type, const std::string& why) {
  fail<ValueError>(caller, ": ", described(name, type), " ", why);
}

Tensor batch_of(Shape row, const Module& module, bool random) {
  row.insert(0, row_count);
  const std::vector<Tensor> parameters = module.parameters();
  const Dtype dtype = parameters.empty() ? float32 : parameters[0].dtype();
  Generator generator(0);
  return random ? rand(row, dtype, generator) - 0.5 : zeros(row, dtype);
}

Layers layers_of(const Module& net, const Shape& row, const char* caller) {
  throw_if<ValueError>(row.rank() == 0 || numel(row) <= 0, caller,
                       ": expected the shape of one row, without the batch, e.g. {64}, got ", row);
  throw_if<ValueError>(net.training(), caller, ": the net is in training mode\ncall eval() first");
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
  fail<ValueError>(caller, ": the first layer does not tell the shape of a row\nsay it: {.row = {C, L}}");
}

}  // namespace gradus::nn::frozen
