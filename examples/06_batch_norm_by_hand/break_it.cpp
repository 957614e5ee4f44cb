// Section 8: wrong backward passes, how wrong they are, and how well they train all the same.
#include "digits.hpp"
#include "sections.hpp"
#include "small_net.hpp"

#include <gradus/core/autograd.hpp>

#include <cmath>

using namespace gradus;

namespace lesson {

namespace {

/// How far dx by hand is from the gradient of the forward pass by hand.
double error(const Tensor& x, const Tensor& dy, const Mistakes& mistakes) {
  const Tensor leaf = x.clone().requires_grad_();
  const Tensor weight = full({1, x.size(1)}, 2, float64), bias = zeros({1, x.size(1)}, float64);
  const Nodes node = forward(leaf, weight, bias, mistakes);
  const Tensor truth = grad({node.y}, {leaf}, {.grad_outputs = {dy}, .retain_graph = true})[0];
  const NoGradGuard no_grad;
  return relative(backward(dy, node, weight, mistakes).x, truth);
}

struct Result {
  double at_4, at_60;  // errors for batches of 4 and of 60
  std::vector<double> losses;
  double accuracy;
};

Result result_of(const ImageSet& digits, const Mistakes& mistakes) {
  const Example in = example();
  Generator generator(9);
  const Tensor x = randn({60, 32}, float64, generator), dy = randn({60, 32}, float64, generator);
  manual_seed(1);
  SmallNet net(mistakes);
  const auto losses = train(net.parameters(), digits.train, 0.1,
                            [&](const Tensor& images, const Tensor& y) { return net.gradients(images, y); });
  return {error(in.x, in.dy, mistakes), error(x, dy, mistakes), losses,
          accuracy(net.logits(digits.test.x), digits.test.y)};
}

}  // namespace

void break_it(Page& page, const Mistakes& mistakes) {
  page.say(
      "Three switches break the lesson: --drop-mean-path, --drop-var-path, --biased-mix. Here is what each of them "
      "does to dx, largest error beside largest element, for the four numbers of section 2 and for a random batch "
      "of 60; and to a small net that learns handwritten digits with it: three hidden layers of 32 units, batches "
      "of 60, ten epochs of SGD. In front of each BatchNorm the graph is cut, dy is taken from behind the cut, and "
      "dx by hand goes on before it.");
  const ImageSet digits = load_digits();
  const Result right = result_of(digits, {}), no_mean = result_of(digits, {.drop_mean_path = true}),
               no_var = result_of(digits, {.drop_var_path = true}),
               neither = result_of(digits, {.drop_mean_path = true, .drop_var_path = true}),
               mix = result_of(digits, {.biased_mix = true});
  Table table({"backward pass", "dx off, N=4", "N=60", "loss, epoch 1", "2", "5", "10", "test images"});
  const auto row = [&](const char* name, const Result& r) {
    table.row(name, percent(r.at_4), percent(r.at_60), fixed(r.losses[0], 3), fixed(r.losses[1], 3),
              fixed(r.losses[4], 3), fixed(r.losses[9], 3), percent(r.accuracy));
  };
  row("right", right);
  row("--drop-mean-path", no_mean);
  row("--drop-var-path", no_var);
  row("both dropped", neither);
  row("--biased-mix", mix);
  const Result by_hand = mistakes == Mistakes{} ? right : result_of(digits, mistakes);
  if (mistakes != Mistakes{}) row("by hand, in this run", by_hand);
  page.show(table);

  page.claim("dx by hand is right for both batches", by_hand.at_4 < 1e-14 && by_hand.at_60 < 1e-14);
  page.claim("for the four numbers the mistakes cost 41.0 %, 15.7 % and 3.9 %",
             std::abs(no_mean.at_4 - 0.4095) < 1e-4 && std::abs(no_var.at_4 - 0.1574) < 1e-4 &&
                 std::abs(mix.at_4 - 0.0394) < 1e-4);
  page.claim("the mix takes 1 part in N off the path through var: nearly nothing for N = 60",
             mix.at_60 > 0.001 && mix.at_60 < 0.02);
  bool all_learn = true;
  for (const Result* r : {&no_mean, &no_var, &neither, &mix}) all_learn &= r->losses[9] < 0.7 * r->losses[0];
  page.claim("every one of the wrong ones learns: \"it trains\" proves nothing", all_learn);
  page.claim("the mix ends within 10 % of the right loss: no curve would show it",
             std::abs(mix.losses[9] / right.losses[9] - 1) < 0.1);
  page.claim(
      "without the path through var the loss ends more than half as high again, without the path through mean "
      "five times as high: who has nothing to compare with sees a slow net",
      no_var.losses[9] > 1.5 * right.losses[9] && no_mean.losses[9] > 5 * right.losses[9]);
  page.say(
      "The mix comes about easily: a forward pass with the default of var(), which divides by N - 1, and behind it "
      "the formula of the books, which is for / N. To be right, equation (15) would divide the sum of dy xhat by "
      "N - 1.");
}

}  // namespace lesson
