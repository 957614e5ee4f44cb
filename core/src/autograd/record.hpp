// What an operation uses to enter the graph:
//
//   Tensor exp(const Tensor& x) {
//     Tensor y = …;
//     if (tracks(x)) {
//       record(y, "ExpBackward0", {x}, [y = Saved::result(y)](const Tensor& dy, Gradients& dx) {
//         dx[0] = dy * y.get();
//       });
//     }
//     return y;
//   }
#pragma once

#include "autograd/node.hpp"

#include <gradus/core/autograd.hpp>

namespace gradus::detail {

/// Whether an operation on these tensors has to be recorded.
template <class... Tensors>
bool tracks(const Tensors&... inputs) {
  return ((inputs.defined() && impl_of(inputs)->tracked()) || ...) && grad_enabled();
}

/// While the result lives, operations of this thread record a graph, or record none.
Scoped<bool> set_recording(bool on) noexcept;

/// A tensor kept for backward. `get` throws RuntimeError when it was written to in the meantime.
class Saved {
 public:
  Saved() = default;
  explicit Saved(const Tensor& input);
  Saved(const Saved& other);  // reports to a SavedListener; graphs are built with moves
  Saved(Saved&&) noexcept = default;
  Saved& operator=(Saved&&) noexcept = default;
  ~Saved() = default;
  static Saved result(const Tensor& y);  // the output of the node itself: kept without its place in the graph
  static Saved by_product(Tensor x);     // what only backward will read, no input and no output
  Tensor get() const;

 private:
  Tensor in_graph(const Ref<Node>& node) const;

  Tensor tensor_;     // outside the graph, but for a leaf
  Ref<Node> origin_;  // what computed it, if it is an input
  std::uint32_t version_ = 0;
  bool is_result_ = false;
};

/// The node behind a tensor: the one that computed it, or a leaf's accumulator; null when no gradient is wanted.
Ref<Node> edge(const Tensor& x);

/// An input on its way into the graph. With `shape`, the input was broadcast to it: its gradient will be summed back.
class Input {
 public:
  Input(const Tensor& x) : tensor(&x), node(edge_or_null(x)) {}
  Input(const Tensor& x, const Shape& shape);
  const Tensor* tensor;
  Ref<Node> node;

 private:
  static Ref<Node> edge_or_null(const Tensor& x) { return x.defined() ? edge(x) : Ref<Node>(); }
};

/// Makes `node` the one that computed y.
inline void set_history(const Tensor& y, Ref<Node> node) {
  TensorImpl& impl = *impl_of(y);
  impl.seen_version = impl.storage->version;
  impl.extra = {};  // hooks belong to what the tensor was before
  impl.grad_fn = std::move(node);
}
/// The same, and shows the inputs to a TraceGuard.
void set_history(const Tensor& y, Ref<Node> node, std::span<const Input> inputs);

/// Under a TraceGuard: y was also computed from x, which is no input because it never gets a gradient.
void trace_operand(const Tensor& y, const Tensor& x);

/// Makes `backward` the derivative of y with respect to the inputs.
template <std::size_t N, class F>
void record(const Tensor& y, const char* name, Input (&&inputs)[N], F backward) {
  std::array<Ref<Node>, N> nodes;
  for (std::size_t i = 0; i < N; ++i) nodes[i] = std::move(inputs[i].node);
  set_history(y, Ref<Node>(new FunctionNode<F, N>(name, std::move(nodes), std::move(backward))), inputs);
}
template <class F>
void record(const Tensor& y, const char* name, std::span<const Tensor> inputs, F backward) {
  std::vector<Input> edges(inputs.begin(), inputs.end());
  std::vector<Ref<Node>> nodes;
  for (Input& input : edges) nodes.push_back(std::move(input.node));
  set_history(y, Ref<Node>(new VariadicNode<F>(name, std::move(nodes), std::move(backward))), edges);
}

/// Before all elements of x are replaced: refuses what must not be written to, counts the write, and makes an x of a
/// graph the result of `name`, which leaves no gradient to what had computed the old elements.
void overwrite(const Tensor& x, const char* name);

/// The sum of x over the dimensions in which `shape` was broadcast: the adjoint of broadcasting.
Tensor sum_to(const Tensor& x, const Shape& shape);

}  // namespace gradus::detail
