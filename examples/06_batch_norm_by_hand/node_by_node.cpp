// Sections 1 and 2: every node forward, every node backward.
#include "sections.hpp"

#include <gradus/core/autograd.hpp>
#include <gradus/nn/batch_norm.hpp>

#include <algorithm>
#include <cmath>
#include <map>

using namespace gradus;

namespace lesson {

namespace {

/// y as the layer of the library computes it.
Tensor layer_output(const Lesson& lesson) {
  nn::BatchNorm1d layer(1, {.eps = lesson.example.eps, .dtype = float64});
  layer.weight.detach().copy_(lesson.by_hand.weight.reshape({1}));
  layer.bias.detach().copy_(lesson.by_hand.bias.reshape({1}));
  return layer(lesson.x);
}

struct Step {
  const char* name;
  const char* formula;
  Tensor Derivatives::*by_hand;
};

const Step backward_steps[] = {
    {"y", "dy, given", &Derivatives::y},
    {"bias", "sum dy", &Derivatives::bias},
    {"scaled", "dy", &Derivatives::scaled},
    {"weight", "sum dscaled xhat", &Derivatives::weight},
    {"xhat", "dscaled weight", &Derivatives::xhat},
    {"rstd", "sum dxhat centered", &Derivatives::rstd},
    {"std", "-drstd rstd^2", &Derivatives::std},
    {"var", "dstd / (2 std)", &Derivatives::var},
    {"square", "dvar / N", &Derivatives::square},
    {"centered", "dxhat rstd + dsquare 2 centered", &Derivatives::centered},
    {"mean", "-sum dcentered", &Derivatives::mean},
    {"x", "dcentered + dmean / N", &Derivatives::x},
};

/// What autograd says: the same forward pass, whose nodes keep their gradients.
std::map<std::string, Tensor> autograd(const Lesson& lesson) {
  ByHand layer = lesson.by_hand;
  std::map<std::string, Tensor> nodes = {
      {"x", lesson.x.clone()}, {"weight", layer.weight.clone()}, {"bias", layer.bias.clone()}};
  for (auto& [name, leaf] : nodes) leaf.requires_grad_();
  layer.weight = nodes["weight"], layer.bias = nodes["bias"];
  const Nodes node = layer.forward(nodes["x"], [&](const char* name, const Tensor& value) {
    value.retain_grad();
    return nodes[name] = value;
  });
  (node.y * lesson.dy).sum().backward();
  for (auto& [name, value] : nodes) value = value.grad();
  return nodes;
}

/// The loss when one element of one node is `step` more than it should be.
double pushed_loss(const Lesson& lesson, const std::string& pushed, std::int64_t element, double step) {
  const auto push = [&](const std::string& name, const Tensor& value) {
    if (name != pushed) return value;
    Tensor more = value.clone();
    more.reshape({-1})[element].add_(step);
    return more;
  };
  ByHand layer = lesson.by_hand;
  layer.weight = push("weight", layer.weight);
  layer.bias = push("bias", layer.bias);
  return (layer.forward(push("x", lesson.x), push).y * lesson.dy).sum().item();
}

/// How far a node is pushed, small beside what it is: the deviation for x and mean, its largest element for the others.
double push_of(const Lesson& lesson, const std::string& name) {
  constexpr double share = 1e-4;
  if (name == "x" || name == "mean") return share * lesson.expected.std;
  double size = std::max(std::abs(lesson.example.weight), std::abs(lesson.example.bias));
  lesson.by_hand.forward(lesson.x, [&](const std::string& node, const Tensor& value) {
    if (node == name) size = value.abs().max().item();
    return value;
  });
  return share * (size > 0 ? size : 1);
}

/// What central differences say, in the shape of `like`.
Tensor differences(const Lesson& lesson, const std::string& name, const Tensor& like) {
  const double h = push_of(lesson, name);
  std::vector<double> slopes;
  for (std::int64_t i = 0; i < like.numel(); ++i) {
    slopes.push_back((pushed_loss(lesson, name, i, h) - pushed_loss(lesson, name, i, -h)) / (2 * h));
  }
  return from_span(slopes, like.shape());
}

/// How exact differences by this push can be: 1e-6 of the loss that a push of the node's own size would cost.
double tolerance_of(const Lesson& lesson, const std::string& name) {
  const Expected& e = lesson.expected;
  double loss = 0;
  for (std::size_t i = 0; i < e.xhat.size(); ++i) {
    loss += std::abs(lesson.example.dy[i]) *
            (std::abs(lesson.example.weight) * (1 + std::abs(e.xhat[i])) + std::abs(lesson.example.bias));
  }
  return 1e-6 * loss * 1e-4 / push_of(lesson, name);
}

}  // namespace

void forward_node_by_node(Page& page, const Lesson& lesson) {
  const Expected& e = lesson.expected;
  const Nodes node = lesson.by_hand.forward(lesson.x);
  const std::string count = std::to_string(e.y.size());
  page.say("One channel of a batch of N = " + count + ": x = " + numbers(lesson.example.x) +
           ". The layer has weight = " + number(lesson.example.weight) + ", bias = " + number(lesson.example.bias) +
           " and eps = " + number(lesson.example.eps) + ". Nine small steps lead from x to y:");
  page.show(
      "    mean     = sum x / N         std  = sqrt(var + eps)   scaled = xhat weight\n"
      "    centered = x - mean          rstd = 1 / std           y      = scaled + bias\n"
      "    square   = centered^2        xhat = centered rstd\n"
      "    var      = sum square / N\n");
  Table batch({"mean", "var", "std", "rstd"});
  batch.row(node.mean, node.var, node.std, node.rstd);
  page.show(batch);
  Table values({"x", "centered", "square", "xhat", "scaled", "y", "y of nn::BatchNorm1d"});
  const Tensor y = layer_output(lesson);
  for (std::int64_t i = 0; i < lesson.x.size(0); ++i) {
    values.row(lesson.x[i], node.centered[i], node.square[i], node.xhat[i], node.scaled[i], node.y[i], y[i]);
  }
  page.show(values);

  page.near("mean = " + number(e.mean), node.mean.item(), e.mean, lesson.precision);
  page.near("var = " + number(e.var) + ": the batch is described, not a population guessed, so N divides",
            node.var.item(), e.var, lesson.precision);
  page.near("rstd = 1 / sqrt(var + eps) = " + number(e.rstd), node.rstd.item(), e.rstd, lesson.precision);
  page.near("xhat = " + numbers(e.xhat), node.xhat, column(e.xhat), lesson.precision);
  page.near("y = " + numbers(e.y), node.y, column(e.y), lesson.precision);
  page.near("it is the y of nn::BatchNorm1d", node.y, y, lesson.precision);
  page.near("xhat has the mean 0", node.xhat.mean().item(), 0, lesson.precision);
  page.near("and the variance var / (var + eps) = " + number(e.var / (e.var + lesson.example.eps)),
            node.xhat.square().mean().item(), e.var / (e.var + lesson.example.eps), lesson.precision);
}

void backward_node_by_node(Page& page, const Lesson& lesson) {
  page.say("Now let some loss follow whose derivative by y is dy = " + numbers(lesson.example.dy) +
           ". Backward, each node hands on what the nodes after it said, times its own derivative; a node used in two "
           "places (centered) adds up what both say. Every line is computed three times: by hand, from the formula "
           "beside it; by autograd, which has kept the gradient of every node of the very same forward pass; and by "
           "central differences: the node is pushed up and down a little and the loss is watched. Autograd needs no "
           "more than this:");
  page.show(
      "    forward(x, [](const char*, Tensor node) { return node.retain_grad(); });\n"
      "    (node.y * dy).sum().backward();  // then node.xhat.grad(), and so on\n");
  const Derivatives d = lesson.by_hand.backward(lesson.dy, lesson.by_hand.forward(lesson.x));
  const std::map<std::string, Tensor> kept = autograd(lesson);
  Table table({"gradient", "formula", "by hand", "autograd", "differences"});
  bool like_autograd = true, like_differences = true;
  for (const Step& step : backward_steps) {
    const Tensor by_hand = d.*step.by_hand, by_autograd = kept.at(step.name);
    const Tensor by_differences = differences(lesson, step.name, by_hand);
    for (std::int64_t i = 0; i < by_hand.numel(); ++i) {
      table.row(i == 0 ? std::string("d") + step.name : "", i == 0 ? step.formula : "", by_hand[i], by_autograd[i],
                by_differences[i]);
    }
    const double scale = std::max(1.0, by_autograd.abs().max().item());
    like_autograd &= distance(by_hand, by_autograd) <= lesson.precision * scale;
    like_differences &= distance(by_hand, by_differences) <= tolerance_of(lesson, step.name);
  }
  page.show(table);

  const Expected& e = lesson.expected;
  page.claim("by hand = autograd at all 12 places", like_autograd);
  page.claim("by hand = central differences, as far as those are exact", like_differences);
  page.near("dbias = " + number(e.dbias), d.bias.item(), e.dbias, lesson.precision);
  page.near("dweight = " + number(e.dweight), d.weight.item(), e.dweight, lesson.precision);
  page.near("dvar = " + number(e.dvar), d.var.item(), e.dvar, lesson.precision);
  page.near("dmean = " + number(e.dmean), d.mean.item(), e.dmean, lesson.precision);
  page.near("dx = " + numbers(e.dx), d.x, column(e.dx), lesson.precision);
}

}  // namespace lesson
