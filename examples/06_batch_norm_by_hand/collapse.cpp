// Section 5: the staged backward pass becomes one line.
#include "sections.hpp"
#include "timing.hpp"

#include <cstdio>

using namespace gradus;

namespace lesson {

namespace {

/// dx as the kernel of the library computes it: one node in the graph.
Tensor kernel_backward(const Tensor& x, const Tensor& dy, const Tensor& weight, double eps) {
  const Tensor leaf = x.clone().requires_grad_();
  const Tensor y = nn::functional::batch_norm(leaf, {.weight = weight.reshape({-1})}, {.training = true, .eps = eps});
  return grad({y}, {leaf}, {.grad_outputs = {dy}})[0];
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
  const Tensor kernel = kernel_backward(lesson.x, lesson.dy, lesson.by_hand.weight, lesson.example.eps);
  Table table({"x", "staged, by hand", "equation (15)", "nn::BatchNorm1d"});
  for (std::int64_t i = 0; i < lesson.x.size(0); ++i) {
    table.row(lesson.x[i], short_number(staged[i].item(), 17), short_number(fused[i].item(), 17),
              short_number(kernel[i].item(), 17));
  }
  page.show(table);
  page.say(
      "Where last digits differ, no column is wrong. A double holds about 16 digits, every sum and every product is "
      "rounded to that, and the three add in different orders. Equal formulas give equal numbers up to this rounding, "
      "not to the last bit.");
  page.near("staged = equation (15)", staged, fused);
  page.near("staged = nn::BatchNorm1d", staged, kernel);
}

/// A random batch (60, 100).
struct LargeBatch {
  Tensor x, dy, weight, bias;
};

LargeBatch large_batch() {
  Generator seed(5);
  return {randn({60, 100}, float64, seed), randn({60, 100}, float64, seed), rand({1, 100}, float64, seed) + 0.5,
          zeros({1, 100}, float64)};
}

void random_batch(Page& page, const Lesson& lesson) {
  const LargeBatch large = large_batch();
  const ByHand layer{large.weight, large.bias, 1e-5, lesson.mistakes};
  page.say("The same for a random batch: x and dy are randn({60, 100}), weight is rand({1, 100}) + 0.5, seed 5.");
  const Tensor dx = layer.dx(large.x, large.dy);
  page.near("staged = nn::BatchNorm1d to 14 digits", dx, kernel_backward(large.x, large.dy, large.weight, layer.eps),
            1e-14);
  const Tensor narrow = kernel_backward(large.x.to(float32), large.dy.to(float32), large.weight.to(float32), layer.eps);
  page.near("and in float32, where the kernel is vectorised, to 6 digits", narrow, dx, 1e-6);
}

void count_and_time(Page& page, const Lesson& lesson) {
  const LargeBatch large = large_batch();
  const ByHand layer{large.weight.to(float32), large.bias.to(float32), 1e-5, lesson.mistakes};
  const Tensor leaf = large.x.to(float32).requires_grad_(), dy = large.dy.to(float32);
  const auto staged_y = [&] { return layer.forward(leaf).y; };
  const auto fused_y = [&] {
    return nn::functional::batch_norm(leaf, {.weight = layer.weight.reshape({-1})}, {.training = true});
  };
  const std::int64_t staged_nodes = nodes(staged_y), fused_nodes = nodes(fused_y);
  page.claim("the graph of the nine steps has " + std::to_string(staged_nodes) + " nodes, that of the layer " +
                 std::to_string(fused_nodes) + " (both with x itself)",
             staged_nodes > 10 && fused_nodes == 2);
  const double slow = microseconds([&] { staged_y().backward({.gradient = dy}); });
  const double fast = microseconds([&] { fused_y().backward({.gradient = dy}); });
  std::fprintf(stderr, "section 5: forward and backward of float32 (60, 100): nine steps %.0f us, one node %.0f us\n",
               slow, fast);
  page.say(
      "Fewer nodes, fewer passes over memory: how long both take in float32 is printed on stderr, since it differs "
      "from run to run.");
}

}  // namespace

void collapse(Page& page, const Lesson& lesson) {
  page.say(
      "Put the twelve lines of section 2 into each other and most of them cancel; the numbers are those of "
      "nn/README.md:");
  page.show(
      "    (11)  dvar  = -rstd^2 / 2 sum(dxhat xhat)\n"
      "    (12)  dmean = -rstd sum dxhat\n"
      "    (13)  dx = dxhat rstd + dvar 2 (x - mean) / N + dmean / N\n"
      "    (14)     = rstd (dxhat - sum dxhat / N - xhat sum(dxhat xhat) / N)\n"
      "    (15)     = weight rstd / N (N dy - sum dy - xhat sum(dy xhat))\n");
  page.say(
      "Two of the sums are dbias and dweight, which are wanted anyway. So one pass over the batch finds both, and one "
      "more writes dx: this is the kernel behind nn::BatchNorm1d.");
  last_digits(page, lesson);
  random_batch(page, lesson);
  count_and_time(page, lesson);
}

}  // namespace lesson
