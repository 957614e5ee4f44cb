// Section 7: checks that pass with a wrong backward pass.
#include "sections.hpp"

#include <gradus/core/create.hpp>
#include <gradus/core/random.hpp>

#include <algorithm>
#include <array>

using namespace gradus;

namespace lesson {

namespace {

/// A way to check a backward pass against central differences.
struct Check {
  const char* name;
  bool random_dy = true;    // or the gradient of sum(y): ones
  bool looks_at_dx = true;  // or at dweight and dbias only, as when no layer comes before
  bool weight_is_one = false;
  Dtype dtype = float64;
  double step = 1e-5, tolerance = 1e-6;
};

/// Whether backward with these mistakes passes the check, on a batch (64, 2).
bool passes(const Check& check, const Mistakes& mistakes) {
  manual_seed(7);
  const Shape shape{64, 2}, channels{1, 2};
  const Tensor x = randn(shape, float64).to(check.dtype);
  const Tensor dy = check.random_dy ? randn(shape, float64).to(check.dtype) : ones(shape, check.dtype);
  const Tensor weight = check.weight_is_one ? ones(channels, check.dtype) : tensor({{1.7, -0.6}}, check.dtype);
  const Tensor bias = tensor({{0.3, 0.8}}, check.dtype);
  const Derivatives d = backward(dy, forward(x, weight, bias, mistakes), weight, mistakes);

  const auto agrees = [&](const Tensor& input, const Tensor& derivative) {
    Tensor differences = zeros(input.shape(), float64);
    for (std::int64_t i = 0; i < input.numel(); ++i) {
      double loss[2];
      for (const int side : {0, 1}) {
        const Tensor pushed = input.clone();
        pushed.reshape({-1})[i].add_(side == 0 ? check.step : -check.step);
        const auto instead = [&](const Tensor& v) { return v.is_same(input) ? pushed : v; };
        loss[side] = (forward(instead(x), instead(weight), instead(bias), mistakes).y * dy).sum().item();
      }
      differences.data<double>()[static_cast<std::size_t>(i)] = (loss[0] - loss[1]) / (2 * check.step);
    }
    return distance(derivative, differences) <= check.tolerance * std::max(1.0, differences.abs().max().item());
  };
  return agrees(weight, d.weight) && agrees(bias, d.bias) && (!check.looks_at_dx || agrees(x, d.x));
}

struct Suspect {
  const char* name;
  Mistakes mistakes;
};

}  // namespace

void lying_checks(Page& page, const Mistakes& mistakes) {
  page.say(
      "A backward pass is checked against central differences, and both agree: is it right? Four wrong ones are put "
      "to five checks here, beside the right one: without the path through the mean; without the path through var; "
      "with N - 1 in the forward pass and N in the backward pass; and with weight forgotten in dx. The batch is "
      "(64, 2).");
  const Suspect suspects[] = {{"by hand", mistakes},
                              {"no mean path", {.drop_mean_path = true}},
                              {"no var path", {.drop_var_path = true}},
                              {"N - 1 and N", {.biased_mix = true}},
                              {"no weight", {.drop_weight = true}}};
  const Check checks[] = {
      {.name = "loss = sum(y)", .random_dy = false},
      {.name = "no layer before: dweight, dbias only", .looks_at_dx = false},
      {.name = "weight = 1", .weight_is_one = true},
      {.name = "float32, 1 % allowed", .dtype = float32, .step = 1e-2, .tolerance = 1e-2},
      {.name = "float64, random dy, weight, dx"},
  };
  Table table({"check", "by hand", "no mean path", "no var path", "N - 1 and N", "no weight"});
  std::array<std::array<bool, 5>, 5> passed;
  for (std::size_t c = 0; c < 5; ++c) {
    for (std::size_t s = 0; s < 5; ++s) passed[c][s] = passes(checks[c], suspects[s].mistakes);
    const auto verdict = [&](std::size_t s) { return passed[c][s] ? "passes" : "found"; };
    table.row(checks[c].name, verdict(0), verdict(1), verdict(2), verdict(3), verdict(4));
  }
  page.show(table);
  using Row = std::array<bool, 5>;
  const auto wrong_ones = [&](std::size_t c) {
    return Row{true, passed[c][1], passed[c][2], passed[c][3], passed[c][4]};
  };
  page.claim("the backward pass by hand passes all five",
             passed[0][0] && passed[1][0] && passed[2][0] && passed[3][0] && passed[4][0]);
  page.claim("sum(y) finds one mistake of four: with dy = 1, dx is 0, and so are most wrong formulas",
             wrong_ones(0) == Row{true, false, true, true, true});
  page.claim("with nothing before the layer no mistake is found, for nobody looks at dx",
             wrong_ones(1) == Row{true, true, true, true, true});
  page.claim("weight = 1 hides a forgotten weight", wrong_ones(2) == Row{true, false, false, false, true});
  page.claim("float32 needs a tolerance, behind which 1 part in N hides",
             wrong_ones(3) == Row{true, false, false, true, false});
  page.claim("the fifth check finds every one", wrong_ones(4) == Row{true, false, false, false, false});
  page.say(
      "So: float64, a random dy, weight other than 1, and a look at dx. And once the check is green, break the "
      "formula and see it turn red.");
}

}  // namespace lesson
