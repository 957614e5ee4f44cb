// Sections 9 and 10: what the batch does to its members, in training and in evaluation.
#include "sections.hpp"

#include <gradus/core/autograd.hpp>
#include <gradus/core/random.hpp>
#include <gradus/nn/batch_norm.hpp>

#include <algorithm>
#include <cmath>

using namespace gradus;

namespace lesson {

namespace {

/// What becomes of one example, x = 1, and of dy, in many random batches.
struct Company {
  double spread_of_mean, spread_of_xhat, kept;
};

Company company(const Tensor& all, std::int64_t n, int batches, const Mistakes& mistakes) {
  const Tensor weight = column({2}), bias = column({0});
  std::vector<double> means, xhats, shares;
  for (int i = 0; i < batches; ++i) {
    const Tensor others = all.index_select(0, randperm(all.size(0)).narrow(0, 0, n - 1));
    const Tensor x = cat({column({1}), others}), dy = randn({n, 1}, float64);
    const Nodes node = forward(x, weight, bias, mistakes);
    const Tensor full_size = weight * node.rstd * dy, dx = backward(dy, node, weight, mistakes).x;
    means.push_back(node.mean.item());
    xhats.push_back(node.xhat[0].item());
    shares.push_back((dx.square().sum() / full_size.square().sum()).item());
  }
  const auto spread = [](const std::vector<double>& v) { return column(v).var({0}, false).sqrt().item(); };
  return {spread(means), spread(xhats), std::sqrt(column(shares).mean().item())};
}

/// The Jacobian dy/dx from unit vectors: `backward(e)` is row e of it.
template <class F>
Tensor jacobian(std::int64_t n, F backward) {
  std::vector<Tensor> rows;
  for (std::int64_t i = 0; i < n; ++i) {
    Tensor unit = zeros({n, 1}, float64);
    unit[i].fill_(1);
    rows.push_back(backward(unit).reshape({n}));
  }
  return stack(rows);
}

nn::BatchNorm1d layer_like(const Example& in) {
  nn::BatchNorm1d layer(1, {.momentum = 1, .dtype = float64});
  layer.weight.detach().copy_(in.weight.reshape({1}));
  layer.bias.detach().copy_(in.bias.reshape({1}));
  return layer;
}

}  // namespace

void batch_sizes(Page& page, const Mistakes& mistakes) {
  page.say(
      "N = 1. Then mean = x and var = 0: x - mean is 0 and so is the deviation: 0/0. With eps it is 0/sqrt(eps), so "
      "xhat = 0 and y = bias for every x: nothing of x is left, and nothing could be learned. In training "
      "gradus refuses such a batch, as PyTorch does, before any buffer has changed:");
  nn::BatchNorm1d layer(1, {.dtype = float64});
  std::string refusal;
  try {
    layer(column({7}));
  } catch (const ValueError& e) {
    refusal = e.what();
  }
  page.show("    " + refusal.substr(0, refusal.find('\n')) + "\n    " + refusal.substr(refusal.find('\n') + 1) + "\n");
  const Example in = example();
  const Nodes lonely = forward(column({7}), in.weight, in.bias);
  page.claim("by hand, N = 1 and x = 7 give y = bias and dx = 0",
             lonely.y.item() == 0.5 && backward(column({3}), lonely, in.weight, mistakes).x.item() == 0);
  page.claim("nn::BatchNorm1d refuses it, and counts no batch",
             refusal.starts_with("Expected more than 1 value per channel when training") &&
                 layer.num_batches_tracked.item<int>() == 0);

  page.say(
      "N = 2. Two values lie one deviation above and below their mean, wherever they are: xhat says which is the "
      "larger and nothing else. dx has N - 2 = 0 directions left.");
  Table pairs({"x", "", "dy", "", "xhat", "", "dx by hand", ""});
  const Tensor dy = column({1, -0.5});
  double largest_dx = 0, furthest = 0;
  for (const auto& x : {column({3, 4}), column({-50, 50}), column({8, 2})}) {
    const Nodes node = forward(x, in.weight, in.bias, mistakes);
    const Tensor dx = backward(dy, node, in.weight, mistakes).x;
    pairs.row(fixed(x[0].item(), 0), fixed(x[1].item(), 0), fixed(1, 1), fixed(-0.5, 1), node.xhat, dx);
    largest_dx = std::max(largest_dx, dx.abs().max().item());
    furthest = std::max(furthest, distance(node.xhat.abs(), ones({2, 1}, float64)));
  }
  page.show(pairs);
  page.claim("xhat = 1 and -1, but for eps", furthest < 1e-4, "off by " + scientific(furthest));
  page.claim("dx = 0, but for eps (0.00012 = weight rstd eps / (var + eps) |dy| for 3 and 4)", largest_dx < 2e-4,
             "up to " + scientific(largest_dx));

  page.say(
      "Larger batches. One example, x = 1, meets random others out of 1800 standard normal values, 200 times. How "
      "much do the mean of the batch and its own xhat vary? And how much of dy survives, |dx| / (weight rstd |dy|)? "
      "On the average sqrt((N - 2) / N), for two of N directions are lost.");
  manual_seed(10);
  const Tensor all = randn({1800, 1}, float64);
  Table table({"N", "spread of the mean", "spread of its xhat", "kept of dy", "sqrt((N - 2) / N)"}, 4);
  double kept_off = 0;
  Company last = {INFINITY, INFINITY, 0};
  bool calmer = true;
  for (const std::int64_t n : {2, 4, 60, 1801}) {
    const Company c = company(all, n, n == 1801 ? 5 : 200, mistakes);
    const double expected = std::sqrt(static_cast<double>(n - 2) / static_cast<double>(n));
    table.row(n == 1801 ? "all" : std::to_string(n), c.spread_of_mean, c.spread_of_xhat, c.kept, expected);
    kept_off = std::max(kept_off, std::abs(c.kept - expected));
    calmer = calmer && c.spread_of_mean < last.spread_of_mean && c.spread_of_xhat < last.spread_of_xhat;
    last = c;
  }
  page.show(table);
  page.claim("the share of dy that survives is what counting directions says, within 0.05", kept_off < 0.05);
  page.claim("the larger the batch, the less an example depends on its company", calmer);
}

void train_and_eval(Page& page, const Mistakes& mistakes) {
  page.say(
      "Evaluation normalises by the running buffers, which are constants: two of the three paths of section 3 are "
      "gone. To compare nothing but the derivatives, let the buffers hold exactly the mean and the variance of this "
      "batch; then y is the same in both modes, and dx is not:");
  const Example in = example();
  const Nodes node = forward(in.x, in.weight, in.bias, mistakes);
  nn::BatchNorm1d layer = layer_like(in);
  layer.running_mean.fill_(3.75);
  layer.running_var.fill_(7.1875);
  layer.eval();
  const Tensor leaf = in.x.clone().requires_grad_();
  const auto eval_backward = [&](const Tensor& dy) { return grad({layer(leaf)}, {leaf}, {.grad_outputs = {dy}})[0]; };
  const auto train_backward = [&](const Tensor& dy) { return backward(dy, node, in.weight, mistakes).x; };
  layer.train();
  const Tensor y_train = layer_like(in)(in.x), dx_train = train_backward(in.dy);
  layer.eval();
  const Tensor y_eval = layer(in.x), dx_eval = eval_backward(in.dy);
  Table table({"", "example 1", "2", "3", "4"});
  table.row("x", in.x);
  table.row("dy", in.dy);
  table.row("y, training", y_train);
  table.row("y, evaluation", y_eval);
  table.row("dx, training, by hand", dx_train);
  table.row("dx, evaluation", dx_eval);
  page.show(table);
  page.near("y is the same", y_eval, y_train);
  page.near("dx in evaluation is the direct path: weight rstd dy = 0.746003, -0.746003, 1.492007, 0.373002", dx_eval,
            column({0.746003327633595, -0.746003327633595, 1.49200665526719, 0.3730016638167975}));
  page.near("dx in training is 0.395706, -1.138466, 1.015213, -0.272453", dx_train,
            column({0.39570595159040606, -1.138466050486896, 1.0152132387936652, -0.27245313989717523}));

  page.say(
      "The whole derivative of y by x is a matrix. In training every y depends on every x; in evaluation each y "
      "depends on its own x alone.");
  const Tensor in_training = jacobian(4, train_backward), in_evaluation = jacobian(4, eval_backward);
  Table matrices({"dy/dx, training, by hand", "", "", "", "dy/dx, evaluation", "", "", ""});
  for (std::int64_t i = 0; i < 4; ++i) matrices.row(in_training[i], in_evaluation[i]);
  page.show(matrices);
  const double scale = 2 * 0.3730016638167975;
  page.say(
      "What the matrix of training does to vectors: a constant and xhat are the two directions that y ignores; "
      "at right angles to both, it only multiplies by weight rstd = 0.746003. Its rank is two less than N, but for "
      "eps.");
  const Tensor xhat = (in.x - 3.75) * 0.3730016638167975, constant = ones({4, 1}, float64);
  const Tensor third = column({1, -1.5, 0.5, 0}), across = third - xhat * ((third * xhat).sum() / xhat.square().sum());
  const auto stretch = [&](const Tensor& v) { return ((in_training.matmul(v) * v).sum() / v.square().sum()).item(); };
  Table vectors({"", "vector", "", "", "", "times"});
  vectors.row("constant", constant, fixed(stretch(constant)));
  vectors.row("xhat", xhat, scientific(stretch(xhat), 3));
  vectors.row("right angles", across, fixed(stretch(across)));
  page.show(vectors);
  const double shrunk = scale * kEps / (7.1875 + kEps);
  page.near("constant: times 0", in_training.matmul(constant), zeros({4, 1}, float64));
  page.near("xhat: times weight rstd eps / (var + eps) = 1.038e-06", in_training.matmul(xhat), xhat * shrunk, 1e-14);
  page.near("at right angles to both: times weight rstd", in_training.matmul(across), across * scale);
  page.near("the matrix of evaluation is weight / sqrt(running_var + eps) on the diagonal, 0 elsewhere", in_evaluation,
            eye(4, float64) * scale);
}

}  // namespace lesson
