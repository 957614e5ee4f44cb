// Sections 6 and 7: what dx cannot contain, and where eps matters.
#include "lesson.hpp"

#include <cmath>

namespace lesson {

namespace {

/// A layer before BatchNorm, y = BN(scale W u + b), with the gradients of W and b.
struct LayerBefore {
  Tensor w, b, y, dw, db;  // (2, 3), (2), (6, 2), (2, 3), (2)
};

LayerBefore layer_before(double scale, const Mistakes& mistakes) {
  Generator seed(6);
  const Tensor u = randn({6, 3}, float64, seed), w = randn({2, 3}, float64, seed);
  const Tensor b = randn({2}, float64, seed).requires_grad_(), dy = randn({6, 2}, float64, seed);
  const Tensor matrix = (w * scale).requires_grad_(), x = linear(u, matrix, b);  // (6, 2)
  const ByHand norm{full({1, 2}, 1.5, float64), zeros({1, 2}, float64), 0, mistakes};
  const Nodes node = norm.forward(x.detach());
  x.backward({.gradient = norm.backward(dy, node).x});
  return {w, b, node.y, matrix.grad(), b.grad()};
}

double size_of(const Tensor& v) { return v.square().sum().sqrt().item(); }

void seen_from_before(Page& page, const Lesson& lesson) {
  const LayerBefore once = layer_before(1, lesson.mistakes), tenfold = layer_before(10, lesson.mistakes);
  page.say(R"(The same seen from a layer before: x = W u + b for a batch of 6, with 3 inputs and 2 units. W, b, u and dy
      are random (seed 6), weight = 1.5 and eps = 0.)");
  TextTable layer({"unit", "W", "", "", "b", "db", "|dW|", "W dW", "|dW| for 10 W"}, 4);
  const auto size_of_rows = [](const Tensor& w) { return w.square().sum({1}).sqrt(); };
  layer.rows(tensor({1, 2}), once.w, once.b, once.db, size_of_rows(once.dw), (once.w * once.dw).sum({1}),
             size_of_rows(tenfold.dw));
  page.show(layer);
  page.near("db = 0: a bias before BatchNorm learns nothing, leave it out (Linear with .bias = false)", once.db, 0,
            1e-12);
  page.near("W dW = 0 for every unit: a step of SGD is at right angles to W, so |W| can only grow",
            (once.w * once.dw).sum({1}), 0, 1e-12);
  page.near("BN((10 W) u + b) = BN(W u): the scale of W does not matter", tenfold.y, once.y, 1e-12);
  page.near("but dW is 10 times smaller for 10 W: large weights learn slowly", size_of(once.dw) / size_of(tenfold.dw),
            10, 1e-12);
}

}  // namespace

void geometry(Page& page, const Lesson& lesson) {
  const Expected& e = lesson.expected;
  page.say(R"(Equation (15) reads: take dy, remove its mean, remove its part along xhat, and multiply by weight rstd.
      What has been removed, dx cannot contain; two of N directions are missing. The reason is in the forward pass: y
      does not change when a constant is added to x, nor (but for eps) when x is stretched around its mean. Where the
      loss cannot change, its derivative is 0.)");
  const Tensor three = full(lesson.x.shape(), 3, float64);
  const auto dx_of = [&](const Tensor& dy) { return lesson.by_hand.dx(lesson.x, dy); };
  const Tensor dx = dx_of(lesson.dy), dx_of_three = dx_of(three), dx_of_xhat = dx_of(e.xhat);
  page.table({"dy", "dx", "dy = 3", "dx", "dy = xhat", "dx"}, lesson.dy, dx, three, dx_of_three, e.xhat, dx_of_xhat);
  page.near("sum dx = 0", dx.sum(), 0);
  page.equals("sum dx xhat = weight rstd dweight eps / (var + eps)", (dx * e.xhat).sum(),
              lesson.dx_along_xhat() * e.dweight);
  page.near("dy constant: dx = 0, whatever weight is. So the gradient of sum(BN(x)) is 0, and that is no bug",
            dx_of_three, 0);
  page.equals("dy = xhat: dx = weight rstd eps / (var + eps) xhat", dx_of_xhat, e.xhat * lesson.dx_along_xhat());
  seen_from_before(page, lesson);
}

void where_eps_matters(Page& page, const Lesson& lesson) {
  page.say(R"(eps keeps rstd finite where a batch has no variance. Where the variance is large beside it, nothing is
      seen of it; where it is not, xhat shrinks, and a little of the direction xhat comes through to dx. The same x,
      first scaled to a deviation s, with eps = 1e-5, which is PyTorch's and gradus's default:)");
  constexpr double eps = 1e-5;
  const ByHand layer{lesson.by_hand.weight, lesson.by_hand.bias, eps, lesson.mistakes};
  const double spread = std::sqrt(lesson.expected.var), weight = lesson.example.weight;
  TextTable table({"s", "variance of xhat", "rstd", "sum dx xhat"});
  bool variance = true, residue = true;
  for (const double s : {100.0, 1.0, 0.01, 0.001}) {
    const Tensor x = (lesson.x - lesson.expected.mean) * (s / spread);
    const Nodes node = layer.forward(x);
    const double got = node.xhat.square().mean().item(), var = s * s;
    const double along = (layer.backward(lesson.dy, node).x * node.xhat).sum().item();
    const double dweight = lesson.expected.dweight * lesson.expected.std / spread * s / std::sqrt(var + eps);
    const double expected = weight * dweight * eps / std::pow(var + eps, 1.5);
    table.row(text_of(s), text_of(got), text_of(node.rstd), text_of(along));
    variance &= std::abs(got - var / (var + eps)) < 1e-12;
    residue &= std::abs(along - expected) <= 1e-9 * std::max(1.0, std::abs(expected));
  }
  page.show(table);
  page.claim("xhat has the variance var / (var + eps)", variance);
  page.claim("sum dx xhat = weight rstd dweight eps / (var + eps)", residue);
  page.say("And the extreme, a constant batch: x = 7, 7, 7, 7 with dy = 1, -1, 2, 0.");
  const Tensor x = column({7, 7, 7, 7}), dy = column({1, -1, 2, 0});
  const Nodes node = layer.forward(x);
  const Tensor dx = layer.backward(dy, node).x, steep = (dy - 0.5) * (weight / std::sqrt(eps));
  page.claim("y is bias for every x, exactly", distance(node.y, layer.bias) == 0);
  page.near("rstd is 1 / sqrt(eps) = 316.228", node.rstd, 1 / std::sqrt(eps), 1e-12);
  page.near("dx = weight / sqrt(eps) (dy - mean dy) = " + text_of(steep) +
                ": a channel that hardly varies has a steep gradient, and eps is what bounds it",
            dx, steep, 1e-12);
}

}  // namespace lesson
