// Sections 5 and 6: the staged backward pass becomes one line, and what that line says.
#include "sections.hpp"

#include <gradus/core/autograd.hpp>
#include <gradus/core/random.hpp>
#include <gradus/nn/batch_norm.hpp>

#include <chrono>
#include <cmath>
#include <cstdio>

using namespace gradus;

namespace lesson {

namespace {

/// dx as the kernel of the library computes it: one node in the graph.
Tensor kernel_backward(const Tensor& x, const Tensor& dy, const Tensor& weight) {
  const Tensor leaf = x.clone().requires_grad_();
  const Tensor y = nn::functional::batch_norm(leaf, {.weight = weight.reshape({-1})}, {.training = true, .eps = kEps});
  return grad({y}, {leaf}, {.grad_outputs = {dy}})[0];
}

template <class F>
double microseconds(F f) {
  constexpr int runs = 200;
  using Clock = std::chrono::steady_clock;
  f();
  const auto start = Clock::now();
  for (int i = 0; i < runs; ++i) f();
  return std::chrono::duration<double, std::micro>(Clock::now() - start).count() / runs;
}

/// Nodes that `f` leaves in the graph, counted while its result is alive.
template <class F>
std::int64_t nodes(F f) {
  const std::int64_t before = live_nodes();
  const Tensor y = f();
  return live_nodes() - before;
}

std::string digits17(const Tensor& x) {
  char text[32];
  std::snprintf(text, sizeof text, "%.17g", x.item());
  return text;
}

/// Forward by hand, then backward by hand for this dy.
Tensor dx_by_hand(const Example& in, const Tensor& dy, const Mistakes& mistakes) {
  return backward(dy, forward(in.x, in.weight, in.bias, mistakes), in.weight, mistakes).x;
}

/// A layer before BatchNorm, y = BN(scale W u + b), with the gradients of W and b.
struct LayerBefore {
  Tensor y, dw, db;
};

LayerBefore layer_before(const Tensor& u, const Tensor& w, const Tensor& b, const Tensor& dy, double scale,
                         const Mistakes& mistakes) {
  const Tensor matrix = (w * scale).detach().requires_grad_(), shift = b.clone().requires_grad_();
  const Tensor x = linear(u, matrix, shift);  // (N, C)
  const Tensor weight = full({1, w.size(0)}, 1.5, float64), bias = zeros({1, w.size(0)}, float64);
  const Nodes node = forward(x.detach(), weight, bias, mistakes);
  x.backward({.gradient = backward(dy, node, weight, mistakes).x});
  return {node.y, matrix.grad(), shift.grad()};
}

}  // namespace

void collapse(Page& page, const Mistakes& mistakes) {
  page.say(
      "Put the thirteen lines of section 2 into each other and most of them cancel; numbers as in nn/README.md, where "
      "N is called M:");
  page.show(
      "    (11)  dvar  = -rstd^2 / 2 sum dxhat xhat\n"
      "    (12)  dmean = -rstd sum dxhat\n"
      "    (13)  dx = dxhat rstd + dvar 2 (x - mean) / N + dmean / N\n"
      "    (14)     = rstd (dxhat - sum dxhat / N - xhat sum(dxhat xhat) / N)\n"
      "    (15)     = weight rstd / N (N dy - sum dy - xhat sum(dy xhat))\n");
  page.say(
      "Two of the sums are dbias and dweight, which are wanted anyway. So one pass over the batch finds both, and "
      "one more writes dx: this is the kernel behind nn::BatchNorm1d.");
  const Example in = example();
  const Nodes node = forward(in.x, in.weight, in.bias, mistakes);
  const Tensor staged = dx_by_hand(in, in.dy, mistakes), fused = fused_backward(in.dy, node, in.weight);
  const Tensor kernel = kernel_backward(in.x, in.dy, in.weight);
  Table table({"x", "staged, by hand", "equation (15)", "nn::BatchNorm1d"});
  for (std::int64_t i = 0; i < 4; ++i) {
    table.row(fixed(in.x[i].item(), 0), digits17(staged[i]), digits17(fused[i]), digits17(kernel[i]));
  }
  page.show(table);
  page.say(
      "The last digits differ, and none of the columns is wrong. A double holds about 16 digits, every sum and "
      "every product is rounded to that, and the three add in different orders. Equal formulas give equal numbers "
      "up to this rounding, not to the last bit.");
  page.near("staged = equation (15), to 15 digits", staged, fused, 1e-15);
  page.near("staged = nn::BatchNorm1d, to 15 digits", staged, kernel, 1e-15);

  manual_seed(5);
  const Tensor x = randn({60, 100}, float64), dy = randn({60, 100}, float64);
  const Tensor weight = rand({1, 100}, float64) + 0.5, bias = zeros({1, 100}, float64);
  const Tensor large = backward(dy, forward(x, weight, bias, mistakes), weight, mistakes).x;
  page.near("so too for a random batch (60, 100): to 14 digits", large, kernel_backward(x, dy, weight), 1e-14);
  const Tensor narrow = kernel_backward(x.to(float32), dy.to(float32), weight.to(float32));
  page.near("and in float32, where the kernel is vectorised: to 6 digits", narrow, large, 1e-6);

  const Tensor leaf = x.to(float32).requires_grad_();
  const Tensor scale = weight.to(float32), shift = bias.to(float32), upstream = dy.to(float32);
  const auto staged_y = [&] { return forward(leaf, scale, shift, mistakes).y; };
  const auto fused_y = [&] {
    return nn::functional::batch_norm(leaf, {.weight = scale.reshape({-1})}, {.training = true});
  };
  const std::int64_t staged_nodes = nodes(staged_y), fused_nodes = nodes(fused_y);
  page.claim("the graph of the ten steps has " + std::to_string(staged_nodes) + " nodes, that of the layer " +
                 std::to_string(fused_nodes) + " (both with x itself)",
             staged_nodes > 10 && fused_nodes == 2);
  const double slow = microseconds([&] { staged_y().backward({.gradient = upstream}); });
  const double fast = microseconds([&] { fused_y().backward({.gradient = upstream}); });
  std::fflush(stdout);
  std::fprintf(stderr, "section 5: forward and backward of float32 (60, 100): ten steps %.0f us, one node %.0f us\n",
               slow, fast);
  page.say(
      "Fewer nodes, fewer passes over memory: how long both take in float32 is printed on stderr, since it differs "
      "from run to run.");
}

void geometry(Page& page, const Mistakes& mistakes) {
  const Example in = example();
  const Nodes node = forward(in.x, in.weight, in.bias, mistakes);
  const double var = 7.1875, shrink = kEps / (var + kEps), rstd = 0.3730016638167975, weight = 2;
  const double dweight = 0.6061277037022959;
  page.say(
      "Equation (15) reads: take dy, remove its mean, remove its part along xhat, and multiply by weight rstd. What "
      "has been removed, dx cannot contain; two of N directions are missing. The reason is in the forward pass: y "
      "does not change when a constant is added to x, nor (but for eps) when x is stretched around its mean. Where "
      "the loss cannot change, its derivative is 0.");
  const auto dx = [&](const Tensor& dy) { return dx_by_hand(in, dy, mistakes); };
  const Tensor xhat = (in.x - 3.75) * rstd;
  const double along = (dx(in.dy) * xhat).sum().item();
  Table table({"dy", "dx by hand", "", "", ""}, 9);
  table.row("1, -1, 2, 0.5", dx(in.dy));
  table.row("3, 3, 3, 3", dx(full({4, 1}, 3, float64)));
  table.row("xhat", dx(xhat));
  page.show(table);
  page.near("sum dx = 0", dx(in.dy).sum().item(), 0);
  page.claim("sum dx xhat = weight rstd dweight eps / (var + eps) = " +
                 scientific(weight * rstd * dweight * shrink, 4) + ": all but 0, and not 0 because of eps",
             std::abs(along - weight * rstd * dweight * shrink) < 1e-14 && std::abs(along - 6.2911e-07) < 1e-11,
             "got " + scientific(along, 4));
  page.near("dy constant: dx = 0, whatever weight is. So the gradient of sum(BN(x)) is 0, and that is no bug",
            dx(full({4, 1}, 3, float64)), zeros({4, 1}, float64));
  page.near("dy = xhat: dx = weight rstd eps / (var + eps) xhat, all but 0", dx(xhat), xhat * (weight * rstd * shrink),
            1e-14);

  page.say("The same seen from a layer before: x = W u + b, a batch of 6, 3 inputs, 2 units, with a random dy.");
  manual_seed(6);
  const Tensor u = randn({6, 3}, float64), w = randn({2, 3}, float64), b = randn({2}, float64);
  const Tensor dy = randn({6, 2}, float64);
  const LayerBefore once = layer_before(u, w, b, dy, 1, mistakes), tenfold = layer_before(u, w, b, dy, 10, mistakes);
  Table layer({"unit", "b", "db", "|dW|", "W dW", "|dW| for 10 W"});
  const auto norm = [](const Tensor& v) { return v.square().sum().sqrt().item(); };
  for (std::int64_t i = 0; i < 2; ++i) {
    layer.row(i + 1, b[i], once.db[i], norm(once.dw[i]), (w[i] * once.dw[i]).sum(), norm(tenfold.dw[i]));
  }
  page.show(layer);
  const double ratio = norm(once.dw) / norm(tenfold.dw);
  page.near("db = 0: a bias before BatchNorm learns nothing, leave it out (Linear with .bias = false)", once.db,
            zeros({2}, float64));
  page.near("W dW = 0 for every unit, but for eps: a step of SGD is at right angles to W, so |W| can only grow",
            (w * once.dw).sum({1}), zeros({2}, float64), 1e-4);
  page.near("BN((10 W) u + b) = BN(W u + b / 10) = BN(W u), but for eps: the scale of W does not matter", tenfold.y,
            once.y, 1e-4);
  page.claim("but dW is 10 times smaller for 10 W (" + fixed(ratio, 5) + "): large weights learn slowly",
             std::abs(ratio - 10) < 1e-3, "the ratio is " + fixed(ratio, 5));
}

}  // namespace lesson
