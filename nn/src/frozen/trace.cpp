// A module of the user's own, seen through: one forward pass is recorded, and if its graph is a chain of layers with
// functions of one tensor between them, these are its layers.
#include "autograd/record.hpp"
#include "frozen/collector.hpp"
#include "tensor/message.hpp"

#include <algorithm>
#include <cstring>

namespace gradus::nn::frozen {

using gradus::detail::message;

/// A layer that was called, between the nodes of what it took and what it made.
struct Collector::Call {
  std::string name;
  Module* layer = nullptr;
  detail::Ref<detail::Node> in, out;
  Shape in_shape;  // of the batch
};

namespace {

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

}  // namespace

/// Adds what was computed between two calls.
void Collector::follow(const std::string& name, const Module& module, const Call& from, const Call& to) {
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
std::vector<Collector::Call> Collector::record(const std::string& name, Module& module) const {
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

void Collector::trace(const std::string& name, Module& module) {
  layers_.traced = true;
  const std::vector<Call> calls = record(name, module);
  for (std::size_t i = 1; i < calls.size(); ++i) {
    follow(name, module, calls[i - 1], calls[i]);
    if (calls[i].layer) add(calls[i].name, *calls[i].layer);
  }
}

}  // namespace gradus::nn::frozen
