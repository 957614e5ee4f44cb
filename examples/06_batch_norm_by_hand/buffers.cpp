// Sections 11 and 12: the running buffers, and what the size of numbers does to a variance.
#include "sections.hpp"

#include <gradus/core/random.hpp>
#include <gradus/nn/batch_norm.hpp>

#include <algorithm>
#include <cmath>

using namespace gradus;

namespace lesson {

namespace {

struct Moments {
  double mean, biased, unbiased;
};

Moments moments(const Tensor& x) { return {x.mean().item(), x.var({0, 1}, false).item(), x.var({0, 1}, true).item()}; }

/// How somebody keeps running statistics.
struct Convention {
  const char* name;
  const char* momentum;  // as it is called there
  double weight_of_new;
  bool unbiased;
  double first_var;
  double eps;
};

const Convention kConventions[] = {
    {"gradus, PyTorch", "0.1", 0.1, true, 1, 1e-5},   {"Keras, for (N, C)", "0.99", 0.01, false, 1, 1e-3},
    {"CS231n", "0.9", 0.1, false, 0, 1e-5},           {"d2l (PyTorch)", "0.9", 0.9, false, 1, 1e-5},
    {"d2l (TensorFlow)", "0.9", 0.1, false, 1, 1e-5}, {"makemore", "0.1", 0.1, true, 1, 1e-5},
};

double blend(double old, double batch, double weight_of_new) {
  return (1 - weight_of_new) * old + weight_of_new * batch;
}

std::string compact(const Tensor& x) {
  std::string text;
  for (const double v : x.data<double>()) text += (text.empty() ? "" : " ") + fixed(v, 0);
  return text;
}

}  // namespace

void running_statistics(Page& page, const Mistakes&) {
  page.say(
      "Evaluation needs statistics that depend on no batch: averages over the batches of training. Two conventions "
      "meet here and both are traps. The batch is normalised by its own variance, / N (biased); what enters "
      "running_var is the estimate for the population, / (N - 1) (unbiased). And momentum is the weight of the new "
      "batch: new = (1 - momentum) old + momentum batch. Without a momentum (None, nullopt) the buffers are the "
      "plain mean over all batches, which is how the paper makes its statistics for inference.");
  nn::BatchNorm1d layer(1, {.dtype = float64}), plain(1, {.momentum = std::nullopt, .dtype = float64});
  Table table({"batch", "mean", "var / N", "var / (N - 1)", "running_mean", "running_var", "None: mean", "var"}, 5);
  double mean = 0, var = 1, plain_mean = 0, plain_var = 1, off = 0, plain_off = 0;
  int count = 0;
  for (const Tensor& x : {column({1, 2, 4, 8}), column({2, 2, 6, 6}), column({0, 1, 3, 4})}) {
    const Moments m = moments(x);
    mean = blend(mean, m.mean, 0.1);
    var = blend(var, m.unbiased, 0.1);
    ++count;
    plain_mean = blend(plain_mean, m.mean, 1.0 / count);
    plain_var = blend(plain_var, m.unbiased, 1.0 / count);
    table.row(compact(x), m.mean, m.biased, m.unbiased, mean, var, plain_mean, plain_var);
    layer(x);
    plain(x);
    off = std::max({off, std::abs(layer.running_mean.item() - mean), std::abs(layer.running_var.item() - var)});
    plain_off = std::max(
        {plain_off, std::abs(plain.running_mean.item() - plain_mean), std::abs(plain.running_var.item() - plain_var)});
  }
  page.show(table);
  page.claim("nn::BatchNorm1d has the same buffers after each of the three steps", off < 1e-14);
  page.claim("and so it has without momentum: (3.75 + 4 + 2) / 3 = 3.25", plain_off < 1e-14 && plain_mean == 3.25);

  page.say(
      "Whoever puts the biased variance into the buffer gets one that is too small by 1 / N on the average: by 25 % "
      "for batches of 4, by 1.7 % for batches of 60. The same first batch, 1 2 4 8, under six conventions; "
      "\"that is\" names the weight of the new batch, and y is what evaluation then makes of x = 8 with weight = 2, "
      "bias = 0.5:");
  Table conventions({"", "momentum", "that is", "variance", "start", "running_mean", "running_var", "y"}, 4);
  const Moments first = moments(column({1, 2, 4, 8}));
  std::vector<double> means, vars, ys;
  for (const Convention& c : kConventions) {
    means.push_back(blend(0, first.mean, c.weight_of_new));
    vars.push_back(blend(c.first_var, c.unbiased ? first.unbiased : first.biased, c.weight_of_new));
    ys.push_back((8 - means.back()) / std::sqrt(vars.back() + c.eps) * 2 + 0.5);
    conventions.row(c.name, c.momentum, fixed(c.weight_of_new, 2), c.unbiased ? "/ (N - 1)" : "/ N",
                    fixed(c.first_var, 0), means.back(), vars.back(), ys.back());
  }
  page.show(conventions);
  page.say(
      "makemore also normalises by / (N - 1), so its y in training is another one. Two editions of one book, d2l, "
      "once printed the same 0.9 with opposite meanings; what Keras calls 0.99 is 0.01 here.");
  nn::BatchNorm1d once(1, {.dtype = float64});
  once.weight.detach().fill_(2);
  once.bias.detach().fill_(0.5);
  once(column({1, 2, 4, 8}));
  page.near("the layer's buffers after one step: 0.375 and 1.858333", cat({once.running_mean, once.running_var}),
            tensor({0.375, 1.8583333333333334}, float64));
  page.near("they are those of the first line", cat({once.running_mean, once.running_var}),
            tensor({means[0], vars[0]}, float64));
  once.eval();
  page.near("and evaluation then gives y = 1.416953, 2.884078, 5.818327, 11.686826 for x = 1, 2, 4, 8",
            once(column({1, 2, 4, 8})),
            column({1.416952916124555, 2.8840775819238433, 5.818326913522419, 11.686825576719572}));
  page.claim("six conventions, five answers: from " + fixed(*std::ranges::min_element(ys), 1) + " to " +
                 fixed(*std::ranges::max_element(ys), 1),
             ys[0] == ys[5] && ys[0] != ys[1] && ys[1] != ys[2] && ys[2] != ys[3] && ys[3] != ys[4]);
}

void numerics(Page& page, const Mistakes&) {
  page.say(
      "Textbooks offer var = mean(x^2) - mean(x)^2: one pass over the batch, and in float32 a trap. Take 1, 2, 4, 8 "
      "and add 10,000, which changes no variance. The squares are near 1e8, where neighbouring float32 numbers are "
      "8 apart:");
  const Tensor moved = column({1, 2, 4, 8}) + 1e4, narrow = moved.to(float32);
  Table squares({"x", "x^2", "x^2 in float32"}, 0);
  for (std::int64_t i = 0; i < 4; ++i) squares.row(moved[i], moved[i].square(), narrow[i].square());
  squares.row("mean of x^2", moved.square().mean(), narrow.square().mean());
  squares.row("square of mean", moved.mean().square(), narrow.mean().square());
  page.show(squares);
  const auto one_pass = [](const Tensor& x) { return (x.square().mean() - x.mean().square()).item(); };
  const auto two_pass = [](const Tensor& x) { return (x - x.mean()).square().mean().item(); };
  page.claim("one pass in float32 says 8, and only multiples of 8 could be said; 7.1875 is right",
             one_pass(narrow) == 8 && two_pass(moved) == 7.1875);
  page.claim("two passes in float32, first the mean, then the squares of x - mean, say 7.1875",
             two_pass(narrow) == 7.1875);

  page.say(
      "Now 64 standard normal values, around means of different size. The last column is what nn::BatchNorm1d makes "
      "of the float32 values, beside y in float64:");
  Table table({"mean", "true var", "one pass", "two passes", "one pass, double", "y of the layer off by"});
  double at_1e4 = 0, truth_at_1e4 = 0, two_off = 0, layer_off = 0;
  for (const double shift : {0.0, 1e2, 1e4, 1e6}) {
    manual_seed(42);
    const Tensor x = (randn({64, 1}) + shift).to(float32), wide = x.to(float64);
    const double truth = two_pass(wide), one = one_pass(x), two = two_pass(x);
    nn::BatchNorm1d layer(1);
    const Tensor y = layer(x);
    const Tensor exact = forward(wide, column({1}), column({0})).xhat;
    table.row(fixed(shift, 0), truth, one, two, one_pass(wide), scientific(distance(y, exact), 0));
    if (shift == 1e4) at_1e4 = one, truth_at_1e4 = truth;
    if (shift <= 1e4) two_off = std::max(two_off, std::abs(two / truth - 1));
    layer_off = std::max(layer_off, distance(y, exact));
  }
  page.show(table);
  page.claim("around 1e4 one pass in float32 gives a negative variance, whose root is NaN; " + fixed(truth_at_1e4, 3) +
                 " is right",
             at_1e4 < 0 && std::isnan(std::sqrt(at_1e4 + kEps)));
  page.claim("two passes hold up to 1e4 (1 part in 1e6); beyond, the mean itself no longer fits in a float32",
             two_off < 1e-6, "off by " + scientific(two_off));
  page.claim("nn::BatchNorm1d rounds y once, around every mean", layer_off < 3e-7, "off by " + scientific(layer_off));
  page.say(
      "The layer carries its sums and its mean in double, takes for float32 one pass where mean^2 <= 256 var, so "
      "that no digit that counts is lost, and two where the mean is larger. Subtracting comes before scaling, "
      "so a value equal to the mean gives exactly bias.");
}

}  // namespace lesson
