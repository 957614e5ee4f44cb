// A training loop that has found its stride asks neither the system nor the C++ heap for memory.
#include "counted_new.hpp"
#include "runtime/memory.hpp"

#include <gradus/gradus.hpp>

#include <gtest/gtest.h>

#include <memory>

namespace gradus::test {
namespace {

using MakeOptimizer = std::unique_ptr<optim::Optimizer> (*)(const std::vector<Tensor>&);

template <class O, class Options>
std::unique_ptr<optim::Optimizer> make(const std::vector<Tensor>& parameters, const Options& options) {
  return std::make_unique<O>(parameters, options);
}

void expect_steady(MakeOptimizer make_optimizer) {
  nn::Sequential net{nn::Linear(64, 100), nn::BatchNorm1d(100), nn::ReLU(), nn::Dropout(0.1), nn::Linear(100, 10)};
  const auto optimizer = make_optimizer(net.parameters());
  const Tensor x = randn({60, 64}), y = randint(10, {60});
  const auto step = [&] {
    optimizer->zero_grad();
    const Tensor loss = nn::functional::cross_entropy(net(x), y);
    loss.backward();
    optimizer->step();
  };
  for (int i = 0; i < 3; ++i) step();

  const long heap = calls_of_new;
  const std::size_t system = detail::system_allocations();
  for (int i = 0; i < 100; ++i) step();
  EXPECT_EQ(calls_of_new - heap, 0);
  EXPECT_EQ(detail::system_allocations() - system, 0);
}

TEST(SteadyTraining, AsksTheSystemForNothingWithSgd) {
  expect_steady([](const auto& p) { return make<optim::SGD>(p, optim::SGDOptions{.lr = 0.1, .momentum = 0.9}); });
}

TEST(SteadyTraining, AsksTheSystemForNothingWithAdam) {
  expect_steady([](const auto& p) { return make<optim::Adam>(p, optim::AdamOptions{}); });
}

TEST(SteadyInference, AllocatesNothing) {
  nn::Sequential net{nn::Linear(64, 100), nn::BatchNorm1d(100), nn::ReLU(), nn::Linear(100, 10)};
  net.eval();
  const Tensor x = randn({1, 64});
  const NoGradGuard no_grad;
  net(x);
  const long heap = calls_of_new;
  const std::size_t system = detail::system_allocations();
  for (int i = 0; i < 100; ++i) net(x);
  EXPECT_EQ(calls_of_new - heap, 0);
  EXPECT_EQ(detail::system_allocations() - system, 0);
}

}  // namespace
}  // namespace gradus::test
