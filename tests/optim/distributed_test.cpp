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

#include <algorithm>
#include <array>
#include <barrier>
#include <functional>
#include <mutex>
#include <thread>
#include <tuple>

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

/// Far from zero, where the mean is rounded, and with a constant channel and no eps, where var is 0.
TEST(SyncBatchNormNumbers, AreThoseOfOneProcess) {
  const std::shared_ptr<nn::AllReduce> alone = Communicator();
  for (const double mean : {0.0, 1e4, 1e10}) {
    for (const double eps : {1e-5, 0.0}) {
      for (const bool create_graph : {false, true}) {
        manual_seed(3);
        const Tensor start = randn({7, 3}, float64) + mean, dy = randn({7, 3}, float64), weight = randn({3}, float64);
        const Tensor constant = cat({start.narrow(1, 0, 2), full({7, 1}, 5.0, float64)}, 1);
        std::vector<Tensor> results[2];
        for (nn::AllReduce* sync : {static_cast<nn::AllReduce*>(nullptr), alone.get()}) {
          const Tensor x = constant.clone().requires_grad_(), w = weight.clone().requires_grad_();
          const Tensor y = nn::functional::batch_norm(x, {.weight = w}, {.training = true, .eps = eps, .sync = sync});
          results[sync != nullptr] = grad({y}, {x, w}, {.grad_outputs = {dy}, .create_graph = create_graph});
          results[sync != nullptr].push_back(y.detach());
        }
        for (std::size_t i = 0; i < 3; ++i) {
          EXPECT_LE(max_distance(results[1][i], results[0][i]), 1e-13)
              << "result " << i << " with mean " << mean << " and eps " << eps;
        }
      }
    }
  }
}

TEST_P(SyncBatchNorm, PassesGradcheckToSecondOrder) {
  const Tensor dy = randn(GetParam(), float64);
  const auto f = [&](const std::vector<Tensor>& in) { return normalise(in, alone.get()) * dy; };
  EXPECT_TRUE(gradcheck(f, inputs()));
  EXPECT_TRUE(gradgradcheck(f, inputs()));
}

INSTANTIATE_TEST_SUITE_P(Shapes, SyncBatchNorm, testing::Values(Shape({5, 4}), Shape({3, 4, 2})));

/// Threads in the place of processes.
class Threads final : public nn::AllReduce {
 public:
  explicit Threads(int count) : barrier_(count) {}
  void sum(std::span<double> values) override {
    {
      const std::lock_guard lock(mutex_);
      sums_.resize(values.size());
      std::ranges::transform(values, sums_, sums_.begin(), std::plus<>());
    }
    barrier_.arrive_and_wait();
    std::ranges::copy(sums_, values.begin());
    barrier_.arrive_and_wait();
    {
      const std::lock_guard lock(mutex_);
      sums_.clear();
    }
    barrier_.arrive_and_wait();
  }

 private:
  std::barrier<> barrier_;
  std::mutex mutex_;
  std::vector<double> sums_;
};

/// Shards of 4, 0 and 3 of 7 rows. Each has a loss that is the mean over its rows, so its gradients are those of the
/// whole batch times 7 / rows.
TEST(SyncBatchNormShards, GiveTheGradientOfTheWholeBatch) {
  for (const bool create_graph : {false, true}) {
    manual_seed(4);
    const Tensor x = randn({7, 3}, float64) * 3 + 1, dy = randn({7, 3}, float64), weight = randn({3}, float64);
    const auto run = [&](std::int64_t begin, std::int64_t rows, nn::AllReduce* sync) {
      const Tensor part = x.narrow(0, begin, rows).clone().requires_grad_(), w = weight.clone().requires_grad_();
      const Tensor y = nn::functional::batch_norm(part, {.weight = w}, {.training = true, .eps = 0.1, .sync = sync});
      const double share = static_cast<double>(rows) / 7;
      const Tensor mean_dy = dy.narrow(0, begin, rows) / (rows > 0 ? share : 1);
      std::vector<Tensor> results = grad({y}, {part, w}, {.grad_outputs = {mean_dy}, .create_graph = create_graph});
      return std::array{y.detach(), results[0].detach() * share, results[1].detach() * share};
    };
    const auto whole = run(0, 7, nullptr);
    Threads all(3);
    std::array<std::array<Tensor, 3>, 3> parts;
    std::vector<std::thread> threads;
    for (const auto& [place, begin, rows] : {std::tuple(0, 0, 4), std::tuple(1, 4, 0), std::tuple(2, 4, 3)}) {
      threads.emplace_back([&, place = place, begin = begin, rows = rows] {
        parts[static_cast<std::size_t>(place)] = run(begin, rows, &all);
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_LE(max_distance(cat({parts[0][0], parts[1][0], parts[2][0]}), whole[0]), 1e-14);
    EXPECT_LE(max_distance(cat({parts[0][1], parts[1][1], parts[2][1]}), whole[1]), 1e-13);
    EXPECT_LE(max_distance(parts[0][2] + parts[2][2], whole[2]), 1e-13);
  }
}

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
  expect_error<ValueError>("DataLoader: processes shuffle alike only from generators that nothing else draws from",
                           [&] {
                             DataLoader(rows, {.shuffle = true, .sampler = {0, 2}});
                           });
}

}  // namespace
}  // namespace gradus::test
