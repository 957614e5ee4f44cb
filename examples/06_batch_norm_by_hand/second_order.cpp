// Section 14: differentiating the derivative.
#include "sections.hpp"

#include <algorithm>

using namespace gradus;

namespace lesson {

namespace {

/// dx for this x, from autograd.
template <class F>
Tensor first_derivative(const Tensor& x, const Tensor& dy, F y, bool create_graph) {
  return grad({y(x)}, {x}, {.grad_outputs = {dy}, .create_graph = create_graph})[0];
}

Tensor penalty(const Tensor& dx) { return dx.square().sum(); }

Tensor layer_output(const Lesson& lesson, const Tensor& x) {
  const ByHand& layer = lesson.by_hand;
  return nn::functional::batch_norm(x, {.weight = layer.weight.reshape({1}), .bias = layer.bias.reshape({1})},
                                    {.training = true, .eps = layer.eps});
}

/// Central differences of the penalty of the layer's dx, x pushed by h.
Tensor differences(const Lesson& lesson, double h) {
  const auto y = [&](const Tensor& v) { return layer_output(lesson, v); };
  return central_differences(lesson.x, h, [&](std::int64_t i, double step) {
    return penalty(first_derivative(with_step(lesson.x, i, step).requires_grad_(), lesson.dy, y, false)).item();
  });
}

}  // namespace

void second_order(Page& page, const Lesson& lesson) {
  page.say(
      "Some losses contain a gradient, such as the penalty P = sum dx^2. To learn from P, dx itself must be "
      "differentiated. The hand-written backward pass consists of ordinary operations, so autograd can do it: run it "
      "on tensors that are in a graph, and ask for the gradient of P.");
  const Tensor x = lesson.x.clone().requires_grad_();
  const auto staged = [&](const Tensor& v) { return lesson.by_hand.forward(v).y; };
  const auto layer = [&](const Tensor& v) { return layer_output(lesson, v); };
  const Tensor dx_by_hand = lesson.by_hand.dx(x, lesson.dy);
  const Tensor by_hand = grad({penalty(dx_by_hand)}, {x})[0];
  const Tensor twice = grad({penalty(first_derivative(x, lesson.dy, staged, true))}, {x})[0];
  const Tensor dx_of_layer = first_derivative(x, lesson.dy, layer, true);
  const Tensor of_layer = grad({penalty(dx_of_layer)}, {x})[0];
  const Tensor by_differences = differences(lesson, 1e-4 * lesson.expected.std);
  Table table({"x", "dx by hand", "dP/dx", "autograd twice", "nn::BatchNorm1d", "differences"});
  table.rows(lesson.x, dx_by_hand, by_hand, twice, of_layer, by_differences);
  page.show(table);
  const double size = lesson.expected.direct.square().sum().item() * lesson.expected.rstd;
  const double rounding = lesson.precision * std::max(1.0, size);
  page.near("the backward pass by hand, differentiated, is autograd applied twice", by_hand, twice, rounding);
  page.near("so is what the layer of the library says", of_layer, twice, rounding);
  page.claim("and both are what central differences of P say", distance(twice, by_differences) <= 1e-6 * size,
             "got " + text_of(by_differences));
  page.near("dP/dx sums to 0, too: P does not change either when a constant is added to x", by_hand.sum(), 0, rounding);
  page.claim("the kernel itself is no operation: the dx it returns has no graph behind it",
             !first_derivative(x, lesson.dy, layer, false).requires_grad());
  page.claim("asked for create_graph, the layer computes dx from operations instead, by equation (14)",
             dx_of_layer.requires_grad() && !dx_of_layer.grad_fn().empty());
}

}  // namespace lesson
