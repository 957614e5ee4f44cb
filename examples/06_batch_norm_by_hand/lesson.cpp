#include "lesson.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace lesson {

namespace {

double sum(const std::vector<double>& values) { return std::accumulate(values.begin(), values.end(), 0.0); }

double largest(const std::vector<double>& values) {
  double most = 0;
  for (const double v : values) most = std::max(most, std::abs(v));
  return most;
}

/// The size of what is added up to a gradient: N terms dy, and as many times 1/std where it is taken by x.
double rounded_terms(const Example& e, const Expected& expected) {
  return static_cast<double>(e.dy.size()) * largest(e.dy) * std::max(1.0, expected.rstd);
}

bool usable(double value) { return std::isfinite(value) && std::abs(value) <= 1e6; }

}  // namespace

void check(const Example& e) {
  constexpr std::size_t most = 8;
  if (e.x.size() < 2 || e.x.size() > most)
    throw ValueError("--x takes 2 to 8 numbers, " + std::to_string(e.x.size()) + " given");
  if (e.dy.size() != e.x.size()) {
    throw ValueError("--dy takes as many numbers as --x: " + std::to_string(e.x.size()) + " expected, " +
                     std::to_string(e.dy.size()) + " given");
  }
  if (!std::ranges::all_of(e.x, usable) || !std::ranges::all_of(e.dy, usable) || !usable(e.weight) || !usable(e.bias)) {
    throw ValueError("--x, --dy, --weight and --bias take numbers between -1e6 and 1e6");
  }
  if (!(e.eps >= 0) || !usable(e.eps)) throw ValueError("--eps takes a number that is not negative");
  if (std::ranges::adjacent_find(e.x, std::not_equal_to<>()) == e.x.end()) {
    throw ValueError(
        "--x: all values are equal, so that var = 0 and only eps would be normalised; section 7 does that");
  }
  if (std::sqrt(Expected(e).var) < 1e-6 * std::max(1.0, largest(e.x))) {
    throw ValueError("--x: the values lie too close together for their differences to be printed");
  }
}

Expected::Expected(const Example& e) {
  const std::size_t count = e.x.size();
  const auto n = static_cast<double>(count);
  const auto each = [count](auto f) {
    std::vector<double> values;
    for (std::size_t i = 0; i < count; ++i) values.push_back(f(i));
    return values;
  };
  mean = sum(e.x) / n;
  for (const double v : e.x) var += (v - mean) * (v - mean) / n;
  std = std::sqrt(var + e.eps);
  rstd = 1 / std;
  const std::vector<double> normalised = each([&](std::size_t i) { return (e.x[i] - mean) / std; });
  dbias = sum(e.dy);
  for (std::size_t i = 0; i < count; ++i) dweight += e.dy[i] * normalised[i];
  dvar = -e.weight * dweight / (2 * std * std);
  dmean = -e.weight * dbias / std;
  xhat = column(normalised);
  y = column(each([&](std::size_t i) { return normalised[i] * e.weight + e.bias; }));
  direct = column(each([&](std::size_t i) { return e.weight * e.dy[i] / std; }));
  through_var = column(each([&](std::size_t i) { return -e.weight * normalised[i] * dweight / (n * std); }));
  through_mean = column(std::vector<double>(count, dmean / n));
  dx = column(each([&](std::size_t i) {
    double gradient = 0;
    for (std::size_t j = 0; j < count; ++j) {
      gradient += e.dy[j] * e.weight / std * ((i == j ? 1 : 0) - 1 / n - normalised[i] * normalised[j] / n);
    }
    return gradient;
  }));
}

Lesson::Lesson(const Example& numbers, const Mistakes& made)
    : example(numbers),
      expected(numbers),
      mistakes(made),
      x(column(numbers.x)),
      dy(column(numbers.dy)),
      by_hand{column({numbers.weight}), column({numbers.bias}), numbers.eps, made},
      precision(
          1e-12 * std::max(1.0, largest(numbers.x) * expected.rstd) *
          std::max({1.0, std::abs(numbers.bias), std::abs(numbers.weight) * (1 + rounded_terms(numbers, expected))})) {}

Tensor library_y(const ByHand& layer, const Tensor& x) {
  const nn::functional::BatchNormState state{.weight = layer.weight.reshape({-1}), .bias = layer.bias.reshape({-1})};
  return nn::functional::batch_norm(x, state, {.training = true, .eps = layer.eps});
}

nn::BatchNorm1d Lesson::library_layer() const {
  nn::BatchNorm1d layer(1, {.eps = example.eps, .dtype = float64});
  layer.weight.detach().copy_(by_hand.weight.reshape({1}));
  layer.bias.detach().copy_(by_hand.bias.reshape({1}));
  return layer;
}

double Lesson::dx_along_xhat() const {
  return example.weight * expected.rstd * example.eps / (expected.var + example.eps);
}

}  // namespace lesson
