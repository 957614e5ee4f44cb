// What an operation uses to enter the graph:
//
//   Tensor exp(const Tensor& x) {
//     Tensor y = …;
//     return recorded(y, "ExpBackward0", {x}, keep(y), [](const Tensor& dy, const Tensor& y) { return dy * y; });
//   }
#pragma once

#include "autograd/node.hpp"

#include <gradus/core/autograd.hpp>

// Backward functions name their arguments as the forward functions around them do. g++ calls that shadowing; clang,
// which warns where a captured variable is hidden, does not.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wshadow"
#endif

namespace gradus::detail {

/// Whether this build records graphs: the option GRADUS_AUTOGRAD. Where it does not, no backward function is compiled.
constexpr bool records_graphs = GRADUS_AUTOGRAD;

/// Whether x is a part of a graph. Throws RuntimeError for a view whose place in it is not known.
inline bool in_graph(const Tensor& x) {
  if (!x.defined()) return false;
  if (impl_of(x)->is_view) check_view(*impl_of(x));
  return impl_of(x)->tracked();
}

/// Whether an operation on these tensors has to be recorded; each of them is looked at.
template <class... Tensors>
bool tracks(const Tensors&... inputs) {
  return records_graphs && (0 + ... + in_graph(inputs)) > 0 && grad_enabled();
}

/// While the result lives, operations of this thread record a graph, or record none.
Scoped<bool> set_recording(bool on) noexcept;

/// The node behind a tensor: the one that computed it, or a leaf's accumulator; null when no gradient is wanted.
Ref<Node> node_of(const Tensor& x);

/// An input on its way into the graph.
struct Input {
  Input(const Tensor& x) : tensor(&x) {}
  Ref<Node> node() const;
  const Tensor* tensor;
  const Shape* broadcast_to = nullptr;
};
/// One that the operation broadcast to `shape`: an ExpandBackward0 between them will sum its gradient back.
inline Input broadcast_input(const Tensor& x, const Shape& shape) {
  Input input(x);
  input.broadcast_to = &shape;
  return input;
}

/// Makes `node` the one that computed y.
void set_history(const Tensor& y, Ref<Node> node);
/// The same, and shows the inputs to a TraceGuard.
void set_history(const Tensor& y, Ref<Node> node, std::span<const Input> inputs);

/// Whether there is a TraceGuard, which wants to see every operation.
bool under_trace() noexcept;

/// Under a TraceGuard: y was also computed from x, which is no input because it never gets a gradient.
void trace_operand(const Tensor& y, const Tensor& x);

/// A tensor on its way into the list of what a node saves.
class Kept {
 public:
  Kept(const Tensor& x, const char* name = "") : tensor_(&x), name_(name) {}
  Kept(Tensor&& x, const char* name = "") : tensor_(&x), temporary_(&x), name_(name) {}
  Saved saved_for(const Tensor& y) const;

 private:
  const Tensor* tensor_;
  Tensor* temporary_ = nullptr;
  const char* name_;
};

/// What backward will need: inputs, the result, and by-products, which are moved in. Undefined tensors stay undefined.
/// Kept(x, "name") names x for pictures.
template <class... Tensors>
std::array<Kept, sizeof...(Tensors)> keep(Tensors&&... tensors) {
  return {Kept(std::forward<Tensors>(tensors))...};
}

/// x, or an undefined tensor.
inline const Tensor& only_if(bool needed, const Tensor& x) {
  static const Tensor none;
  return needed ? x : none;
}

/// Makes `backward` the derivative of y with respect to the inputs. It is handed dy and what is kept, each tensor in
/// its place of the graph where the backward pass is recorded, and returns dx, or takes an InputGradients& dx as its
/// last argument and fills it in; it captures numbers and shapes alone.
template <std::size_t N, std::size_t K, class F>
void record(const Tensor& y, const char* name, const Input (&inputs)[N], const std::array<Kept, K>& kept, F backward) {
  std::array<Ref<Node>, N> nodes;
  for (std::size_t i = 0; i < N; ++i) nodes[i] = inputs[i].node();
  std::array<Saved, K> saved;
  for (std::size_t i = 0; i < K; ++i) saved[i] = kept[i].saved_for(y);
  set_history(y, make_node<FunctionNode<F, K>>(nodes, saved, name, std::move(backward)), inputs);
}
template <std::size_t N, class F>
void record(const Tensor& y, const char* name, const Input (&inputs)[N], F backward) {
  record(y, name, inputs, keep(), std::move(backward));
}
template <class F>
void record(const Tensor& y, const char* name, std::span<const Tensor> tensors, F backward) {
  const std::vector<Input> inputs(tensors.begin(), tensors.end());
  std::vector<Ref<Node>> nodes;
  for (const Input& input : inputs) nodes.push_back(input.node());
  set_history(y, make_node<FunctionNode<F, 0>>(nodes, {}, name, std::move(backward)), inputs);
}

/// y, recorded if one of the inputs has to be.
template <std::size_t N, std::size_t K, class F>
Tensor recorded(Tensor& y, const char* name, const Input (&inputs)[N], const std::array<Kept, K>& kept, F backward) {
  if constexpr (records_graphs) {
    bool tracked = false;
    for (const Input& input : inputs) tracked = tracked || in_graph(*input.tensor);
    if (tracked && grad_enabled()) record(y, name, inputs, kept, std::move(backward));
  }
  return std::move(y);
}
template <std::size_t N, class F>
Tensor recorded(Tensor& y, const char* name, const Input (&inputs)[N], F backward) {
  return recorded(y, name, inputs, keep(), std::move(backward));
}

/// As the public one, of spans.
void backward(std::span<const Tensor> outputs, std::span<const Tensor> gradients, std::optional<bool> retain_graph,
              bool create_graph);

/// Before all elements of x are replaced: refuses what must not be written to, counts the write, and makes an x of a
/// graph the result of `name`, whose gradient for the old elements is zeros.
void prepare_overwrite(const Tensor& x, const char* name);

/// The sum of x over the dimensions in which `shape` was broadcast: the adjoint of broadcasting.
Tensor sum_to(const Tensor& x, const Shape& shape);

}  // namespace gradus::detail
