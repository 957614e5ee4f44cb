#include "errors.hpp"
#include "optim_golden.hpp"

#include <gradus/optim/adam.hpp>

namespace gradus::test {
namespace {

using optim::Adam;
using optim::AdamW;

template <class Options>
Options read(const json& args) {
  Options options;
  read_option(args, "lr", options.lr);
  read_option(args, "betas", options.betas);
  read_option(args, "eps", options.eps);
  read_option(args, "weight_decay", options.weight_decay);
  read_option(args, "amsgrad", options.amsgrad);
  read_option(args, "maximize", options.maximize);
  return options;
}

TEST(Adam, StepsAsPyTorch) { expect_golden_runs<Adam>("Adam", 3, read<optim::AdamOptions>); }
TEST(AdamW, StepsAsPyTorch) { expect_golden_runs<AdamW>("AdamW", 2, read<optim::AdamWOptions>); }

TEST(Adam, FollowsItsFormula) {
  const Tensor p = parameter(2, 3);
  Adam optimizer({p}, {.lr = 0.1, .betas = {0.5, 0.75}, .eps = 0.25, .weight_decay = 2});
  optimizer.step();  // g = 3 + 2 * 2; both corrected averages are those of g alone
  EXPECT_NEAR(p.item(), 2 - 0.1 * 7 / (7 + 0.25), 1e-15);
}

TEST(AdamW, DecaysApartFromTheAverages) {
  const Tensor p = parameter(2, 3);
  AdamW optimizer({p}, {.lr = 0.1, .eps = 0.25, .weight_decay = 2});
  optimizer.step();
  EXPECT_NEAR(p.item(), 2 - 0.1 * 2 * 2 - 0.1 * 3 / (3 + 0.25), 1e-15);
}

TEST(Adam, CorrectsEveryParameterForItsOwnSteps) {
  Tensor often = parameter(1, 3), seldom = parameter(1, 3), alone = parameter(1, 3);
  Adam both({often, seldom}), reference({alone});
  for (int step = 0; step < 6; ++step) {
    seldom.set_grad(step % 2 ? full({}, 3.0, float64) : Tensor());
    both.step();
    if (step % 2) reference.step();
  }
  EXPECT_EQ(seldom.item(), alone.item());
  EXPECT_NE(often.item(), alone.item());
}

TEST(Adam, ClimbsWhenAsked) {
  const Tensor down = parameter(1, 3), up = parameter(1, -3);
  Adam minimize({down});
  Adam maximize({up}, {.maximize = true});
  for (int i = 0; i < 3; ++i) {
    minimize.step();
    maximize.step();
  }
  EXPECT_LT(down.item(), 1);
  EXPECT_EQ(down.item(), up.item());
}

TEST(Adam, AmsgradRemembersTheLargestGradient) {
  const Tensor plain = parameter(0, 10), amsgrad = parameter(0, 10);
  Adam first({plain}, {.betas = {0, 0.5}});
  Adam second({amsgrad}, {.betas = {0, 0.5}, .amsgrad = true});
  for (const double gradient : {10.0, 0.1, 0.1, 0.1, 0.1}) {
    Tensor(plain).set_grad(full({}, gradient, float64));
    Tensor(amsgrad).set_grad(full({}, gradient, float64));
    first.step();
    second.step();
  }
  EXPECT_LT(plain.item(), amsgrad.item());
  EXPECT_EQ(second.state_dict().tensors().at("state.0.max_exp_avg_sq").item(), 50);
}

template <class Optimizer>
void expect_refusals() {
  const Tensor p = parameter(1, 1);
  expect_error<ValueError>("Invalid learning rate: -1.0", [&] { Optimizer({p}, {.lr = -1}); });
  expect_error<ValueError>("Invalid learning rate: nan", [&] { Optimizer({p}, {.lr = NAN}); });
  expect_error<ValueError>("Invalid epsilon value: -1.0", [&] { Optimizer({p}, {.eps = -1}); });
  expect_error<ValueError>("Invalid beta parameter at index 0: 1.0", [&] { Optimizer({p}, {.betas = {1, 0.9}}); });
  expect_error<ValueError>("Invalid beta parameter at index 1: -0.1", [&] { Optimizer({p}, {.betas = {0, -0.1}}); });
  expect_error<ValueError>("Invalid beta parameter at index 1: nan", [&] { Optimizer({p}, {.betas = {0, NAN}}); });
  expect_error<ValueError>("Invalid weight_decay value: -2.5", [&] { Optimizer({p}, {.weight_decay = -2.5}); });
}
TEST(Adam, RefusesOptions) { expect_refusals<Adam>(); }
TEST(AdamW, RefusesOptions) { expect_refusals<AdamW>(); }

}  // namespace
}  // namespace gradus::test
