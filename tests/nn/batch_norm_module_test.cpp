// What can be done with a trained layer: estimating its buffers anew, fusing it.
#include "near.hpp"

#include <gradus/core/autograd.hpp>
#include <gradus/core/random.hpp>
#include <gradus/nn/activation.hpp>
#include <gradus/nn/batch_norm.hpp>

#include <gtest/gtest.h>

namespace gradus {
namespace {

using nn::BatchNorm1d;
using test::max_distance;

TEST(Recalibrate, IsTheMeanOverTheBatchesAndRestoresModes) {
  manual_seed(4);
  nn::Sequential net(nn::Linear(3, 2), BatchNorm1d(2, {.momentum = 0.25}), nn::ReLU());
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
  nn::Sequential net(BatchNorm1d(2), nn::ReLU());
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

TEST(Fuse, ComputesWhatEvalComputes) {
  manual_seed(6);
  for (const bool bias : {true, false}) {
    nn::Sequential net(nn::Linear(4, 3, {.bias = bias}), BatchNorm1d(3), nn::ReLU(), nn::Linear(3, 2));
    auto& bn = net.at<BatchNorm1d>(1);
    uniform_(bn.weight.detach(), -2, 2);
    normal_(bn.bias.detach());
    for (int i = 0; i < 5; ++i) net(randn({16, 4}) * 3 + 1);
    EXPECT_THROW(fuse(net.at<nn::Linear>(0), bn), ValueError);  // still in training mode
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
  EXPECT_THROW(fuse(nn::Linear(4, 3), narrow), ValueError);
}

}  // namespace
}  // namespace gradus
