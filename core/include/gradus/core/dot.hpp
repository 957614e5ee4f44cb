// A graph as a picture, in the language of Graphviz: `dot -Tsvg graph.dot -o graph.svg`.
#pragma once

#include <gradus/core/autograd.hpp>
#include <gradus/core/state_dict.hpp>

namespace gradus {

/// Gives x a name that pictures show, and returns x: `const Tensor mu = set_name(x.mean(0), "mu");`. The graph keeps
/// the elements of a computed tensor that has a name.
Tensor set_name(const Tensor& x, std::string name);
std::string name(const Tensor& x);  ///< empty without set_name

/// While alive, each result of this thread's operations keeps its value, its constant operands and, after backward, its
/// gradient in the graph, named or not, so that to_dot can show all of them. Costs time and memory; nests.
class TraceGuard {
 public:
  [[nodiscard]] TraceGuard() noexcept;

 private:
  detail::Scoped<bool> tracing_;
};

struct DotOptions {
  StateDict state = {};           ///< names parameters and buffers: `module.state_dict()`
  std::int64_t max_elements = 8;  ///< the elements of larger tensors are left out
  bool backward = true;           ///< draw the backward graph beside the forward graph
};

/// The graph behind y. Forward, a box for each tensor: the operation that computed it, its name, shape, value and
/// gradient, where they are known, in colours for parameters, buffers, other leaves and data. Backward, a box for each
/// function, with dashed lines from what it saved. A tensor that is only seen in the graph has no value without a name
/// or a TraceGuard. With one, the arrows from a tensor that was used several times tell how much of its gradient came
/// back along each. Throws RuntimeError when y has no graph.
std::string to_dot(const Tensor& y, const DotOptions& options = {});

}  // namespace gradus
