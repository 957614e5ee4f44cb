#include "by_hand.hpp"

namespace lesson {

using namespace gradus;

Nodes ByHand::forward(const Tensor& x) const {
  return forward(x, [](const char*, const Tensor& node) { return node; });
}

Derivatives ByHand::backward(const Tensor& dy, const Nodes& node) const {
  const auto n = static_cast<double>(dy.size(0));
  Derivatives d;
  d.y = dy;
  d.bias = d.y.sum(over_batch, true);
  d.scaled = d.y;
  d.weight = (d.scaled * node.xhat).sum(over_batch, true);
  d.xhat = d.scaled * weight;
  if (mistakes.drop_weight) d.xhat = d.scaled;
  d.rstd = (d.xhat * node.centered).sum(over_batch, true);
  d.std = -d.rstd * node.rstd.square();
  d.var = d.std / (2 * node.std);
  d.square = (d.var / n).expand(dy.shape());

  d.direct = d.xhat * node.rstd;
  d.through_var = d.square * 2 * node.centered;
  if (mistakes.drop_var_path) d.through_var = zeros_like(dy);
  d.centered = d.direct + d.through_var;
  d.mean = -d.centered.sum(over_batch, true);
  d.through_mean = (d.mean / n).expand(dy.shape());
  if (mistakes.drop_mean_path) d.through_mean = zeros_like(dy);
  d.x = d.direct + d.through_var + d.through_mean;
  return d;
}

Tensor ByHand::fused_backward(const Tensor& dy, const Nodes& node) const {
  const auto n = static_cast<double>(dy.size(0));
  const Tensor sum_dy = dy.sum(over_batch, true), sum_dy_xhat = (dy * node.xhat).sum(over_batch, true);
  return weight * node.rstd / n * (n * dy - sum_dy - node.xhat * sum_dy_xhat);
}

std::map<std::string, Tensor> gradients_of_nodes(ByHand layer, const Tensor& x, const Tensor& dy) {
  std::map<std::string, Tensor> nodes = {
      {"x", x.clone()}, {"weight", layer.weight.clone()}, {"bias", layer.bias.clone()}};
  for (auto& [name, leaf] : nodes) leaf.requires_grad_();
  layer.weight = nodes["weight"], layer.bias = nodes["bias"];
  const Nodes node = layer.forward(nodes["x"], [&](const char* name, const Tensor& value) {
    value.retain_grad();
    return nodes[name] = value;
  });
  (node.y * dy).sum().backward();
  for (auto& [name, value] : nodes) value = value.grad();
  return nodes;
}

Tensor mean_of(const Tensor& x) { return x.mean(over_batch, true); }
Tensor rstd_of(const Tensor& centered, double eps) { return 1 / (mean_of(centered.square()) + eps).sqrt(); }

Paths paths_of(const ByHand& layer, const Tensor& x, const Tensor& dy) {
  const Tensor mean = mean_of(x), rstd = rstd_of(x - mean, layer.eps);
  const auto path = [&](auto xhat) { return gradient_of(xhat, x, dy * layer.weight); };
  return {path([&](const Tensor& v) { return (v - mean) * rstd; }),
          path([&](const Tensor& v) { return (x - mean) * rstd_of(v - mean, layer.eps); }),
          path([&](const Tensor& v) { return (x - mean_of(v)) * rstd; })};
}

Tensor with_step(const Tensor& x, std::int64_t i, double step) {
  Tensor more = x.clone();
  more.reshape({-1})[i].add_(step);
  return more;
}

Tensor differences(const ByHand& layer, const Tensor& x, const Tensor& dy, const std::string& name, const Tensor& value,
                   double h) {
  return central_differences(value, h, [&](std::int64_t i, double step) {
    const auto push = [&](const std::string& node, const Tensor& is) {
      return node == name ? with_step(is, i, step) : is;
    };
    const ByHand pushed{push("weight", layer.weight), push("bias", layer.bias), layer.eps, layer.mistakes};
    return (pushed.forward(push("x", x), push).y * dy).sum().item();
  });
}

}  // namespace lesson
