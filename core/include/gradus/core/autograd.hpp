// Reverse-mode differentiation: guards, backward with options, gradients of chosen inputs.
//
// Threads may share leaves, such as the parameters of one model, and compute, record and differentiate at the same
// time: gradients that meet in one leaf are added one after the other. A graph is one thread's at a time, so is a
// tensor that is written to, and hooks of a shared leaf are called by whichever thread gets there. Guards count for
// their own thread.
#pragma once

#include <gradus/core/tensor.hpp>

namespace gradus {

namespace detail {

/// While alive, a variable of this thread has another value.
template <class T>
class Scoped {
 public:
  Scoped(T& variable, T value) noexcept : variable_(variable), before_(std::exchange(variable, value)) {}
  ~Scoped() { variable_ = before_; }
  Scoped(const Scoped&) = delete;
  Scoped& operator=(const Scoped&) = delete;

 private:
  T& variable_;
  const T before_;
};

}  // namespace detail

/// Whether operations of this thread record a graph.
bool grad_enabled() noexcept;

/// While alive, operations of this thread record no graph (`NoGradGuard no_grad;`). Nests.
class NoGradGuard {
 public:
  [[nodiscard]] NoGradGuard() noexcept;

 private:
  detail::Scoped<bool> recording_;
};

/// The opposite of NoGradGuard, inside one.
class EnableGradGuard {
 public:
  [[nodiscard]] EnableGradGuard() noexcept;

 private:
  detail::Scoped<bool> recording_;
};

struct BackwardOptions {
  Tensor gradient = {};                   ///< dL/d(this), shape of this; may be left out for one element (1 is meant)
  std::optional<bool> retain_graph = {};  ///< keep saved tensors for another backward; default: create_graph
  bool create_graph = false;              ///< record the backward pass itself, for higher derivatives
};

struct GradOptions {
  std::vector<Tensor> grad_outputs = {};  ///< one per output, undefined where 1 is meant
  std::optional<bool> retain_graph = {};
  bool create_graph = false;
  bool allow_unused = false;  ///< an input that does not matter gets an undefined gradient instead of an error
};

/// Adds the gradients of sum(outputs * gradients) to grad() of every leaf behind the outputs.
/// Throws RuntimeError, with PyTorch's texts, when there is no graph, when it was freed by an earlier backward, when an
/// output of several elements comes without a gradient, and when a tensor saved for backward was changed in place.
void backward(const std::vector<Tensor>& outputs, const GradOptions& options = {});

/// Returns the gradients of the outputs with respect to `inputs`, leaves or computed, and leaves grad() of every
/// leaf alone; computed tensors under `retain_grad` keep theirs, as in PyTorch.
/// Throws as `backward`, and RuntimeError for an input that does not matter (see allow_unused).
[[nodiscard]] std::vector<Tensor> grad(const std::vector<Tensor>& outputs, const std::vector<Tensor>& inputs,
                                       const GradOptions& options = {});

/// Graph nodes alive in this process, for tests of leaks.
std::int64_t live_nodes() noexcept;

}  // namespace gradus
