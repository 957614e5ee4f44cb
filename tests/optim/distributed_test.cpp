// What one process can tell: the same program without others.
#include "errors.hpp"
#include "near.hpp"

#include <gradus/core/autograd.hpp>
#include <gradus/core/gradcheck.hpp>
#include <gradus/distributed.hpp>
#include <gradus/nn/batch_norm.hpp>
#include <gradus/nn/linear.hpp>
#include <gradus/nn/sequential.hpp>

#include <gtest/gtest.h>

namespace gradus::test {
namespace {

using distributed::Communicator;

TEST(Communicator, OfOneProcess) {
  const Communicator alone, world = Communicator::world();
  EXPECT_EQ(alone.rank(), 0);
  EXPECT_EQ(world.size(), 1);
  EXPECT_EQ(world.split(3).size(), 1);
  EXPECT_EQ(alone.sum(2.5), 2.5);
  expect_error<ValueError>("split: expected a color from 0 up, got -1", [&] { alone.split(-1); });
  expect_error<ValueError>("broadcast: expected a root from 0 to 0, got 1", [&] { alone.broadcast({}, 1); });
  expect_error<ValueError>("set_timeout: expected a positive number", [] { distributed::set_timeout(0); });
  expect_error<ValueError>("average_gradients: expected a number of rows",
                           [&] { distributed::average_gradients(nn::Linear(2, 2), -1, alone); });
}

/// x, weight and bias through a BatchNorm with and without sync.
class SyncBatchNorm : public testing::TestWithParam<Shape> {
 protected:
  Tensor normalise(const std::vector<Tensor>& in, nn::AllReduce* sync, const Tensor& mean = {},
                   const Tensor& var = {}) {
    return nn::functional::batch_norm(in[0], {.running_mean = mean, .running_var = var, .weight = in[1], .bias = in[2]},
                                      {.training = true, .momentum = 0.3, .eps = 0.1, .sync = sync});
  }
  std::vector<Tensor> inputs() {
    manual_seed(1);
    return {(randn(GetParam(), float64) * 3 + 2).requires_grad_(), (randn({4}, float64) + 2).requires_grad_(),
            randn({4}, float64).requires_grad_()};
  }
  std::shared_ptr<nn::AllReduce> alone = Communicator();
};

TEST_P(SyncBatchNorm, EqualsTheLayerOfOneProcess) {
  const std::vector<Tensor> a = inputs(), b = inputs();
  Tensor means[2], vars[2];
  for (int i = 0; i < 2; ++i) means[i] = zeros({4}, float64), vars[i] = ones({4}, float64);
  const Tensor y = normalise(a, nullptr, means[0], vars[0]), other = normalise(b, alone.get(), means[1], vars[1]);
  const Tensor dy = randn(GetParam(), float64);
  y.backward({.gradient = dy});
  other.backward({.gradient = dy});
  EXPECT_LE(max_distance(other, y), 1e-14);
  EXPECT_LE(max_distance(means[1], means[0]), 1e-15);
  EXPECT_LE(max_distance(vars[1], vars[0]), 1e-14);
  for (std::size_t i = 0; i < 3; ++i) EXPECT_LE(max_distance(b[i].grad(), a[i].grad()), 1e-13) << i;
}

TEST_P(SyncBatchNorm, PassesGradcheckToSecondOrder) {
  const Tensor dy = randn(GetParam(), float64);
  const auto f = [&](const std::vector<Tensor>& in) { return normalise(in, alone.get()) * dy; };
  EXPECT_TRUE(gradcheck(f, inputs()));
  EXPECT_TRUE(gradgradcheck(f, inputs()));
}

INSTANTIATE_TEST_SUITE_P(Shapes, SyncBatchNorm, testing::Values(Shape({5, 4}), Shape({3, 4, 2})));

TEST(SyncBatchNormLayer, ConvertsAndCopies) {
  nn::Sequential net{nn::Linear(3, 4), nn::BatchNorm1d(4)};
  distributed::convert_sync_batch_norm(net, Communicator());
  EXPECT_TRUE(net.at<nn::BatchNorm1d>(1).options().sync);
  const Tensor x = randn({6, 3});
  net(x);
  EXPECT_EQ(net.at<nn::BatchNorm1d>(1).num_batches_tracked.item(), 1);
  net.eval();
  EXPECT_EQ(net(x).shape(), Shape({6, 4}));
}

TEST(DataLoader, GivesEveryRowToOneProcess) {
  const TensorDataset rows{arange(11)};
  std::vector<int> seen(11);
  for (int rank = 0; rank < 3; ++rank) {
    Generator generator(5);
    DataLoader loader(rows, {.batch_size = 4, .shuffle = true, .generator = &generator, .sampler = {rank, 3}});
    EXPECT_EQ(loader.size(), 3);
    std::int64_t batches = 0;
    for (auto& [x] : loader) {
      ++batches;
      for (const std::int64_t row : x.data<std::int64_t>()) ++seen[static_cast<std::size_t>(row)];
    }
    EXPECT_EQ(batches, 3);
  }
  EXPECT_EQ(seen, std::vector<int>(11, 1));
  expect_error<ValueError>("DataLoader: expected a sampler with 0 <= rank < size, got rank 3 of 3", [&] {
    DataLoader(rows, {.sampler = {3, 3}});
  });
}

}  // namespace
}  // namespace gradus::test
