// BatchNorm written out: nine steps forward and their nine derivatives backward, with ordinary tensors, one line each.
// The names are those of nn/README.md.
#pragma once

#include <gradus/core/autograd.hpp>
#include <gradus/core/create.hpp>

#include <map>
#include <string>
#include <vector>

namespace lesson {

using gradus::Tensor;

/// What the hand-written formulas get wrong on purpose. By default: nothing.
struct Mistakes {
  bool drop_mean_path = false;  ///< backward: as if the mean did not depend on x
  bool drop_var_path = false;   ///< backward: as if the variance did not depend on x
  bool biased_mix = false;      ///< forward: the variance of the sample, / (N - 1); backward: the formula for / N
  bool drop_weight = false;     ///< backward: as if weight were 1

  friend bool operator==(const Mistakes&, const Mistakes&) = default;
};

inline const gradus::Dims over_batch{0};

/// The nine steps from x (N, C) to y (N, C). Those that sum the batch up are (1, C), the others (N, C).
struct Nodes {
  Tensor mean, centered, square, var, std, rstd, xhat, scaled, y;
};

/// The derivative of the loss by each node, by the parameters, and by x: the sum of three paths.
struct Derivatives {
  Tensor y, scaled, xhat, rstd, std, var, square, centered, mean;
  Tensor weight, bias;
  Tensor direct, through_var, through_mean, x;
};

/// The layer, by hand.
struct ByHand {
  Tensor weight, bias;  // (1, C)
  double eps = 1e-5;
  Mistakes mistakes = {};

  /// `keep` is called with the name and the value of every node, and what it returns takes the value's place: it can
  /// keep the node's gradient, or push the node a little.
  template <class F>
  Nodes forward(const Tensor& x, F keep) const;
  Nodes forward(const Tensor& x) const;

  /// From dy (N, C), the derivative by y, in the reverse order of forward.
  Derivatives backward(const Tensor& dy, const Nodes& node) const;

  /// The same dx in one line, equation (15).
  Tensor fused_backward(const Tensor& dy, const Nodes& node) const;

  /// dx for this x and dy, step by step.
  Tensor dx(const Tensor& x, const Tensor& dy) const { return backward(dy, forward(x)).x; }
};

template <class F>
Nodes ByHand::forward(const Tensor& x, F keep) const {
  const auto n = static_cast<double>(x.size(0));
  const double divisor = mistakes.biased_mix ? n - 1 : n;
  Nodes node;
  node.mean = keep("mean", x.sum(over_batch, true) / n);
  node.centered = keep("centered", x - node.mean);
  node.square = keep("square", node.centered.square());
  node.var = keep("var", node.square.sum(over_batch, true) / divisor);
  node.std = keep("std", (node.var + eps).sqrt());
  node.rstd = keep("rstd", 1 / node.std);
  node.xhat = keep("xhat", node.centered * node.rstd);
  node.scaled = keep("scaled", node.xhat * weight);
  node.y = keep("y", node.scaled + bias);
  return node;
}

/// The derivatives of sum(y dy) by x, weight, bias and every node, from autograd.
std::map<std::string, Tensor> gradients_of_nodes(ByHand layer, const Tensor& x, const Tensor& dy);

/// mean and 1 / sqrt(mean square + eps) over the batch, for autograd to go through: x (N, C) -> (1, C).
Tensor mean_of(const Tensor& x);
Tensor rstd_of(const Tensor& centered, double eps);

/// The gradient of sum(f(x) dy) by x, from autograd.
template <class F>
Tensor gradient_of(F f, const Tensor& x, const Tensor& dy) {
  const Tensor leaf = x.clone().requires_grad_();
  return gradus::grad({f(leaf)}, {leaf}, {.grad_outputs = {dy}})[0];
}

/// The three paths from x to the loss, each from autograd, with the other uses of x outside of the graph.
struct Paths {
  Tensor direct, through_var, through_mean;
};
Paths paths_of(const ByHand& layer, const Tensor& x, const Tensor& dy);

/// A copy of x whose element i is `step` more.
Tensor with_step(const Tensor& x, std::int64_t i, double step);

/// Central differences, in the shape of `like`: loss(i, step) is the loss when element i is `step` more than it is.
template <class F>
Tensor central_differences(const Tensor& like, double h, F loss) {
  std::vector<double> slopes;
  for (std::int64_t i = 0; i < like.numel(); ++i) slopes.push_back((loss(i, h) - loss(i, -h)) / (2 * h));
  return gradus::from_span(slopes, like.shape());
}

/// Central differences of sum(y dy) by `value`: the node of this name, or x, weight or bias.
Tensor differences(const ByHand& layer, const Tensor& x, const Tensor& dy, const std::string& name, const Tensor& value,
                   double h);

}  // namespace lesson
