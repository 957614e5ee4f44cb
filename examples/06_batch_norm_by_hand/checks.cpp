// Section 8: checks that pass with a wrong backward pass.
#include "lesson.hpp"

#include <array>

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

constexpr Check all_checks[] = {
    {.name = "loss = sum(y)", .random_dy = false},
    {.name = "no layer before it", .looks_at_dx = false},
    {.name = "weight = 1", .weight_is_one = true},
    {.name = "float32, 1 % allowed", .dtype = float32, .step = 1e-2, .tolerance = 1e-2},
    {.name = "float64, random dy"},
};

/// Whether backward with these mistakes passes the check, on a batch (64, 2).
bool passes(const Check& check, const Mistakes& mistakes) {
  Generator seed(7);
  const Shape shape{64, 2}, channels{1, 2};
  const Tensor x = randn(shape, float64, seed).to(check.dtype);
  const Tensor dy = check.random_dy ? randn(shape, float64, seed).to(check.dtype) : ones(shape, check.dtype);
  const Tensor weight = check.weight_is_one ? ones(channels, check.dtype) : tensor({{1.7, -0.6}}, check.dtype);
  const ByHand layer{weight, tensor({{0.3, 0.8}}, check.dtype), 1e-5, mistakes};
  const Derivatives d = layer.backward(dy, layer.forward(x));
  const auto right = [&](const char* name, const Tensor& derivative) {
    return agree(derivative, differences(layer, x, dy, name, derivative, check.step), check.tolerance);
  };
  return right("weight", d.weight) && right("bias", d.bias) && (!check.looks_at_dx || right("x", d.x));
}

}  // namespace

void lying_checks(Page& page, const Lesson& lesson) {
  page.say(R"(A backward pass is checked against central differences, and both agree: is it right? Four wrong ones are
      put to five checks here, beside the right one: without the path through the mean; without the path through var;
      with N - 1 in the forward pass and N in the backward pass; and with weight forgotten in dx. x and, but for the
      first check, dy are randn({64, 2}), seed 7; weight = 1.7, -0.6 and bias = 0.3, 0.8.)");
  TextTable table({"check", "by hand", "no mean path", "no var path", "N - 1, N", "no weight"});
  using Four = std::array<bool, 4>;
  std::vector<Four> passed;
  bool by_hand_passes = true;
  for (const Check& check : all_checks) {
    const bool by_hand = passes(check, lesson.mistakes);
    const Four wrong = {passes(check, {.drop_mean_path = true}), passes(check, {.drop_var_path = true}),
                        passes(check, {.biased_mix = true}), passes(check, {.drop_weight = true})};
    const auto verdict = [](bool passes) { return passes ? "passes" : "found"; };
    table.row(check.name, verdict(by_hand), verdict(wrong[0]), verdict(wrong[1]), verdict(wrong[2]), verdict(wrong[3]));
    passed.push_back(wrong);
    by_hand_passes = by_hand_passes && by_hand;
  }
  page.show(table);
  page.claim("the backward pass by hand passes all five", by_hand_passes);
  page.claim("sum(y) finds one mistake of four: with dy = 1, dx is 0, and most wrong formulas say so, too",
             passed[0] == Four{false, true, true, true});
  page.claim("with nothing before the layer no mistake is found, for nobody looks at dx",
             passed[1] == Four{true, true, true, true});
  page.claim("weight = 1 hides a forgotten weight", passed[2] == Four{false, false, false, true});
  page.claim("float32 needs a tolerance, behind which 1 part in N hides", passed[3] == Four{false, false, true, false});
  page.claim("the fifth check finds every one", passed[4] == Four{false, false, false, false});
  page.say(R"(So: float64, a random dy, weight other than 1, and a look at dx. And once the check is green, break the
      formula and see it turn red.)");
}

}  // namespace lesson
