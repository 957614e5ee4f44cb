#include "errors.hpp"
#include "optim_golden.hpp"

#include <gradus/optim/sgd.hpp>

namespace gradus::test {
namespace {

using optim::SGD;
using optim::SGDOptions;

Tensor leaf(std::initializer_list<Nested> values, Dtype dtype = float64) {
  Tensor x = tensor(values, dtype);
  x.requires_grad_();
  return x;
}

SGDOptions read(const json& args) {
  SGDOptions options;
  read_option(args, "lr", options.lr);
  read_option(args, "momentum", options.momentum);
  read_option(args, "dampening", options.dampening);
  read_option(args, "weight_decay", options.weight_decay);
  read_option(args, "nesterov", options.nesterov);
  read_option(args, "maximize", options.maximize);
  return options;
}

TEST(SGD, StepsAsPyTorch) { expect_golden_runs<SGD>("SGD", 6, read); }

TEST(SGD, FollowsItsFormula) {
  Tensor p = leaf({2, -1});
  SGD optimizer({p}, {.lr = 0.5, .momentum = 0.25, .dampening = 0.5, .weight_decay = 1});
  p.set_grad(tensor({1, 3}, float64));
  optimizer.step();  // g = {1, 3} + {2, -1}, b = g
  EXPECT_EQ(p.data<double>()[0], 2 - 0.5 * 3);
  EXPECT_EQ(p.data<double>()[1], -1 - 0.5 * 2);
  optimizer.step();  // g = {1, 3} + {0.5, -2}, b = 0.25 b + 0.5 g
  EXPECT_EQ(p.data<double>()[0], 0.5 - 0.5 * (0.25 * 3 + 0.5 * 1.5));
  EXPECT_EQ(p.data<double>()[1], -2 - 0.5 * (0.25 * 2 + 0.5 * 1));
}

TEST(SGD, TakesUpMomentumLater) {
  Tensor p = leaf({1});
  SGD optimizer({p}, {.lr = 1});
  p.set_grad(tensor({1}, float64));
  optimizer.step();
  EXPECT_TRUE(optimizer.state_dict()["state"][0]["momentum_buffer"].is_none());
  optimizer.set_momentum(0, 0.5);
  optimizer.step();  // the first one with momentum: b = g
  optimizer.step();  // b = 0.5 + 1
  EXPECT_EQ(p.item(), 1 - 1 - 1 - 1.5);
}

TEST(SGD, RefusesOptions) {
  const Tensor p = leaf({1});
  expect_error<ValueError>("parameter group didn't specify a value of required optimization parameter lr",
                           [&] { SGD({p}); });
  expect_error<ValueError>("Invalid learning rate: -1.0", [&] { SGD({p}, {.lr = -1}); });
  expect_error<ValueError>("Invalid learning rate: nan", [&] { SGD({p}, {.lr = NAN}); });
  expect_error<ValueError>("Invalid learning rate: inf", [&] { SGD({p}, {.lr = INFINITY}); });
  expect_error<ValueError>("Invalid momentum value: -0.5", [&] { SGD({p}, {.lr = 1, .momentum = -0.5}); });
  expect_error<ValueError>("Invalid weight_decay value: -1e-05", [&] { SGD({p}, {.lr = 1, .weight_decay = -1e-5}); });
  expect_error<ValueError>("Invalid dampening value: nan", [&] { SGD({p}, {.lr = 1, .dampening = NAN}); });
  const std::string nesterov = "Nesterov momentum requires a momentum and zero dampening";
  expect_error<ValueError>(nesterov, [&] { SGD({p}, {.lr = 1, .nesterov = true}); });
  expect_error<ValueError>(nesterov, [&] { SGD({p}, {.lr = 1, .momentum = 0.9, .dampening = 0.1, .nesterov = true}); });
}

}  // namespace
}  // namespace gradus::test
