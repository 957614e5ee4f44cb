#include "errors.hpp"

#include <gradus/core/autograd.hpp>
#include <gradus/core/print.hpp>
#include <gradus/nn/linear.hpp>
#include <gradus/optim/adam.hpp>
#include <gradus/optim/rmsprop.hpp>
#include <gradus/optim/sgd.hpp>

#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <sstream>

namespace gradus::test {
namespace {

using optim::Adam;
using optim::AdamW;
using optim::RMSprop;
using optim::SGD;

Tensor leaf(const Shape& shape, double value, Dtype dtype = float32) {
  Tensor x = full(shape, value, dtype);
  x.requires_grad_();
  return x;
}

TEST(Optimizer, MinimisesThroughAutograd) {
  Tensor w = leaf({3}, 5), b = leaf({}, -2);
  SGD optimizer({w, b}, {.lr = 0.1, .momentum = 0.5});
  for (int i = 0; i < 100; ++i) {
    optimizer.zero_grad();
    ((w - 1).square().sum() + (b - 3).square()).backward();
    optimizer.step();
  }
  for (const float x : w.data<float>()) EXPECT_NEAR(x, 1, 1e-5);
  EXPECT_NEAR(b.item(), 3, 1e-5);
}

TEST(Optimizer, WritesInPlaceOutsideTheGraph) {
  Tensor w = leaf({3}, 5);
  const float* before = w.data<float>().data();
  const auto version = w.version();
  SGD optimizer({w}, {.lr = 1});
  w.square().sum().backward();
  optimizer.step();
  EXPECT_EQ(w.data<float>().data(), before);
  EXPECT_TRUE(w.is_leaf());
  EXPECT_TRUE(w.requires_grad());
  EXPECT_EQ(w.version(), version + 1);
}

TEST(Optimizer, BackwardSeesThatAStepChangedWhatItSaved) {
  Tensor w = leaf({3}, 5);
  SGD optimizer({w}, {.lr = 1});
  const Tensor loss = w.square().sum();
  w.set_grad(ones({3}));
  optimizer.step();
  expect_error<RuntimeError>("one of the variables needed for gradient computation has been modified",
                             [&] { loss.backward(); });
}

TEST(Optimizer, SkipsParametersWithoutGradient) {
  Tensor w = leaf({2}, 1), idle = leaf({2}, 1);
  Adam optimizer({idle, w});
  w.set_grad(ones({2}));
  optimizer.step();
  EXPECT_EQ(idle.data<float>()[0], 1);
  EXPECT_EQ(idle.version(), 0u);
  EXPECT_FALSE(optimizer.state_dict()["state"].contains(0));
  EXPECT_EQ(optimizer.state_dict().tensors().at("state.1.step").item(), 1);

  idle.set_grad(ones({2}));  // its own first step, the second one of w
  optimizer.step();
  EXPECT_EQ(optimizer.state_dict().tensors().at("state.0.step").item(), 1);
  EXPECT_EQ(optimizer.state_dict().tensors().at("state.1.step").item(), 2);
}

TEST(Optimizer, ZeroGradForgetsOrFills) {
  Tensor w = leaf({2}, 1), idle = leaf({2}, 1);
  SGD optimizer({w, idle}, {.lr = 1});
  const Tensor gradient = full({2}, 3.0);
  w.set_grad(gradient);
  optimizer.zero_grad(false);
  ASSERT_TRUE(w.grad().defined());
  EXPECT_EQ(gradient.data<float>()[1], 0);
  EXPECT_FALSE(idle.grad().defined());
  optimizer.zero_grad();
  EXPECT_FALSE(w.grad().defined());
}

TEST(Optimizer, ZeroGradTakesAGradientOutOfItsGraph) {
  Tensor w = leaf({2}, 2);
  SGD optimizer({w}, {.lr = 1});
  w.pow(3).sum().backward({.create_graph = true});
  ASSERT_TRUE(w.grad().requires_grad());
  optimizer.zero_grad(false);
  EXPECT_FALSE(w.grad().requires_grad());
  EXPECT_EQ(w.grad().to_vector<float>()[0], 0);
  w.set_grad({});
  EXPECT_EQ(live_nodes(), 0);
}

TEST(Optimizer, KeepsGroupsApart) {
  Tensor slow = leaf({2}, 1), fast = leaf({3}, 1), late = leaf({}, 1);
  SGD optimizer({{{slow}, {.lr = 0.25}}, {{fast}, {.lr = 0.5}}});
  optimizer.add_param_group({late}, {.lr = 1});
  ASSERT_EQ(optimizer.group_count(), 3u);
  for (Tensor p : {slow, fast, late}) p.set_grad(ones_like(p));
  optimizer.step();
  EXPECT_EQ(slow.data<float>()[1], 0.75);
  EXPECT_EQ(fast.data<float>()[2], 0.5);
  EXPECT_EQ(late.item(), 0);
  EXPECT_TRUE(optimizer.param_groups()[1].params()[0].is_same(fast));
}

TEST(Optimizer, NewGroupsTakeTheOptionsOfTheConstructor) {
  SGD optimizer({leaf({2}, 1)}, {.lr = 0.25, .momentum = 0.5});
  optimizer.set_lr(0, 0.125);
  optimizer.add_param_group({leaf({3}, 1)});
  EXPECT_EQ(optimizer.lr(0), 0.125);
  EXPECT_EQ(optimizer.lr(1), 0.25);
  EXPECT_EQ(optimizer.momentum(1), 0.5);
}

TEST(Optimizer, OptionsCanBeChangedBetweenSteps) {
  Tensor w = leaf({}, 1);
  SGD optimizer({w}, {.lr = 1});
  w.set_grad(full({}, 0.5));
  optimizer.param_groups()[0].options.lr = 0.5;
  optimizer.step();
  EXPECT_EQ(w.item(), 0.75);
  optimizer.param_groups()[0].options.lr = NAN;
  expect_error<ValueError>("Invalid learning rate: nan", [&] { optimizer.step(); });
  EXPECT_EQ(w.item(), 0.75);
}

TEST(Optimizer, SchedulersTurnRateAndMomentumOfAnyKind) {
  Tensor w = leaf({}, 1);
  Adam adam({w});
  adam.set_momentum(0, 0.5);
  EXPECT_EQ(adam.param_groups()[0].options.betas, (std::array{0.5, 0.999}));
  expect_error<ValueError>("Invalid beta parameter at index 0: 1.0", [&] { adam.set_momentum(0, 1); });
  EXPECT_EQ(adam.momentum(), 0.5);
  RMSprop rmsprop({w});
  rmsprop.set_momentum(0, 0.75);
  EXPECT_EQ(rmsprop.param_groups()[0].options.momentum, 0.75);
  SGD sgd({w}, {.lr = 1});
  expect_error<ValueError>("Invalid learning rate: nan", [&] { sgd.set_lr(0, NAN); });
  EXPECT_EQ(sgd.lr(), 1);
  expect_error<IndexError>("SGD: no parameter group 1", [&] { sgd.set_lr(1, 0.5); });
  expect_error<IndexError>("SGD: no parameter group 7", [&] { sgd.momentum(7); });
}

TEST(Optimizer, FollowsParametersToAnotherDtype) {
  nn::Linear layer(3, 2, {.bias = false});
  Tensor w = layer.weight;
  Adam optimizer({w}, {.amsgrad = true});
  w.set_grad(ones({2, 3}));
  optimizer.step();
  layer.to(float64);
  optimizer.step();
  const StateDict state = optimizer.state_dict().tensors();
  for (const char* name : {"exp_avg", "exp_avg_sq", "max_exp_avg_sq"}) {
    EXPECT_EQ(state.at(std::string("state.0.") + name).dtype(), float64);
  }
  EXPECT_NEAR(state.at("state.0.exp_avg").data<double>()[5], 1 - 0.9 * 0.9, 1e-7);
}

TEST(Optimizer, AcceptsEmptyTensors) {
  Tensor none = leaf({0, 3}, 0);
  none.set_grad(zeros({0, 3}));
  for (const Dtype dtype : {float32, float64}) {
    Tensor p = leaf({0, 3}, 0, dtype);
    p.set_grad(zeros({0, 3}, dtype));
    Adam({p}, {.amsgrad = true}).step();
    SGD({p}, {.lr = 1, .momentum = 0.5}).step();
    RMSprop({p}, {.momentum = 0.5, .centered = true}).step();
  }
}

TEST(Optimizer, RefusesParameters) {
  Tensor w = leaf({2}, 1), other = leaf({2}, 1);
  expect_error<ValueError>("optimizer got an empty parameter list", [] { SGD({}, {.lr = 0.1}); });
  expect_error<ValueError>("optimizer got an empty parameter list", [] { SGD(std::vector<SGD::Group>{}); });
  expect_error<ValueError>("can't optimize a non-leaf Tensor\nit is parameter 1 of group 0, computed by MulBackward0",
                           [&] {
                             SGD({w, other * 2}, {.lr = 1});
                           });
  expect_error<TypeError>(
      "optimizer can only optimize Tensors, but one of the params is undefined\nit is parameter 1 of group 0", [&] {
        SGD({w, Tensor()}, {.lr = 1});
      });
  expect_error<TypeError>("optimizer can only optimize floating Tensors, but one of the params is int64", [&] {
    SGD({w, zeros({2}, int64)}, {.lr = 1});
  });
  expect_error<ValueError>("some parameters appear in more than one parameter group", [&] {
    SGD({{{w}, {.lr = 1}}, {{other, w}, {.lr = 1}}});
  });
  expect_error<ValueError>("optimizer contains a parameter group with duplicate parameters", [&] {
    SGD({w, other, w}, {.lr = 1});
  });
}

TEST(Optimizer, TellsInItsFirstStepThatAModuleIsGone) {
  auto layer = std::make_unique<nn::Linear>(2, 3);
  SGD optimizer(layer->parameters(), {.lr = 1});
  layer = std::make_unique<nn::Linear>(2, 3);
  (*layer)(ones({1, 2})).sum().backward();
  expect_error<RuntimeError>("SGD: parameter 0, of shape [3, 2], belongs to no module any more",
                             [&] { optimizer.step(); });
}

TEST(Optimizer, TellsInAnyLaterStepThatAModuleIsGone) {
  nn::Linear layer(2, 3), other(1, 1);
  SGD optimizer(layer.parameters(), {.lr = 1}), untouched(other.parameters(), {.lr = 1});
  const auto step = [&] {
    layer(ones({1, 2})).sum().backward();
    optimizer.step();
  };
  step(), untouched.step();
  layer = nn::Linear(2, 3);  // writes into the tensors that the optimiser holds
  step(), untouched.step();
  layer = nn::Linear(2, 4);
  expect_error<RuntimeError>("SGD: parameter 0, of shape [3, 2], belongs to no module any more", step);
  expect_error<RuntimeError>("SGD: parameter 0, of shape [3, 2], belongs to no module any more", step);
  EXPECT_NO_THROW(untouched.step());
}

/// A module that forgets to list one of its layers.
struct Forgetful : nn::Module {
  nn::Linear listed{2, 4}, forgotten{4, 1};
  void state(nn::StateList& list) override { list("listed", listed); }
  Tensor forward(const Tensor& x) const override { return forgotten(listed(x)); }
};

TEST(Optimizer, TellsInItsFirstStepThatTheLossReachedUnlistedParameters) {
  nn::Linear earlier(1, 1);  // has nothing to do with what is trained
  earlier(ones({1, 1})).sum().backward();
  Forgetful net;
  const Tensor before = net.listed.weight.clone();
  SGD optimizer(net.parameters(), {.lr = 1});
  net(ones({1, 2})).sum().backward();
  expect_error<RuntimeError>("SGD: the loss reached 2 parameters that no module lists and no optimizer holds",
                             [&] { optimizer.step(); });
  EXPECT_TRUE(equal(net.listed.weight, before));
  net.forgotten.requires_grad_(false);
  net.forgotten.zero_grad();
  optimizer.step();
  EXPECT_FALSE(equal(net.listed.weight, before));
}

TEST(Optimizer, LeavesParametersToOtherOptimizers) {
  nn::Parameter a(ones({2})), b(ones({2}));
  SGD first({a}, {.lr = 1}), second({b}, {.lr = 1});
  (a * b).sum().backward();
  first.step();
  second.step();
  EXPECT_EQ(a.data<float>()[0], 0);
  EXPECT_EQ(b.data<float>()[1], 0);
}

TEST(Optimizer, ARefusedGroupChangesNothing) {
  Tensor w = leaf({2}, 1), other = leaf({3}, 1);
  SGD optimizer({w}, {.lr = 1});
  EXPECT_THROW(optimizer.add_param_group({other, w}), ValueError);
  EXPECT_THROW(optimizer.add_param_group({other}, {.lr = -1}), ValueError);
  EXPECT_EQ(optimizer.group_count(), 1u);
  EXPECT_EQ(optimizer.param_groups().size(), 1u);
  optimizer.add_param_group({other});
  other.set_grad(ones({3}));
  optimizer.step();
  EXPECT_EQ(other.data<float>()[2], 0);
}

TEST(Optimizer, PrintsAsPyTorch) {
  Tensor w = leaf({2}, 1);
  EXPECT_EQ(to_string(SGD({w}, {.lr = 0.1, .momentum = 0.9})),
            "SGD (\nParameter Group 0\n    dampening: 0\n    differentiable: False\n    foreach: None\n    lr: 0.1\n"
            "    maximize: False\n    momentum: 0.9\n    nesterov: False\n    weight_decay: 0\n)");
  EXPECT_EQ(to_string(Adam({w})),
            "Adam (\nParameter Group 0\n    amsgrad: False\n    betas: (0.9, 0.999)\n    capturable: False\n"
            "    differentiable: False\n    eps: 1e-08\n    foreach: None\n    fused: False\n    lr: 0.001\n"
            "    maximize: False\n    weight_decay: 0\n)");
  EXPECT_EQ(to_string(AdamW({w}, {.lr = 1e-2})),
            "AdamW (\nParameter Group 0\n    amsgrad: False\n    betas: (0.9, 0.999)\n    capturable: False\n"
            "    eps: 1e-08\n    foreach: None\n    lr: 0.01\n    maximize: False\n    weight_decay: 0.01\n)");
  EXPECT_EQ(
      to_string(RMSprop({w})),
      "RMSprop (\nParameter Group 0\n    alpha: 0.99\n    centered: False\n    differentiable: False\n"
      "    eps: 1e-08\n    foreach: None\n    lr: 0.01\n    maximize: False\n    momentum: 0\n    weight_decay: 0\n)");
}

TEST(Optimizer, PrintsEveryGroup) {
  std::ostringstream out;
  out << AdamW({{{leaf({2}, 1)}, {}}, {{leaf({3}, 1)}, {.amsgrad = true}}});
  const std::string text = out.str();
  EXPECT_TRUE(text.starts_with("AdamW (\nParameter Group 0\n    amsgrad: False\n")) << text;
  EXPECT_NE(text.find("\n\nParameter Group 1\n    amsgrad: True\n"), std::string::npos) << text;
}

}  // namespace
}  // namespace gradus::test
