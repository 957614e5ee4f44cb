#include "check.hpp"

#include <gradus/gradus.hpp>

#include <cmath>

using namespace gradus;

namespace exercise {

namespace {

constexpr std::int64_t row_count = 5, column_count = 3;

/// A line of the exercise, in order.
struct Line {
  const char* name;
  Tensor Derivatives::*value;
  const char* hint;
};

const Line formula_lines[] = {
    {"bias", &Derivatives::bias,
     "y = scaled + bias adds the same bias to every row: each row hands a share back to it"},
    {"scaled", &Derivatives::scaled, "y = scaled + bias: what does y do when scaled grows by a little?"},
    {"weight", &Derivatives::weight, "scaled = xhat * weight: weight is used once for each row, next to xhat"},
    {"xhat", &Derivatives::xhat, "scaled = xhat * weight: how much does scaled grow when xhat does?"},
    {"rstd", &Derivatives::rstd, "xhat = centered * rstd: rstd is used once for each row, next to centered"},
    {"std", &Derivatives::std, "rstd = 1 / std: the derivative of 1/s is -1/s^2, and 1/s is rstd"},
    {"var", &Derivatives::var, "std = sqrt(var + eps): the derivative of a root has the root itself below"},
    {"square", &Derivatives::square, "var = sum square / N: each of the N squares has the same share in var"},
    {"direct", &Derivatives::direct, "xhat = centered * rstd: how much does xhat grow when centered does?"},
    {"through_var", &Derivatives::through_var, "square = centered^2: the derivative of a square has the number itself"},
    {"centered", &Derivatives::centered, "centered is used twice: both uses hand something back, and it all adds up"},
    {"mean", &Derivatives::mean, "centered = x - mean: the same mean is taken from every row; mind the sign"},
    {"through_mean", &Derivatives::through_mean, "mean = sum x / N: each x has the same share in mean"},
    {"x", &Derivatives::x, "x is used in centered and in mean"},
};

/// A random batch, and what autograd says of every line.
struct Batch {
  Generator seed{11};
  Tensor x = randn({row_count, column_count}, float64, seed) * 2 + 1,
         weight = randn({1, column_count}, float64, seed) + 2;
  Tensor bias = randn({1, column_count}, float64, seed), dy = randn({row_count, column_count}, float64, seed);
  Nodes node = lesson::ByHand{weight, bias}.forward(x);
  std::map<std::string, Tensor> right = lesson::gradients_of_nodes({weight, bias}, x, dy);

  /// The two shares of centered and that of mean follow from the others.
  Batch() {
    right["direct"] = right["xhat"] * node.rstd;
    right["through_var"] = right["centered"] - right["direct"];
    right["through_mean"] = right["x"] - right["centered"];
  }
};

bool agrees(const Tensor& a, const Tensor& b) {
  if (a.shape() != b.shape()) return false;
  return (a - b).abs().max().item() <= 1e-9 * std::max(1.0, b.abs().max().item());
}

std::string wrong_shape(const Tensor& got, const Tensor& right) {
  std::string text = "has the shape " + to_string(got.shape()) + " where " + to_string(right.shape()) + " is expected";
  const bool per_row = got.dim() == 2 && got.size(0) == row_count;
  if (per_row && right.size(0) == 1) text += ": the sum over the batch is missing";
  if (got.shape() == Shape{column_count}) text += ": sum(over_batch, true) keeps the dimension that it sums up";
  if (!per_row && right.size(0) == row_count) text += ": it has one value for each row";
  return text;
}

/// What a wrong value looks like; empty if nothing is recognised.
std::string wrong_value(const std::string& name, const Tensor& got, const Batch& b) {
  const Tensor& value = b.right.at(name);
  if (agrees(got, -value)) return "has the wrong sign";
  if (agrees(got, value * row_count)) return "is N times too large: where does 1/N belong?";
  if (agrees(got * row_count, value)) return "is N times too small: 1/N counts once";
  if (agrees(got * (row_count - 1), value * row_count)) return "divides by N - 1: this variance is divided by N";
  if (agrees(got * 2, value)) return "is half of what it should be: a factor 2 is missing";
  if (agrees(got, value * 2)) return "is twice what it should be";
  if (agrees(got * b.weight, value)) return "forgets weight";
  if (agrees(got, value * b.weight)) return "has weight once too often";
  if (name == "centered" || name == "x") {
    for (const char* path : {"direct", "through_var", "through_mean"}) {
      if (agrees(got + b.right.at(path), value)) return "lacks a path to x: " + std::string(path);
    }
    if (agrees(got, b.right.at("direct"))) return "lacks a path to x: only direct is left";
  }
  if (name == "mean" && agrees(got, -b.right.at("through_var").sum(lesson::over_batch, true)))
    return "lacks the direct share";
  return "";
}

std::string diagnosis(const Line& line, const Tensor& got, const Batch& b) {
  const Tensor& value = b.right.at(line.name);
  if (!got.defined()) return "is not filled in yet";
  if (got.dtype() != float64) return "has another dtype than dy";
  if (got.shape() != value.shape()) return wrong_shape(got, value);
  if (agrees(got, value)) return "";
  const std::string recognised = wrong_value(line.name, got, b);
  return recognised.empty() ? "has the right shape, but another value than autograd finds" : recognised;
}

}  // namespace

std::optional<Mistake> first_mistake(Backward backward) {
  const Batch b;
  Derivatives d;
  std::string error;
  try {
    backward(b.dy, b.node, b.weight, d);
  } catch (const Error& e) {
    error = e.what();
  }
  for (const Line& line : formula_lines) {
    std::string wrong = diagnosis(line, d.*line.value, b);
    if (wrong.empty()) continue;
    if (!error.empty() && !(d.*line.value).defined()) wrong += ", and a line stops with an error: " + error;
    return Mistake{std::string("d.") + line.name, wrong, line.hint};
  }
  return std::nullopt;
}

}  // namespace exercise
