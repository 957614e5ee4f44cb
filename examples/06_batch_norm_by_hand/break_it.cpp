// Section 9: wrong backward passes, how wrong they are, and how well they train all the same.
#include "digits.hpp"
#include "sections.hpp"
#include "small_net.hpp"

#include <gradus/core/autograd.hpp>
#include <gradus/core/random.hpp>

#include <algorithm>
#include <cmath>

using namespace gradus;

namespace lesson {

namespace {

/// How far dx by hand is from the gradient of the forward pass by hand, element by element.
Tensor error(const ByHand& layer, const Tensor& x, const Tensor& dy) {
  const Tensor leaf = x.clone().requires_grad_();
  const Nodes node = layer.forward(leaf);
  const Tensor truth = grad({node.y}, {leaf}, {.grad_outputs = {dy}, .retain_graph = true})[0];
  const NoGradGuard no_grad;
  return layer.backward(dy, node).x - truth;
}

struct Result {
  double at_example, at_60;  // largest errors beside the largest element of dx: of the example, of a random batch
  std::vector<double> losses;
  double accuracy;
};

/// The largest error as a share of the largest element of the right dx; infinite where that is 0.
double share(const ByHand& layer, const Tensor& x, const Tensor& dy) {
  const double off = error(layer, x, dy).abs().max().item();
  ByHand right = layer;
  right.mistakes = {};
  return off < 1e-12 ? off : off / right.dx(x, dy).abs().max().item();
}

Result result_of(const Lesson& lesson, const ImageSet& digits, const Mistakes& mistakes) {
  Generator seed(9);
  const Tensor x = randn({60, 32}, float64, seed), dy = randn({60, 32}, float64, seed);
  ByHand layer = lesson.by_hand;
  layer.mistakes = mistakes;
  const ByHand wide{full({1, 32}, 2, float64), zeros({1, 32}, float64), 1e-5, mistakes};
  manual_seed(1);
  nn::Sequential net = small_net(mistakes);
  const auto losses = train(net.parameters(), digits.train, 0.1,
                            [&](const Tensor& images, const Tensor& y) { return loss_with_gradients(net, images, y); });
  return {share(layer, lesson.x, lesson.dy), share(wide, x, dy), losses, accuracy(net, digits.test)};
}

struct Results {
  Result right, no_mean, no_var, neither, mix, by_hand;
};

Results train_all(const Lesson& lesson) {
  const ImageSet digits = load_digits();
  const auto result = [&](const Mistakes& mistakes) { return result_of(lesson, digits, mistakes); };
  const Result right = result({});
  return {right,
          result({.drop_mean_path = true}),
          result({.drop_var_path = true}),
          result({.drop_mean_path = true, .drop_var_path = true}),
          result({.biased_mix = true}),
          lesson.mistakes == Mistakes{} ? right : result(lesson.mistakes)};
}

void show_table(Page& page, const Lesson& lesson, const Results& r) {
  Table table({"backward pass", "dx off", "N = 60", "loss 1", "2", "5", "10", "test images"});
  const auto row = [&](const char* name, const Result& result) {
    table.row(name, percent(result.at_example), percent(result.at_60), fixed(result.losses[0], 3),
              fixed(result.losses[1], 3), fixed(result.losses[4], 3), fixed(result.losses[9], 3),
              percent(result.accuracy));
  };
  row("right", r.right);
  row("--drop-mean-path", r.no_mean);
  row("--drop-var-path", r.no_var);
  row("both dropped", r.neither);
  row("--biased-mix", r.mix);
  if (lesson.mistakes != Mistakes{}) row("by hand, in this run", r.by_hand);
  page.show(table);
}

/// What each mistake must cost for the example, from the mathematics: the path that is left out; 1/N instead of
/// 1/(N - 1) of the path through var, with the rstd of that variance.
void claim_errors(Page& page, const Lesson& lesson) {
  const Expected& e = lesson.expected;
  const auto n = static_cast<double>(e.y.size());
  ByHand no_mean = lesson.by_hand, no_var = no_mean, mix = no_mean;
  no_mean.mistakes = {.drop_mean_path = true};
  no_var.mistakes = {.drop_var_path = true};
  mix.mistakes = {.biased_mix = true};
  page.near("without the path through mean, dx lacks exactly that path", error(no_mean, lesson.x, lesson.dy),
            -column(e.through_mean), lesson.precision);
  page.near("so it does without the path through var", error(no_var, lesson.x, lesson.dy), -column(e.through_var),
            lesson.precision);
  const double std = std::sqrt(e.var * n / (n - 1) + lesson.example.eps), sum = e.dweight * e.std / std;
  const Tensor xhat = column(e.xhat) * (e.std / std);
  page.near("the mix takes 1 part in N off the path through var", error(mix, lesson.x, lesson.dy),
            xhat * (lesson.example.weight / std * sum * (1 / (n - 1) - 1 / n)), lesson.precision);
}

}  // namespace

void break_it(Page& page, const Lesson& lesson) {
  page.say(
      "Three switches break the lesson: --drop-mean-path, --drop-var-path, --biased-mix. Here is what each of them "
      "does to dx, largest error beside largest element, for the numbers of section 2 and for a random batch (60, 32), "
      "seed "
      "9; and to a small net that learns handwritten digits with it, loss by epoch: three hidden layers of 32 units, "
      "batches of 60, ten epochs of SGD, learning rate 0.1, seed 1.");
  const Results r = train_all(lesson);
  show_table(page, lesson, r);
  page.claim("dx by hand is right for both batches",
             r.by_hand.at_example <= lesson.precision && r.by_hand.at_60 < 1e-12);
  claim_errors(page, lesson);
  page.claim("which is nearly nothing for N = 60", r.mix.at_60 > 0.001 && r.mix.at_60 < 0.02);
  bool all_learn = true;
  for (const Result* wrong : {&r.no_mean, &r.no_var, &r.neither, &r.mix}) {
    all_learn &= wrong->losses[9] < 0.7 * wrong->losses[0];
  }
  page.claim("every one of the wrong ones learns: \"it trains\" proves nothing", all_learn);
  page.claim("the mix ends within 10 % of the right loss: no curve would show it",
             std::abs(r.mix.losses[9] / r.right.losses[9] - 1) < 0.1);
  page.claim(
      "without the path through var the loss ends more than half as high again, without the path through mean five "
      "times as high: who has nothing to compare with sees a slow net",
      r.no_var.losses[9] > 1.5 * r.right.losses[9] && r.no_mean.losses[9] > 5 * r.right.losses[9]);
  page.say(
      "The mix comes about easily: a forward pass with the default of var(), which divides by N - 1, and behind it the "
      "formula of the books, which is for / N. To be right, equation (15) would divide the sum of dy xhat by N - 1.");
}

}  // namespace lesson
