// Sections 1 to 4: every node forward, every node backward, and the paths on which x reaches the loss.
#include "lesson.hpp"

#include <algorithm>
#include <cmath>

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

/// A normalisation around something that is not always the mean. The two uses of the centre are told apart.
struct Centre {
  const char* name;
  Tensor (*of)(const Tensor& x);
};

/// Falling weights that sum to 1: 0.4, 0.3, 0.2, 0.1 for four values.
Tensor weighted_mean(const Tensor& x) {
  const auto n = static_cast<double>(x.size(0));
  std::vector<double> weights;
  for (double rank = n; rank > 0; --rank) weights.push_back(rank / (n * (n + 1) / 2));
  return (x * column(weights)).sum(over_batch, true);
}

const Centre centres[] = {
    {"mean", mean_of}, {"weighted mean", weighted_mean}, {"mean + 2", [](const Tensor& x) { return mean_of(x) + 2; }}};

struct Parts {
  double direct, through_var;  // the two parts of the derivative by the centre
  Tensor dx, dx_detached;      // with and without the second part
};

Parts parts_of(const Lesson& lesson, const Centre& centre) {
  const double eps = lesson.example.eps;
  const Tensor x = lesson.x.clone().requires_grad_();
  Tensor in_xhat = centre.of(x) * 1, in_var = centre.of(x) * 1;
  in_xhat.retain_grad();
  in_var.retain_grad();
  const Tensor xhat = (x - in_xhat) * rstd_of(x - in_var, eps);
  (xhat * lesson.by_hand.weight * lesson.dy).sum().backward();
  const Tensor detached =
      gradient_of([&](const Tensor& v) { return (v - centre.of(v)) * rstd_of(v - centre.of(v).detach(), eps); },
                  lesson.x, lesson.dy * lesson.by_hand.weight);
  return {in_xhat.grad().item(), in_var.grad().item(), x.grad(), detached};
}

/// The second part by the formula: -2 dvar (mean - centre), where var and dvar are taken around the centre.
double part_through_var(const Lesson& lesson, const Tensor& centre) {
  const Tensor deviation = lesson.x - centre;
  const double var = deviation.square().mean().item() + lesson.example.eps;
  const double sum = (lesson.dy * lesson.example.weight * deviation).sum().item();
  const double dvar = -sum * std::pow(var, -1.5) / 2;
  return -2 * dvar * (lesson.expected.mean - centre.item());
}

void other_centres(Page& page, const Lesson& lesson) {
  page.say(R"(It vanishes for this mean only. Normalise around something else, and deviations no longer sum to zero:
      around a mean that gives the first values more weight than the last, or around the mean plus a constant.)");
  TextTable table({"centre", "part, direct", "part, through var", "dx is off without it"});
  for (const Centre& centre : centres) {
    const Parts p = parts_of(lesson, centre);
    table.row(centre.name, p.direct, p.through_var, percent(relative(p.dx_detached, p.dx)));
  }
  page.show(table);
  for (const Centre& centre : centres) {
    page.near("around the " + std::string(centre.name) + " the part through var is -2 dvar (mean - centre)",
              parts_of(lesson, centre).through_var, part_through_var(lesson, centre.of(lesson.x)));
  }
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

void three_paths(Page& page, const Lesson& lesson) {
  page.say(R"("Mean and variance are just numbers: why do they have gradients?" They are numbers that x has made. A
      change of one x reaches the loss on three paths: directly, since xhat = (x - mean) rstd; through var, which
      changes rstd for the whole batch; and through mean, which moves the whole batch. dx is the sum of three
      vectors:)");
  page.show(
      "    direct        dxhat rstd\n"
      "    through var   dvar 2 (x - mean) / N\n"
      "    through mean  dmean / N\n");
  const Derivatives d = lesson.by_hand.backward(lesson.dy, lesson.by_hand.forward(lesson.x));
  const Tensor truth =
      gradient_of([&](const Tensor& x) { return (x - mean_of(x)) * rstd_of(x - mean_of(x), lesson.example.eps); },
                  lesson.x, lesson.dy * lesson.by_hand.weight);
  page.table({"x", "direct", "through var", "through mean", "dx by hand", "dx, autograd"}, lesson.x, d.direct,
             d.through_var, d.through_mean, d.x, truth);
  const Expected& e = lesson.expected;
  page.equals("direct", d.direct, e.direct);
  page.equals("through var", d.through_var, e.through_var);
  page.near("through mean = " + text_of(e.through_mean[0]) + " for each x", d.through_mean, e.through_mean);
  page.near("the three add up to dx", d.direct + d.through_var + d.through_mean, truth);
  page.say("detach() cuts a path. With the other two cut, autograd sees one path alone:");
  const Paths alone = paths_of(lesson.by_hand, lesson.x, lesson.dy);
  page.near("direct is what is left with mean and rstd detached", d.direct, alone.direct);
  page.near("through var: only the variance may see x", d.through_var, alone.through_var);
  page.near("through mean: only the mean may see x", d.through_mean, alone.through_mean);
  page.say("Who takes mean and var for constants keeps one path of three, and dx is off by " +
           percent(relative(e.direct, e.dx), 0) + " of its largest element.");
}

void vanishing_term(Page& page, const Lesson& lesson) {
  const Derivatives d = lesson.by_hand.backward(lesson.dy, lesson.by_hand.forward(lesson.x));
  page.say(R"(The mean occurs in two places: in x - mean, and in the variance. So its derivative has two parts. Some
      implementations have both, some only the first, and each has been reported as a bug of the other:)");
  const double direct = -d.direct.sum().item(), through_var = -d.through_var.sum().item();
  page.show("    dmean = -sum dxhat rstd  -  dvar sum 2 (x - mean) / N\n          = " + text_of(direct) + "  -  " +
            text_of(-through_var) + "\n");
  page.say(R"(Deviations from the mean sum to zero, so the second part is zero, and nobody is wrong. Three proofs by
      running: leave the part in; leave it out; detach the mean inside the variance, so that autograd does not even see
      it.)");
  const Tensor left_out = d.direct + d.through_var - d.direct.sum() / static_cast<double>(lesson.x.size(0));
  const Parts parts = parts_of(lesson, centres[0]);
  page.table({"x", "both parts", "first part only", "mean detached in var", "autograd"}, lesson.x, d.x, left_out,
             parts.dx_detached, parts.dx);
  page.near("the part that comes directly is " + text_of(lesson.expected.dmean), direct, lesson.expected.dmean);
  page.near("the part that comes through var is 0", through_var, 0);
  page.near("leaving it in gives dx", d.x, parts.dx);
  page.near("leaving it out gives the same dx", left_out, parts.dx);
  page.near("detaching the mean inside the variance gives the same dx", parts.dx_detached, parts.dx);
  other_centres(page, lesson);
}

}  // namespace lesson
