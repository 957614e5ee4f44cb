// Section 14: differentiating the derivative.
#include "lesson.hpp"

#include <algorithm>

namespace lesson {

namespace {

Tensor penalty(const Tensor& dx) { return dx.square().sum(); }

}  // namespace

void second_order(Page& page, const Lesson& lesson) {
  page.say(R"(Some losses contain a gradient, such as the penalty P = sum dx^2. To learn from P, dx itself must be
      differentiated. The hand-written backward pass consists of ordinary operations, so autograd can do it: run it on
      tensors that are in a graph, and ask for the gradient of P.)");
  const Tensor x = lesson.x.clone().requires_grad_();
  const auto layer = [&](const Tensor& v) { return library_y(lesson.by_hand, v); };
  const auto dx_in_graph = [&](const Tensor& y) {
    return grad({y}, {x}, {.grad_outputs = {lesson.dy}, .create_graph = true})[0];
  };
  const auto slope = [&](const Tensor& dx) { return grad({penalty(dx)}, {x})[0]; };
  const Tensor dx_by_hand = lesson.by_hand.dx(x, lesson.dy), dx_of_layer = dx_in_graph(layer(x));
  const Tensor by_hand = slope(dx_by_hand), twice = slope(dx_in_graph(lesson.by_hand.forward(x).y));
  const Tensor of_layer = slope(dx_of_layer);
  const Tensor by_differences =
      central_differences(lesson.x, 1e-4 * lesson.expected.std, [&](std::int64_t i, double step) {
        return penalty(gradient_of(layer, with_step(lesson.x, i, step), lesson.dy)).item();
      });
  page.table({"x", "dx by hand", "dP/dx", "autograd twice", "nn::BatchNorm1d", "differences"}, lesson.x, dx_by_hand,
             by_hand, twice, of_layer, by_differences);
  const double size = lesson.expected.direct.square().sum().item() * lesson.expected.rstd;
  const double rounding = lesson.precision * std::max(1.0, size);
  page.near("the backward pass by hand, differentiated, is autograd applied twice", by_hand, twice, rounding);
  page.near("so is what the layer of the library says", of_layer, twice, rounding);
  page.claim("and both are what central differences of P say", distance(twice, by_differences) <= 1e-6 * size,
             "got " + text_of(by_differences));
  page.near("dP/dx sums to 0, too: P does not change either when a constant is added to x", by_hand.sum(), 0, rounding);
  page.claim("the kernel itself is no operation: the dx it returns has no graph behind it",
             !gradient_of(layer, lesson.x, lesson.dy).requires_grad());
  page.claim("asked for create_graph, the layer computes dx from operations instead, by equation (14)",
             dx_of_layer.requires_grad() && !dx_of_layer.grad_fn().empty());
}

}  // namespace lesson
