#include "by_hand.hpp"

#include "page.hpp"

namespace lesson {

using namespace gradus;

Nodes forward(const Tensor& x, const Tensor& weight, const Tensor& bias, const Mistakes& mistakes) {
  return forward(x, weight, bias, mistakes, [](const char*, const Tensor& node) { return node; });
}

Derivatives backward(const Tensor& dy, const Nodes& node, const Tensor& weight, const Mistakes& mistakes) {
  const auto n = static_cast<double>(dy.size(0));
  Derivatives d;
  d.y = dy;
  d.bias = d.y.sum(kBatch, true);
  d.scaled = d.y;
  d.weight = (d.scaled * node.xhat).sum(kBatch, true);
  d.xhat = mistakes.drop_weight ? d.scaled : d.scaled * weight;
  d.rstd = (d.xhat * node.centered).sum(kBatch, true);
  d.std = -d.rstd * node.rstd.square();
  d.shifted = d.std / (2 * node.std);
  d.var = d.shifted;
  d.square = (d.var / n).expand(dy.shape());

  d.direct = d.xhat * node.rstd;
  d.through_var = d.square * 2 * node.centered;
  if (mistakes.drop_var_path) d.through_var = zeros_like(dy);
  d.centered = d.direct + d.through_var;
  d.mean = -d.centered.sum(kBatch, true);
  d.through_mean = (d.mean / n).expand(dy.shape());
  if (mistakes.drop_mean_path) d.through_mean = zeros_like(dy);
  d.x = d.direct + d.through_var + d.through_mean;
  return d;
}

Tensor fused_backward(const Tensor& dy, const Nodes& node, const Tensor& weight) {
  const auto n = static_cast<double>(dy.size(0));
  const Tensor sum_dy = dy.sum(kBatch, true), sum_dy_xhat = (dy * node.xhat).sum(kBatch, true);
  return weight * node.rstd / n * (n * dy - sum_dy - node.xhat * sum_dy_xhat);
}

Example example() {
  return {.x = column({1, 2, 4, 8}), .dy = column({1, -1, 2, 0.5}), .weight = column({2}), .bias = column({0.5})};
}

}  // namespace lesson
