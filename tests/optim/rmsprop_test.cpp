#include "errors.hpp"
#include "optim_golden.hpp"

#include <gradus/optim/rmsprop.hpp>

namespace gradus::test {
namespace {

using optim::RMSprop;

optim::RMSpropOptions read(const json& args) {
  optim::RMSpropOptions options;
  read_option(args, "lr", options.lr);
  read_option(args, "alpha", options.alpha);
  read_option(args, "eps", options.eps);
  read_option(args, "weight_decay", options.weight_decay);
  read_option(args, "momentum", options.momentum);
  read_option(args, "centered", options.centered);
  read_option(args, "maximize", options.maximize);
  return options;
}

TEST(RMSprop, StepsAsPyTorch) { expect_golden_runs<RMSprop>("RMSprop", 4, read); }

TEST(RMSprop, FollowsItsFormula) {
  const Tensor p = parameter(2, 3);
  RMSprop optimizer({p}, {.lr = 0.1, .alpha = 0.75, .eps = 0.5, .weight_decay = 2});
  optimizer.step();  // g = 7, v = 49 / 4
  EXPECT_NEAR(p.item(), 2 - 0.1 * 7 / (3.5 + 0.5), 1e-15);
}

TEST(RMSprop, CentredDividesByTheDeviation) {
  const Tensor p = parameter(2, 4);
  RMSprop optimizer({p}, {.lr = 0.1, .alpha = 0.75, .eps = 0.5, .centered = true});
  optimizer.step();  // v = 4, a = 1
  EXPECT_NEAR(p.item(), 2 - 0.1 * 4 / (std::sqrt(3) + 0.5), 1e-15);
}

TEST(RMSprop, CentredRoundsAsPyTorch) {
  const double g = 1.2;
  const Tensor p = parameter(0, g);
  RMSprop optimizer({p}, {.lr = 1, .alpha = 0, .eps = 1e-8, .centered = true});
  optimizer.step();  // v = g^2 rounded, a = g: a fused v - a^2 is what the rounding took
  EXPECT_EQ(p.item(), -g / (std::sqrt(std::fma(-g, g, g * g)) + 1e-8));
}

TEST(RMSprop, TakesUpMomentumAndCentringLater) {
  const Tensor p = parameter(2, 4);
  RMSprop optimizer({p}, {.alpha = 0});
  optimizer.step();
  optimizer.param_groups()[0].options.momentum = 0.5;
  optimizer.param_groups()[0].options.centered = true;
  optimizer.step();
  EXPECT_EQ(optimizer.state_dict().tensors().at("state.0.grad_avg").item(), 4);
  EXPECT_TRUE(optimizer.state_dict().tensors().contains("state.0.momentum_buffer"));
}

TEST(RMSprop, RefusesOptions) {
  const Tensor p = parameter(1, 1);
  expect_error<ValueError>("Invalid learning rate: -1.0", [&] { RMSprop({p}, {.lr = -1}); });
  expect_error<ValueError>("Invalid epsilon value: -1.0", [&] { RMSprop({p}, {.eps = -1}); });
  expect_error<ValueError>("Invalid momentum value: -1.0", [&] { RMSprop({p}, {.momentum = -1}); });
  expect_error<ValueError>("Invalid weight_decay value: nan", [&] { RMSprop({p}, {.weight_decay = NAN}); });
  expect_error<ValueError>("Invalid alpha value: -1.0", [&] { RMSprop({p}, {.alpha = -1}); });
}

}  // namespace
}  // namespace gradus::test
