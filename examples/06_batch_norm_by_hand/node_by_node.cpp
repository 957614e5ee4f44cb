// Sections 1 and 2: every node forward, every node backward.
#include "lesson.hpp"

#include <algorithm>
#include <cmath>
#include <map>

namespace lesson {

namespace {

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

/// How exact differences by this push can be: 1e-6 of the loss that a push of the node's own size would cost.
double tolerance_of(const Lesson& lesson, double push) {
  const double weight = std::abs(lesson.example.weight), bias = std::abs(lesson.example.bias);
  const Tensor terms = lesson.dy.abs() * ((lesson.expected.xhat.abs() + 1) * weight + bias);
  return 1e-6 * terms.sum().item() * 1e-4 / push;
}

}  // namespace

void forward_node_by_node(Page& page, const Lesson& lesson) {
  const Expected& e = lesson.expected;
  const Nodes node = lesson.by_hand.forward(lesson.x);
  page.say("One channel of a batch of N = " + std::to_string(lesson.x.size(0)) + ": x = " + text_of(lesson.x) +
           ". The layer has weight = " + text_of(lesson.example.weight) + ", bias = " + text_of(lesson.example.bias) +
           " and eps = " + text_of(lesson.example.eps) + ". Nine small steps lead from x to y:");
  page.show(
      "    mean     = sum x / N         std  = sqrt(var + eps)   scaled = xhat weight\n"
      "    centered = x - mean          rstd = 1 / std           y      = scaled + bias\n"
      "    square   = centered^2        xhat = centered rstd\n"
      "    var      = sum square / N\n");
  page.table({"mean", "var", "std", "rstd"}, node.mean, node.var, node.std, node.rstd);
  const Tensor y = lesson.library_layer()(lesson.x);
  page.table({"x", "centered", "square", "xhat", "scaled", "y", "y of nn::BatchNorm1d"}, lesson.x, node.centered,
             node.square, node.xhat, node.scaled, node.y, y);

  page.equals("mean", node.mean, e.mean);
  page.equals("var", node.var, e.var, ": the batch is described, not a population guessed, so N divides");
  page.equals("rstd = 1 / sqrt(var + eps)", node.rstd, e.rstd);
  page.equals("xhat", node.xhat, e.xhat);
  page.equals("y", node.y, e.y);
  page.near("it is the y of nn::BatchNorm1d", node.y, y);
  page.near("xhat has the mean 0", node.xhat.mean(), 0);
  page.equals("and the variance var / (var + eps)", node.xhat.square().mean(), e.var / (e.var + lesson.example.eps));
}

void backward_node_by_node(Page& page, const Lesson& lesson) {
  page.say("Now let some loss follow whose derivative by y is dy = " + text_of(lesson.dy) +
           ". Backward, each node hands on what the nodes after it said, times its own derivative; a node used in two "
           "places (centered) adds up what both say. Every line is computed three times: by hand, from the formula "
           "beside it; by autograd, which has kept the gradient of every node of the very same forward pass; and by "
           "central differences: the node is pushed up and down a little and the loss is watched. Autograd needs no "
           "more than this:");
  page.show(
      "    forward(x, [](const char*, Tensor node) { return node.retain_grad(); });\n"
      "    (node.y * dy).sum().backward();  // then node.xhat.grad(), and so on\n");
  const Derivatives d = lesson.by_hand.backward(lesson.dy, lesson.by_hand.forward(lesson.x));
  const std::map<std::string, Tensor> kept = gradients_of_nodes(lesson.by_hand, lesson.x, lesson.dy);
  TextTable table({"gradient", "formula", "by hand", "autograd", "differences"});
  bool like_autograd = true, like_differences = true;
  for (const Step& step : backward_steps) {
    const Tensor by_hand = d.*step.by_hand, by_autograd = kept.at(step.name);
    const double push = push_of(lesson, step.name);
    const Tensor by_differences = differences(lesson.by_hand, lesson.x, lesson.dy, step.name, by_hand, push);
    for (std::int64_t i = 0; i < by_hand.numel(); ++i) {
      table.row(i > 0 ? "" : std::string("d") + step.name, i > 0 ? "" : step.formula, by_hand[i], by_autograd[i],
                by_differences[i]);
    }
    like_autograd &= agree(by_hand, by_autograd, lesson.precision);
    like_differences &= distance(by_hand, by_differences) <= tolerance_of(lesson, push);
  }
  page.show(table);

  const Expected& e = lesson.expected;
  page.claim("by hand = autograd at all 12 places", like_autograd);
  page.claim("by hand = central differences, as far as those are exact", like_differences);
  page.equals("dbias", d.bias, e.dbias);
  page.equals("dweight", d.weight, e.dweight);
  page.equals("dvar", d.var, e.dvar);
  page.equals("dmean", d.mean, e.dmean);
  page.equals("dx", d.x, e.dx);
}

}  // namespace lesson
