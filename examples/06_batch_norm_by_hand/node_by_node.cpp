// Sections 1 and 2: every node forward, every node backward.
#include "sections.hpp"

#include <gradus/core/autograd.hpp>
#include <gradus/nn/batch_norm.hpp>

#include <algorithm>
#include <map>
#include <utility>

using namespace gradus;

namespace lesson {

namespace {

using Named = std::vector<std::pair<std::string, Tensor>>;

/// The nodes of a forward pass by name, in its order.
Named nodes_of(const Example& in, const Mistakes& mistakes) {
  Named nodes;
  forward(in.x, in.weight, in.bias, mistakes, [&](const char* name, const Tensor& node) {
    nodes.emplace_back(name, node);
    return node;
  });
  return nodes;
}

/// y as the layer of the library computes it.
Tensor layer_output(const Example& in) {
  nn::BatchNorm1d layer(1, {.dtype = float64});
  layer.weight.detach().copy_(in.weight.reshape({1}));
  layer.bias.detach().copy_(in.bias.reshape({1}));
  return layer(in.x);
}

const std::map<std::string, const char*> kForward = {
    {"mean", "sum x / N"},     {"centered", "x - mean"}, {"square", "centered^2"}, {"var", "sum square / N"},
    {"shifted", "var + eps"},  {"std", "sqrt(shifted)"}, {"rstd", "1 / std"},      {"xhat", "centered rstd"},
    {"scaled", "xhat weight"}, {"y", "scaled + bias"},
};

struct Step {
  const char* name;
  const char* formula;
  Tensor Derivatives::*by_hand;
};

const Step kBackward[] = {
    {"y", "dy, given", &Derivatives::y},
    {"bias", "sum dy", &Derivatives::bias},
    {"scaled", "dy", &Derivatives::scaled},
    {"weight", "sum dscaled xhat", &Derivatives::weight},
    {"xhat", "dscaled weight", &Derivatives::xhat},
    {"rstd", "sum dxhat centered", &Derivatives::rstd},
    {"std", "-drstd rstd^2", &Derivatives::std},
    {"shifted", "dstd / (2 std)", &Derivatives::shifted},
    {"var", "dshifted", &Derivatives::var},
    {"square", "dvar / N", &Derivatives::square},
    {"centered", "dxhat rstd + dsquare 2 centered", &Derivatives::centered},
    {"mean", "-sum dcentered", &Derivatives::mean},
    {"x", "dcentered + dmean / N", &Derivatives::x},
};

/// What autograd says: the same forward pass, whose nodes keep their gradients.
std::map<std::string, Tensor> autograd(const Example& in, const Mistakes& mistakes) {
  std::map<std::string, Tensor> nodes = {{"x", in.x.clone()}, {"weight", in.weight.clone()}, {"bias", in.bias.clone()}};
  for (auto& [name, leaf] : nodes) leaf.requires_grad_();
  const Nodes node = forward(nodes["x"], nodes["weight"], nodes["bias"], mistakes, [&](const char* name, Tensor value) {
    value.retain_grad();
    return nodes[name] = value;
  });
  (node.y * in.dy).sum().backward();
  for (auto& [name, value] : nodes) value = value.grad();
  return nodes;
}

/// The loss when one element of one node is `step` more than it should be.
double pushed_loss(const Example& in, const Mistakes& mistakes, const std::string& pushed, std::int64_t element,
                   double step) {
  const auto push = [&](const std::string& name, const Tensor& value) {
    if (name != pushed) return value;
    const Tensor more = value.clone();
    more.reshape({-1})[element].add_(step);
    return more;
  };
  const Nodes node = forward(push("x", in.x), push("weight", in.weight), push("bias", in.bias), mistakes, push);
  return (node.y * in.dy).sum().item();
}

/// What central differences say, in the shape of `like`.
Tensor differences(const Example& in, const Mistakes& mistakes, const std::string& name, const Tensor& like) {
  constexpr double h = 1e-5;
  Tensor gradient = zeros_like(like);
  for (std::int64_t i = 0; i < like.numel(); ++i) {
    gradient.data<double>()[static_cast<std::size_t>(i)] =
        (pushed_loss(in, mistakes, name, i, h) - pushed_loss(in, mistakes, name, i, -h)) / (2 * h);
  }
  return gradient;
}

}  // namespace

void forward_node_by_node(Page& page, const Mistakes& mistakes) {
  const Example in = example();
  page.say(
      "One channel of a batch of N = 4: x = 1, 2, 4, 8, a column that can be followed with pencil and paper. The "
      "layer has weight = 2, bias = 0.5 and eps = 1e-5. Ten small steps lead from x to y. Each result is a tensor "
      "(N, C) = (4, 1), or (1, 1) where the batch was summed up.");
  Table table({"node", "formula", "shape", "value", "", "", ""});
  const Named nodes = nodes_of(in, mistakes);
  for (const auto& [name, value] : nodes) table.row(name, kForward.at(name), to_string(value.shape()), value);
  table.row("", "y of nn::BatchNorm1d", "[4, 1]", layer_output(in));
  page.show(table);

  const std::map<std::string, Tensor> node(nodes.begin(), nodes.end());
  page.near("mean = 15 / 4 = 3.75", node.at("mean"), column({3.75}));
  page.near("var = 28.75 / 4 = 7.1875: the batch is described, not a population guessed, so N divides", node.at("var"),
            column({7.1875}));
  page.near("rstd = 1 / sqrt(var + eps) = 0.373002", node.at("rstd"), column({0.3730016638167975}));
  page.near("xhat is, to 12 digits, what NumPy computes", node.at("xhat"),
            column({-1.0257545754961932, -0.6527529116793956, 0.09325041595419938, 1.5852570712213894}));
  page.near("so is y", node.at("y"),
            column({-1.5515091509923864, -0.8055058233587913, 0.6865008319083987, 3.6705141424427787}));
  page.near("it is the y of nn::BatchNorm1d", node.at("y"), layer_output(in));
  page.near("xhat has the mean 0", node.at("xhat").mean(), zeros({}, float64));
  page.near("and the variance var / (var + eps), which is a little less than 1", node.at("xhat").square().mean().item(),
            7.1875 / (7.1875 + kEps));
}

void backward_node_by_node(Page& page, const Mistakes& mistakes) {
  const Example in = example();
  page.say(
      "Now let some loss follow whose derivative by y is dy = 1, -1, 2, 0.5. Backward, each node hands on what the "
      "nodes after it said, times its own derivative; a node used in two places (centered) adds up what both "
      "say. Every line is computed three times: by hand, from the formula beside it; by autograd, which has kept "
      "the gradient of every node of the very same forward pass (retain_grad); and by central differences: the "
      "node is pushed up and down by 1e-5 and the loss is watched. The column of autograd needs no more than this:");
  page.show(
      "    Nodes node = forward(x, ..., [](const char*, Tensor value) { return value.retain_grad(); });\n"
      "    (node.y * dy).sum().backward();\n"
      "    node.xhat.grad()  // and so on\n");
  const Derivatives d = backward(in.dy, forward(in.x, in.weight, in.bias, mistakes), in.weight, mistakes);
  const std::map<std::string, Tensor> kept = autograd(in, mistakes);

  Table table({"gradient", "formula", "by hand", "autograd", "differences"});
  double to_autograd = 0, to_differences = 0;
  for (const Step& step : kBackward) {
    const Tensor by_hand = d.*step.by_hand, by_autograd = kept.at(step.name);
    const Tensor by_differences = differences(in, mistakes, step.name, by_hand);
    for (std::int64_t i = 0; i < by_hand.numel(); ++i) {
      table.row(i == 0 ? std::string("d") + step.name : "", i == 0 ? step.formula : "", by_hand[i], by_autograd[i],
                by_differences[i]);
    }
    to_autograd = std::max(to_autograd, distance(by_hand, by_autograd));
    to_differences = std::max(to_differences, distance(by_hand, by_differences));
  }
  page.show(table);

  page.claim("by hand = autograd at all 13 places, to 12 digits", to_autograd <= 1e-12,
             "the largest distance is " + scientific(to_autograd));
  page.claim("by hand = central differences, as far as those are exact (1e-8)", to_differences <= 1e-8,
             "the largest distance is " + scientific(to_differences));
  page.near("dbias = 2.5", d.bias, column({2.5}));
  page.near("dweight = 0.606128", d.weight, column({0.6061277037022959}));
  page.near("dvar = -0.084331", d.var, column({-0.08433069362022395}));
  page.near("dmean = -1.865008", d.mean, column({-1.8650083190839875}));
  page.near("dx = 0.395706, -1.138466, 1.015213, -0.272453", d.x,
            column({0.39570595159040606, -1.138466050486896, 1.0152132387936652, -0.27245313989717523}));
}

}  // namespace lesson
