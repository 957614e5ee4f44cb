// Threads that share a model: forward passes, graphs and backward passes of their own over the same parameters.
#include <gradus/gradus.hpp>

#include <gtest/gtest.h>

#include <thread>

namespace gradus::nn {
namespace {

template <class F>
void in_threads(F f) {
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i) threads.emplace_back(f, i);
  for (std::thread& thread : threads) thread.join();
}

Sequential net() {
  manual_seed(1);
  return Sequential{Linear(4, 6), BatchNorm1d(6), ReLU(), Linear(6, 3)};
}

/// A batch of thread `i`: numbers that need no generator.
Tensor batch(int i) { return sin(arange(20.).reshape({5, 4}) * (0.37 + i)); }
const Tensor& classes() {
  static const Tensor target = tensor({0, 2, 1, 1, 0});
  return target;
}

class SharedModel : public ::testing::Test {
 protected:
  void SetUp() override { classes(); }
  void TearDown() override { EXPECT_EQ(live_nodes(), 0); }
};

TEST_F(SharedModel, InferenceWithoutAGuard) {
  Sequential model = net();
  model.eval();
  std::vector<Tensor> expected, got(3);
  for (int i = 0; i < 3; ++i) expected.push_back(model(batch(i)).detach());
  in_threads([&](int i) {
    for (int k = 0; k < 300; ++k) got[static_cast<std::size_t>(i)] = model(batch(i)).detach();
  });
  for (std::size_t i = 0; i < 3; ++i) EXPECT_TRUE(equal(got[i], expected[i]));
}

TEST_F(SharedModel, GradientsOfAllThreadsMeet) {
  Sequential model = net(), alone = model;
  model.eval(), alone.eval();
  for (int i = 0; i < 3; ++i) {
    for (int k = 0; k < 50; ++k) functional::cross_entropy(alone(batch(i)), classes()).backward();
  }
  in_threads([&](int i) {
    for (int k = 0; k < 50; ++k) functional::cross_entropy(model(batch(i)), classes()).backward();
  });
  const auto expected = alone.parameters(), got = model.parameters();
  for (std::size_t p = 0; p < got.size(); ++p) {  // only the order of the sums differs
    EXPECT_TRUE(allclose(got[p].grad(), expected[p].grad(), 1e-5, 1e-5)) << p;
  }
}

TEST_F(SharedModel, GradPerThread) {
  Sequential model = net();
  model.eval();
  const auto gradients = [&](int i) {
    return grad({functional::cross_entropy(model(batch(i)), classes())}, {model.parameters()[0]})[0];
  };
  std::vector<Tensor> expected, got(3);
  for (int i = 0; i < 3; ++i) expected.push_back(gradients(i));
  in_threads([&](int i) {
    for (int k = 0; k < 100; ++k) got[static_cast<std::size_t>(i)] = gradients(i);
  });
  for (std::size_t i = 0; i < 3; ++i) EXPECT_TRUE(equal(got[i], expected[i]));
}

TEST_F(SharedModel, EveryTrainingBatchCountsInTheBuffers) {
  Sequential model = net();
  in_threads([&](int i) {
    for (int k = 0; k < 100; ++k) functional::cross_entropy(model(batch(i)), classes()).backward();
  });
  const StateDict state = model.state_dict();
  EXPECT_EQ(state.at("1.num_batches_tracked").item<std::int64_t>(), 300);
  EXPECT_TRUE(isfinite(state.at("1.running_mean")).all().item<bool>());
}

}  // namespace
}  // namespace gradus::nn
