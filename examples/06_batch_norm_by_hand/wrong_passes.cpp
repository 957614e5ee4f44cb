// Sections 8 and 9: checks that pass with a wrong backward pass; how wrong such a pass is, and how well it trains.
#include "digits.hpp"
#include "lesson.hpp"
#include "training.hpp"

#include <algorithm>
#include <array>
#include <cmath>

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

/// The layer by hand as one operation of the graph.
struct BatchNormByHand : Function<BatchNormByHand> {
  static Tensor forward(Context& context, const Tensor& x, const Tensor& weight, const Tensor& bias,
                        const Mistakes& mistakes) {
    context.save_for_backward({x, weight, bias});
    context.keep(mistakes);
    return ByHand{weight, bias, 1e-5, mistakes}.forward(x).y;
  }
  static Gradients backward(Context& context, const Tensor& dy) {
    const auto [x, weight, bias] = context.saved<3>();
    const ByHand layer{weight, bias, 1e-5, context.kept<Mistakes>()};
    const Derivatives d = layer.backward(dy, layer.forward(x));
    return {d.x, d.weight, d.bias};
  }
};

/// How far dx by hand is from the gradient of the forward pass by hand, element by element.
Tensor error(const ByHand& layer, const Tensor& x, const Tensor& dy) {
  return layer.dx(x, dy) - gradient_of([&](const Tensor& v) { return layer.forward(v).y; }, x, dy);
}

/// The largest error as a share of the largest element of the right dx; infinite where that is 0.
double share(const ByHand& layer, const Tensor& x, const Tensor& dy) {
  const double off = error(layer, x, dy).abs().max().item();
  const ByHand right{layer.weight, layer.bias, layer.eps};
  return off < 1e-12 ? off : off / right.dx(x, dy).abs().max().item();
}

struct Result {
  double at_example, at_60;  // largest errors beside the largest element of dx: of the example, of a random batch
  std::vector<double> losses;
  double accuracy;

  double last_loss() const { return losses.back(); }
};

Result result_of(const Lesson& lesson, const ImageSet& digits, const Mistakes& mistakes) {
  Generator seed(9);
  const Tensor x = randn({60, 32}, float64, seed), dy = randn({60, 32}, float64, seed);
  const ByHand layer{lesson.by_hand.weight, lesson.by_hand.bias, lesson.example.eps, mistakes};
  const ByHand wide{full({1, 32}, 2, float64), zeros({1, 32}, float64), 1e-5, mistakes};
  manual_seed(1);
  const auto y = [mistakes](const Tensor& in, const Tensor& weight, const Tensor& bias) {
    return BatchNormByHand::apply(in, weight, bias, mistakes);
  };
  nn::Sequential net = small_net([&] { return OwnBatchNorm(32, y); });
  const std::vector<double> losses = train(net, digits.train);
  return {share(layer, lesson.x, lesson.dy), share(wide, x, dy), losses,
          evaluate(net, digits.test.x, digits.test.y).accuracy};
}

/// Trains with every backward pass, the right one first, and shows what becomes of it.
std::vector<Result> show_results(Page& page, const Lesson& lesson) {
  std::vector<std::pair<const char*, Mistakes>> backward_passes{
      {"right", {}},
      {"--drop-mean-path", {.drop_mean_path = true}},
      {"--drop-var-path", {.drop_var_path = true}},
      {"both dropped", {.drop_mean_path = true, .drop_var_path = true}},
      {"--biased-mix", {.biased_mix = true}}};
  if (lesson.mistakes != Mistakes{}) backward_passes.emplace_back("by hand, in this run", lesson.mistakes);
  const ImageSet digits = load_digits();
  TextTable table({"backward pass", "dx off", "N = 60", "loss 1", "2", "5", "10", "test images"});
  std::vector<Result> results;
  for (const auto& [name, mistakes] : backward_passes) {
    const Result& r = results.emplace_back(result_of(lesson, digits, mistakes));
    table.row(name, percent(r.at_example), percent(r.at_60), fixed(r.losses[0], 3), fixed(r.losses[1], 3),
              fixed(r.losses[4], 3), fixed(r.last_loss(), 3), percent(r.accuracy));
  }
  page.show(table);
  return results;
}

/// What each mistake must cost for the example, from the mathematics: the path that is left out; 1/N instead of
/// 1/(N - 1) of the path through var, with the rstd of that variance.
void claim_errors(Page& page, const Lesson& lesson) {
  const Expected& e = lesson.expected;
  const auto n = static_cast<double>(e.y.size(0));
  const auto error_with = [&](const Mistakes& mistakes) {
    return error({lesson.by_hand.weight, lesson.by_hand.bias, lesson.example.eps, mistakes}, lesson.x, lesson.dy);
  };
  page.near("without the path through mean, dx lacks exactly that path", error_with({.drop_mean_path = true}),
            -e.through_mean);
  page.near("so it does without the path through var", error_with({.drop_var_path = true}), -e.through_var);
  const double std = std::sqrt(e.var * n / (n - 1) + lesson.example.eps), sum = e.dweight * e.std / std;
  page.near("the mix takes 1 part in N off the path through var", error_with({.biased_mix = true}),
            e.xhat * (e.std / std * lesson.example.weight / std * sum * (1 / (n - 1) - 1 / n)));
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

void break_it(Page& page, const Lesson& lesson) {
  page.say(R"(Three switches break the lesson: --drop-mean-path, --drop-var-path, --biased-mix. Here is what each of
      them does to dx, largest error beside largest element, for the numbers of section 2 and for a random batch (60,
      32), seed 9; and to a small net that learns handwritten digits with it, loss by epoch: three hidden layers of 32
      units, batches of 60, ten epochs of SGD, learning rate 0.1, seed 1.)");
  const std::vector<Result> results = show_results(page, lesson);
  const Result &right = results[0], &no_mean = results[1], &no_var = results[2], &mix = results[4];
  const Result& by_hand = lesson.mistakes != Mistakes{} ? results.back() : right;
  page.claim("dx by hand is right for both batches", by_hand.at_example <= lesson.precision && by_hand.at_60 < 1e-12);
  claim_errors(page, lesson);
  page.claim("which is nearly nothing for N = 60", mix.at_60 > 0.001 && mix.at_60 < 0.02);
  page.claim("every one of the wrong ones learns: \"it trains\" proves nothing",
             std::all_of(results.begin() + 1, results.begin() + 5,
                         [](const Result& r) { return r.last_loss() < 0.7 * r.losses[0]; }));
  page.claim("the mix ends within 10 % of the right loss: no curve would show it",
             std::abs(mix.last_loss() / right.last_loss() - 1) < 0.1);
  page.claim(R"(without the path through var the loss ends more than half as high again, without the path through mean
      five times as high: who has nothing to compare with sees a slow net)",
             no_var.last_loss() > 1.5 * right.last_loss() && no_mean.last_loss() > 5 * right.last_loss());
  page.say(R"(The mix comes about easily: a forward pass with the default of var(), which divides by N - 1, and behind
      it the formula of the books, which is for / N. To be right, equation (15) would divide the sum of dy xhat by N -
      1.)");
}

}  // namespace lesson
