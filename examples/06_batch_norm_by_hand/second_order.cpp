// Section 13: differentiating the derivative.
#include "sections.hpp"

#include <gradus/core/autograd.hpp>
#include <gradus/nn/batch_norm.hpp>

using namespace gradus;

namespace lesson {

namespace {

/// dx for this x, from autograd.
template <class F>
Tensor first_derivative(const Tensor& x, const Tensor& dy, F y, bool create_graph) {
  return grad({y(x)}, {x}, {.grad_outputs = {dy}, .create_graph = create_graph})[0];
}

Tensor penalty(const Tensor& dx) { return dx.square().sum(); }

}  // namespace

void second_order(Page& page, const Mistakes& mistakes) {
  const Example in = example();
  page.say(
      "Some losses contain a gradient, such as the penalty P = sum dx^2. To learn from P, dx itself must be "
      "differentiated. The hand-written backward pass consists of ordinary operations, so autograd can do it: run "
      "it on tensors that are in a graph, and ask for the gradient of P.");
  const Tensor x = in.x.clone().requires_grad_();
  const auto staged = [&](const Tensor& v) { return forward(v, in.weight, in.bias, mistakes).y; };
  const auto layer = [&](const Tensor& v) {
    return nn::functional::batch_norm(v, {.weight = in.weight.reshape({1}), .bias = in.bias.reshape({1})},
                                      {.training = true, .eps = kEps});
  };
  const Tensor dx_by_hand = backward(in.dy, forward(x, in.weight, in.bias, mistakes), in.weight, mistakes).x;
  const Tensor by_hand = grad({penalty(dx_by_hand)}, {x})[0];
  const Tensor twice = grad({penalty(first_derivative(x, in.dy, staged, true))}, {x})[0];
  const Tensor dx_of_layer = first_derivative(x, in.dy, layer, true);
  const Tensor of_layer = grad({penalty(dx_of_layer)}, {x})[0];
  Tensor differences = zeros({4, 1}, float64);
  constexpr double h = 1e-5;
  for (std::int64_t i = 0; i < 4; ++i) {
    double side[2];
    for (const int s : {0, 1}) {
      Tensor pushed = in.x.clone();
      pushed[i].add_(s == 0 ? h : -h);
      side[s] = penalty(first_derivative(pushed.requires_grad_(), in.dy, layer, false)).item();
    }
    differences.data<double>()[static_cast<std::size_t>(i)] = (side[0] - side[1]) / (2 * h);
  }
  Table table({"x", "dx by hand", "dP/dx by hand", "autograd twice", "nn::BatchNorm1d", "differences"});
  for (std::int64_t i = 0; i < 4; ++i) {
    table.row(fixed(in.x[i].item(), 0), dx_by_hand[i], by_hand[i], twice[i], of_layer[i], differences[i]);
  }
  page.show(table);
  page.near("the backward pass by hand, differentiated, is autograd applied twice", by_hand, twice);
  page.near("so is what the layer of the library says", of_layer, twice);
  page.near("and both are what central differences of P say", twice, differences, 1e-8);
  page.near("dP/dx sums to 0, too: P does not change either when a constant is added to x", by_hand.sum().item(), 0);
  page.claim("the kernel itself is no operation: the dx it returns has no graph behind it",
             !first_derivative(x, in.dy, layer, false).requires_grad());
  page.claim("asked for create_graph, the layer computes dx from operations instead, by equation (14)",
             dx_of_layer.requires_grad() && !dx_of_layer.grad_fn().empty());
}

}  // namespace lesson
