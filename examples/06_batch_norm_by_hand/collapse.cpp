// Sections 5 and 14: the staged backward pass becomes one line, and is differentiated once more.
#include "lesson.hpp"
#include "timing.hpp"

#include <algorithm>
#include <cstdio>

namespace lesson {

namespace {

/// dx as the kernel of the library computes it: one node in the graph.
Tensor kernel_backward(const ByHand& layer, const Tensor& x, const Tensor& dy) {
  return gradient_of([&](const Tensor& v) { return library_y(layer, v); }, x, dy);
}

/// Nodes that `f` leaves in the graph, counted while its result is alive.
template <class F>
std::int64_t nodes(F f) {
  const std::int64_t before = live_nodes();
  const Tensor y = f();
  return live_nodes() - before;
}

void last_digits(Page& page, const Lesson& lesson) {
  const Nodes node = lesson.by_hand.forward(lesson.x);
  const Tensor staged = lesson.by_hand.backward(lesson.dy, node).x;
  const Tensor fused = lesson.by_hand.fused_backward(lesson.dy, node);
  const Tensor kernel = kernel_backward(lesson.by_hand, lesson.x, lesson.dy);
  TextTable table({"x", "staged, by hand", "equation (15)", "nn::BatchNorm1d"});
  const auto digits = [](const Tensor& number) { return short_number(number.item(), 17); };
  for (std::int64_t i = 0; i < lesson.x.size(0); ++i) {
    table.row(lesson.x[i], digits(staged[i]), digits(fused[i]), digits(kernel[i]));
  }
  page.show(table);
  page.say(R"(Where last digits differ, no column is wrong. A double holds about 16 digits, every sum and every product
      is rounded to that, and the three add in different orders. Equal formulas give equal numbers up to this rounding,
      not to the last bit.)");
  page.near("staged = equation (15)", staged, fused);
  page.near("staged = nn::BatchNorm1d", staged, kernel);
}

void random_batch(Page& page, const Lesson& lesson) {
  Generator seed(5);
  const Tensor x = randn({60, 100}, float64, seed), dy = randn({60, 100}, float64, seed);
  const Tensor weight = rand({1, 100}, float64, seed) + 0.5, bias = zeros({1, 100}, float64);
  const ByHand layer{weight, bias, 1e-5, lesson.mistakes};
  page.say("The same for a random batch: x and dy are randn({60, 100}), weight is rand({1, 100}) + 0.5, seed 5.");
  const Tensor dx = layer.dx(x, dy);
  page.near("staged = nn::BatchNorm1d to 14 digits", dx, kernel_backward(layer, x, dy), 1e-14);
  const ByHand narrow{weight.to(float32), bias.to(float32), 1e-5, lesson.mistakes};
  const Tensor leaf = x.to(float32).requires_grad_(), narrow_dy = dy.to(float32);
  page.near("and in float32, where the kernel is vectorised, to 6 digits",
            kernel_backward(narrow, leaf.detach(), narrow_dy), dx, 1e-6);

  const auto staged_y = [&] { return narrow.forward(leaf).y; };
  const auto fused_y = [&] { return library_y(narrow, leaf); };
  const std::int64_t staged_nodes = nodes(staged_y), fused_nodes = nodes(fused_y);
  page.claim("the graph of the nine steps has " + std::to_string(staged_nodes) + " nodes, that of the layer " +
                 std::to_string(fused_nodes) + " (both with x itself)",
             staged_nodes > 10 && fused_nodes == 2);
  const double slow = microseconds([&] { staged_y().backward({.gradient = narrow_dy}); });
  const double fast = microseconds([&] { fused_y().backward({.gradient = narrow_dy}); });
  std::fprintf(stderr, "section 5: forward and backward of float32 (60, 100): nine steps %.0f us, one node %.0f us\n",
               slow, fast);
  page.say(R"(Fewer nodes, fewer passes over memory: how long both take in float32 is printed on stderr, since it
      differs from run to run.)");
}

Tensor penalty(const Tensor& dx) { return dx.square().sum(); }

}  // namespace

void collapse(Page& page, const Lesson& lesson) {
  page.say(R"(Put the twelve lines of section 2 into each other and most of them cancel; the numbers are those of
      nn/README.md:)");
  page.show(
      "    (11)  dvar  = -rstd^2 / 2 sum(dxhat xhat)\n"
      "    (12)  dmean = -rstd sum dxhat\n"
      "    (13)  dx = dxhat rstd + dvar 2 (x - mean) / N + dmean / N\n"
      "    (14)     = rstd (dxhat - sum dxhat / N - xhat sum(dxhat xhat) / N)\n"
      "    (15)     = weight rstd / N (N dy - sum dy - xhat sum(dy xhat))\n");
  page.say(R"(Two of the sums are dbias and dweight, which are wanted anyway. So one pass over the batch finds both, and
      one more writes dx: this is the kernel behind nn::BatchNorm1d.)");
  last_digits(page, lesson);
  random_batch(page, lesson);
}

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
