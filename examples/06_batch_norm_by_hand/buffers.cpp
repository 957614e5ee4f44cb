// Sections 12 and 13: the running buffers, and what the size of numbers does to a variance.
#include "lesson.hpp"

#include <algorithm>
#include <cmath>

namespace lesson {

namespace {

struct Moments {
  double mean, biased, unbiased;
};

Moments moments(const Tensor& x) { return {x.mean().item(), x.var({0, 1}, false).item(), x.var({0, 1}, true).item()}; }

/// The running buffers of a layer, by hand.
struct Buffers {
  double mean = 0, var = 1;

  void update(double batch_mean, double batch_var, double weight_of_new) {
    mean = (1 - weight_of_new) * mean + weight_of_new * batch_mean;
    var = (1 - weight_of_new) * var + weight_of_new * batch_var;
  }
  Tensor both() const { return tensor({mean, var}, float64); }
};

Tensor buffers_of(const nn::BatchNorm1d& layer) { return cat({layer.running_mean, layer.running_var}); }

void three_batches(Page& page) {
  nn::BatchNorm1d layer(1, {.dtype = float64}), plain(1, {.momentum = std::nullopt, .dtype = float64});
  TextTable table({"batch", "mean", "var / N", "/ (N - 1)", "running_mean, _var", "", "None: mean, var", ""}, 4);
  Buffers moving, average;
  double off = 0, average_off = 0;
  int count = 0;
  for (const Tensor& x : {column(default_example.x), column({2, 2, 6, 6}), column({0, 1, 3, 4})}) {
    const Moments m = moments(x);
    moving.update(m.mean, m.unbiased, 0.1);
    average.update(m.mean, m.unbiased, 1.0 / ++count);
    table.row(text_of(x), m.mean, m.biased, m.unbiased, moving.mean, moving.var, average.mean, average.var);
    layer(x);
    plain(x);
    off = std::max(off, distance(buffers_of(layer), moving.both()));
    average_off = std::max(average_off, distance(buffers_of(plain), average.both()));
  }
  page.show(table);
  page.claim("nn::BatchNorm1d has the same buffers after each of the three steps", off < 1e-14);
  page.claim("and so it has without momentum: the mean of 8, 4 and 2 is 14 / 3",
             average_off < 1e-14 && std::abs(average.mean - 14.0 / 3) < 1e-14);
}

/// How somebody keeps running statistics.
struct Convention {
  const char* name;
  const char* momentum;  // as it is called there
  double weight_of_new;
  bool unbiased;
  double first_var;
  double eps;
};

const Convention six_conventions[] = {
    {"gradus, PyTorch", "0.1", 0.1, true, 1, 1e-5},   {"Keras, for (N, C)", "0.99", 0.01, false, 1, 1e-3},
    {"CS231n", "0.9", 0.1, false, 0, 1e-5},           {"d2l (PyTorch)", "0.9", 0.9, false, 1, 1e-5},
    {"d2l (TensorFlow)", "0.9", 0.1, false, 1, 1e-5}, {"makemore", "0.1", 0.1, true, 1, 1e-5},
};

void conventions(Page& page) {
  page.say(R"(Whoever puts the biased variance into the buffer gets one that is too small by 1 / N on the average: by 25
      % for batches of 4, by 1.7 % for batches of 60. The same first batch, 1, 7, 9, 15, under six conventions; "new" is
      the weight of the new batch, and y is what evaluation then makes of x = 15 with weight = 2 and bias = 1:)");
  TextTable table({"", "momentum", "new", "variance", "start", "mean", "var", "y"}, 4);
  const Moments first = moments(column(default_example.x));
  std::vector<double> ys;
  for (const Convention& c : six_conventions) {
    Buffers b{0, c.first_var};
    b.update(first.mean, c.unbiased ? first.unbiased : first.biased, c.weight_of_new);
    ys.push_back((15 - b.mean) / std::sqrt(b.var + c.eps) * default_example.weight + default_example.bias);
    table.row(c.name, c.momentum, fixed(c.weight_of_new, 2), c.unbiased ? "/ (N - 1)" : "/ N", fixed(c.first_var, 0),
              b.mean, b.var, ys.back());
  }
  page.show(table);
  page.claim("six conventions, five answers: from " + fixed(*std::ranges::min_element(ys), 1) + " to " +
                 fixed(*std::ranges::max_element(ys), 1),
             ys[0] == ys[5] && ys[0] != ys[1] && ys[1] != ys[2] && ys[2] != ys[3] && ys[3] != ys[4]);
  page.say(R"(makemore also normalises by / (N - 1), so its y in training is another one. Two editions of one book, d2l,
      once printed the same 0.9 with opposite meanings; what Keras calls 0.99 is 0.01 here.)");
}

void evaluation_after_one_step(Page& page) {
  nn::BatchNorm1d layer = Lesson({.eps = 1e-5}).library_layer();
  const Tensor x = column(default_example.x);
  layer(x);
  const Moments m = moments(x);
  Buffers buffers;
  buffers.update(m.mean, m.unbiased, 0.1);
  page.near("the layer's buffers after that batch: " + text_of(buffers.mean) + " and " + text_of(buffers.var),
            buffers_of(layer), buffers.both(), 1e-12);
  layer.eval();
  const Tensor y = (x - buffers.mean) / std::sqrt(buffers.var + 1e-5) * default_example.weight + default_example.bias;
  page.near("and evaluation then gives y = " + text_of(y), layer(x), y, 1e-12);
}

double one_pass(const Tensor& x) { return (x.square().mean() - x.mean().square()).item(); }
double two_pass(const Tensor& x) { return (x - x.mean()).square().mean().item(); }

void squares_far_from_zero(Page& page) {
  page.say(R"(Textbooks offer var = mean(x^2) - mean(x)^2: one pass over the batch, and in float32 a trap. Take 1, 2, 4,
      8 and add 10,000, which changes no variance. The squares are near 1e8, where neighbouring float32 numbers are 8
      apart:)");
  const Tensor moved = column({1, 2, 4, 8}) + 1e4, narrow = moved.to(float32);
  TextTable squares({"x", "x^2", "x^2 in float32"}, 0);
  for (std::int64_t i = 0; i < 4; ++i) squares.row(moved[i], moved[i].square(), narrow[i].square());
  squares.row("mean of x^2", moved.square().mean(), narrow.square().mean());
  squares.row("square of mean", moved.mean().square(), narrow.mean().square());
  page.show(squares);
  page.claim("one pass in float32 says 8, and only multiples of 8 could be said; 7.1875 is right",
             one_pass(narrow) == 8 && two_pass(moved) == 7.1875);
  page.claim("two passes in float32, first the mean, then the squares of x - mean, say 7.1875",
             two_pass(narrow) == 7.1875);
}

void means_of_every_size(Page& page) {
  page.say(R"(Now 64 standard normal values (seed 42), around means of different size. The last column is what
      nn::BatchNorm1d makes of the float32 values, beside y in float64:)");
  TextTable table({"mean", "true var", "one pass", "two passes", "one, double", "y is off by"});
  double at_1e4 = 0, truth_at_1e4 = 0, two_off = 0, layer_off = 0;
  for (const double shift : {0.0, 1e2, 1e4, 1e6}) {
    Generator seed(42);
    const Tensor x = (randn({64, 1}, float32, seed) + shift).to(float32), wide = x.to(float64);
    const double truth = two_pass(wide), one = one_pass(x), two = two_pass(x);
    nn::BatchNorm1d layer(1);
    const double off = distance(layer(x), ByHand{column({1}), column({0})}.forward(wide).y);
    table.row(fixed(shift, 0), truth, one, two, one_pass(wide), scientific(off, 0));
    if (shift == 1e4) at_1e4 = one, truth_at_1e4 = truth;
    if (shift <= 1e4) two_off = std::max(two_off, std::abs(two / truth - 1));
    layer_off = std::max(layer_off, off);
  }
  page.show(table);
  page.claim("around 1e4 one pass in float32 gives a negative variance, whose root is NaN; " + fixed(truth_at_1e4, 3) +
                 " is right",
             at_1e4 < 0 && std::isnan(std::sqrt(at_1e4 + 1e-5)));
  page.claim("two passes hold up to 1e4 (1 part in 1e6); beyond, the mean itself no longer fits in a float32",
             two_off < 1e-6, "off by " + scientific(two_off));
  page.claim("nn::BatchNorm1d rounds y once, around every mean", layer_off < 3e-7, "off by " + scientific(layer_off));
}

}  // namespace

void running_statistics(Page& page, const Lesson&) {
  page.say(R"(Evaluation needs statistics that depend on no batch: averages over the batches of training. Two
      conventions meet here and both are traps. The batch is normalised by its own variance, / N (biased); what enters
      running_var is the estimate for the population, / (N - 1) (unbiased). And momentum is the weight of the new batch:
      new = (1 - momentum) old + momentum batch. Without a momentum (None, nullopt) the buffers are the plain mean over
      all batches, which is how the paper makes its statistics for inference.)");
  three_batches(page);
  conventions(page);
  evaluation_after_one_step(page);
}

void numerics(Page& page, const Lesson&) {
  squares_far_from_zero(page);
  means_of_every_size(page);
  page.say(R"(The layer carries its sums and its mean in double, takes for float32 one pass where mean^2 <= 256 var, so
      that no digit that counts is lost, and two where the mean is larger. Subtracting comes before scaling, so a value
      equal to the mean gives exactly bias.)");
}

}  // namespace lesson
