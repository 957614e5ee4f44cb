// What can be done with a trained layer: estimating its buffers anew, fusing it.
#include "near.hpp"

#include <gradus/core/autograd.hpp>
#include <gradus/core/random.hpp>
#include <gradus/nn/activation.hpp>
#include <gradus/nn/batch_norm.hpp>
#include <gradus/nn/dropout.hpp>

#include <gtest/gtest.h>

namespace gradus {
namespace {

using nn::BatchNorm1d;
using test::max_distance;

TEST(Recalibrate, IsTheMeanOverTheBatchesAndRestoresModes) {
  manual_seed(4);
  nn::Sequential net{nn::Linear(3, 2), BatchNorm1d(2, {.momentum = 0.25}), nn::ReLU()};
  auto& bn = net.at<BatchNorm1d>(1);
  for (int i = 0; i < 3; ++i) net(randn({7, 3}));
  net.eval();
  const std::vector<Tensor> batches = {randn({5, 3}), randn({5, 3}) * 2, randn({5, 3}) + 1};
  nn::recalibrate(net, batches);

  Tensor mean = zeros({2}), var = zeros({2});
  for (const Tensor& x : batches) {
    const Tensor h = net[0](x).detach();
    mean += h.mean(0) / 3;
    var += h.var(0) / 3;
  }
  EXPECT_LE(max_distance(bn.running_mean, mean), 1e-6);
  EXPECT_LE(max_distance(bn.running_var, var), 1e-6);
  EXPECT_EQ(bn.num_batches_tracked.item<int>(), 3);
  EXPECT_FALSE(bn.training());
  EXPECT_EQ(bn.options().momentum, 0.25);
}

TEST(Recalibrate, LeavesTheBuffersWhenABatchIsRefused) {
  nn::Sequential net{BatchNorm1d(2), nn::ReLU()};
  auto& bn = net.at<BatchNorm1d>(0);
  net(randn({7, 2}));
  const Tensor mean = bn.running_mean.clone();
  EXPECT_THROW(nn::recalibrate(net, std::vector<Tensor>{randn({5, 2}), randn({1, 2})}), ValueError);
  EXPECT_TRUE(equal(bn.running_mean, mean));
  EXPECT_EQ(bn.num_batches_tracked.item<int>(), 1);
}

TEST(Recalibrate, LeavesTheBuffersWhenThereIsNoBatch) {
  BatchNorm1d bn(2);
  bn(randn({7, 2}));
  const StateDict before = BatchNorm1d(bn).state_dict();
  EXPECT_THROW(nn::recalibrate(bn, std::vector<Tensor>{}), ValueError);
  for (const auto& [name, value] : before) EXPECT_TRUE(equal(bn.state_dict().at(name), value)) << name;
}

TEST(Recalibrate, LeavesTheBuffersWhenNoBatchCounts) {
  const Tensor bad = tensor({{double(NAN), 1.0}, {1.0, 2.0}});
  for (const std::vector<Tensor>& batches : {std::vector<Tensor>{zeros({0, 2})}, {bad}, {zeros({0, 2}), bad, bad}}) {
    nn::Sequential net{BatchNorm1d(2, {.non_finite = nn::NonFinite::skip})};
    net(randn({7, 2}) + 3);
    auto& bn = net.at<BatchNorm1d>(0);
    const StateDict before = BatchNorm1d(bn).state_dict();
    EXPECT_THROW(nn::recalibrate(net, batches), ValueError);
    for (const auto& [name, value] : before) EXPECT_TRUE(equal(bn.state_dict().at(name), value)) << name;
  }
  nn::Sequential net{BatchNorm1d(1)};
  nn::recalibrate(net, std::vector<Tensor>{zeros({0, 1}), tensor({{1.0}, {3.0}}), zeros({0, 1})});
  EXPECT_EQ(net.at<BatchNorm1d>(0).running_mean.item(), 2);
  EXPECT_EQ(net.at<BatchNorm1d>(0).running_var.item(), 2);
}

TEST(Fuse, ComputesWhatEvalComputes) {
  manual_seed(6);
  for (const bool bias : {true, false}) {
    nn::Sequential net{nn::Linear(4, 3, {.bias = bias}), BatchNorm1d(3), nn::ReLU(), nn::Linear(3, 2)};
    auto& bn = net.at<BatchNorm1d>(1);
    uniform_(bn.weight.detach(), -2, 2);
    normal_(bn.bias.detach());
    for (int i = 0; i < 5; ++i) net(randn({16, 4}) * 3 + 1);
    EXPECT_THROW(static_cast<void>(fuse(net.at<nn::Linear>(0), bn)), ValueError);  // still in training mode
    net.eval();
    const nn::Sequential fused = fuse(net);
    EXPECT_EQ(fused.size(), 3u);
    const Tensor x = randn({9, 4});
    nn::Sequential both = fused;
    EXPECT_LE(max_distance(both(x), net(x)), 2e-6);
    EXPECT_EQ(net.size(), 4u);
  }
  BatchNorm1d narrow(2);
  narrow.eval();
  EXPECT_THROW(static_cast<void>(fuse(nn::Linear(4, 3), narrow)), ValueError);
}

/// Buffers and weights as after some training, in eval mode.
nn::Sequential settled(nn::Sequential net) {
  manual_seed(9);
  for (nn::Module* m : net.modules()) {
    auto* bn = dynamic_cast<BatchNorm1d*>(m);
    if (!bn || !bn->running_mean.defined()) continue;
    normal_(bn->running_mean);
    uniform_(bn->running_var, 0.5, 2);
    if (bn->weight.defined()) uniform_(bn->weight.detach(), -2, 2);
    if (bn->bias.defined()) normal_(bn->bias.detach());
  }
  net.eval();
  return net;
}

TEST(Fuse, NeverGivesAnotherFunction) {
  struct Twice : nn::Linear {
    Twice(std::int64_t in, std::int64_t out) : nn::Linear(in, out) {}
    Tensor forward(const Tensor& x) const override { return nn::Linear::forward(x) * 2; }
  };
  struct Shifted : BatchNorm1d {
    explicit Shifted(std::int64_t n) : BatchNorm1d(n) {}
    Tensor forward(const Tensor& x) const override { return BatchNorm1d::forward(x) + 1; }
  };
  struct Case {
    nn::Sequential net;
    std::size_t layers;  // of the fused net
  };
  using nn::Linear, nn::Sequential;
  const std::vector<Case> cases = {
      {Sequential{Linear(3, 3), BatchNorm1d(3)}, 1},
      {Sequential{Linear(3, 3), BatchNorm1d(3), BatchNorm1d(3)}, 2},
      {Sequential{Linear(3, 3), nn::ReLU(), BatchNorm1d(3)}, 3},
      {Sequential{Linear(3, 3), BatchNorm1d(3, {.affine = false}), Linear(3, 3, {.bias = false}), BatchNorm1d(3)}, 2},
      {Sequential{BatchNorm1d(3), Linear(3, 3)}, 2},
      {Sequential{Linear(3, 2), BatchNorm1d(3)}, 2},
      {Sequential{Linear(3, 3), BatchNorm1d(3, {.track_running_stats = false})}, 2},
      {Sequential{Twice(3, 3), BatchNorm1d(3)}, 2},
      {Sequential{Linear(3, 3), Shifted(3)}, 2},
      {Sequential{Linear(3, 3, {.dtype = float64}), BatchNorm1d(3)}, 2},
      {Sequential{Sequential{Linear(3, 3)}, BatchNorm1d(3)}, 2},
      {Sequential{Sequential{Linear(3, 3), BatchNorm1d(3), nn::Tanh()}, Linear(3, 3), BatchNorm1d(3)}, 2},
  };
  for (const Case& c : cases) {
    const Sequential net = settled(c.net), fused = fuse(net);
    SCOPED_TRACE(to_string(net));
    EXPECT_EQ(fused.size(), c.layers);
    for (const Shape& shape : {Shape{5, 3}, Shape{1, 3}, Shape{2, 3, 3}, Shape{3, 3, 3}, Shape{3}}) {
      const Tensor x = randn(shape);
      Tensor expected;
      try {
        expected = net(x);
      } catch (const Error&) {
        EXPECT_THROW(fused(x), Error) << to_string(shape);
        continue;
      }
      try {
        EXPECT_LE(max_distance(fused(x), expected), 4e-6) << to_string(shape);
      } catch (const ValueError& error) {
        EXPECT_EQ(shape.rank(), 3) << error.what();
        EXPECT_EQ(std::string(error.what()).find("expected 2D input (got 3D input)"), 0U);
      }
    }
  }
}

TEST(Fuse, RefusesHooks) {
  nn::Sequential net = settled(nn::Sequential{nn::Linear(3, 3), BatchNorm1d(3), nn::ReLU()});
  const auto twice = [](nn::Module&, const Tensor&, const Tensor& y) { return y * 2; };
  for (nn::Module* module : net.modules()) {
    nn::HookHandle hook = module->register_forward_hook(twice);
    try {
      static_cast<void>(fuse(net));
      ADD_FAILURE() << module->name();
    } catch (const ValueError& error) {
      EXPECT_EQ(std::string(error.what()).find("fuse: " + module->name() + " has forward hooks"), 0U) << error.what();
    }
    hook.remove();
    EXPECT_NO_THROW(static_cast<void>(fuse(net)));
  }
  net[0].register_forward_pre_hook([](nn::Module&, const Tensor&) {});
  EXPECT_THROW(static_cast<void>(fuse(net)), ValueError);
  EXPECT_THROW(static_cast<void>(fuse(net.at<nn::Linear>(0), net.at<BatchNorm1d>(1))), ValueError);
}

TEST(Fuse, KeepsEveryModeAndRefusesWhatHasNoReciprocal) {
  nn::Sequential net = settled(nn::Sequential{nn::Linear(3, 3), BatchNorm1d(3), nn::Dropout(0.5)});
  net[2].train();
  const nn::Sequential fused = fuse(net);
  EXPECT_FALSE(fused.training() || fused[0].training());
  EXPECT_TRUE(fused[1].training());
  auto& bn = net.at<BatchNorm1d>(1);
  for (const double var : {-1.0, double(NAN), -2e-5}) {
    bn.running_var.fill_(var);
    EXPECT_THROW(static_cast<void>(fuse(net)), ValueError) << var;
  }
}

}  // namespace
}  // namespace gradus
