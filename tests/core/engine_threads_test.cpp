// Threads that share leaves: each has graphs of its own, gradients meet in the leaves.
#include "tensors.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

namespace gradus::test {
namespace {

/// Calls f(0) … f(3), each in a thread of its own.
template <class F>
void in_threads(F f) {
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) threads.emplace_back(f, i);
  for (std::thread& thread : threads) thread.join();
}

constexpr int rounds = 300;

class Threads : public ::testing::Test {
 protected:
  void TearDown() override { EXPECT_EQ(live_nodes(), 0); }

  Tensor w = tensor({1., 2., 3.}, float64).requires_grad_(), b = tensor({4., 5., 6.}, float64).requires_grad_();
  static constexpr std::int64_t many = 5000;  // elements: threads that add as many at a time meet
  Tensor long_w = ones({many}, float64).requires_grad_();
};

TEST_F(Threads, GraphsThatNobodyRuns) {
  in_threads([&](int) {
    for (int i = 0; i < rounds * 10; ++i) (w * w + b).sum();
  });
}

TEST_F(Threads, NoGradientIsLost) {
  in_threads([&](int) {
    for (int i = 0; i < rounds; ++i) {
      (w * 2 + b).sum().backward();
      (long_w * 2).sum().backward();
    }
  });
  expect_tensor(long_w.grad(), full({many}, 4 * rounds * 2, float64));
  expect_tensor(w.grad(), full({3}, 4 * rounds * 2, float64));
  expect_tensor(b.grad(), full({3}, 4 * rounds, float64));
}

TEST_F(Threads, NoRecordedGradientIsLost) {
  in_threads([&](int) {
    for (int i = 0; i < 20; ++i) (w * 2 + b).sum().backward({.create_graph = true});
  });
  expect_tensor(w.grad().detach(), full({3}, 4 * 20 * 2, float64));
  w.set_grad({}), b.set_grad({});
}

TEST_F(Threads, GradHasTheGradientsOfItsOwnThread) {
  std::atomic<int> wrong{0};
  in_threads([&](int thread) {
    for (int i = 0; i < rounds; ++i) {
      const Tensor y = (w * w * (thread + 1) + b).sum();
      const std::vector<Tensor> dx = grad({y}, {w, b}, {.create_graph = i % 2 == 0});
      if (!equal(dx[0], w.detach() * 2 * (thread + 1)) || !equal(dx[1], ones({3}, float64))) ++wrong;
    }
  });
  EXPECT_EQ(wrong, 0);
  EXPECT_FALSE(w.grad().defined());
}

TEST_F(Threads, GraphsOfOneThreadRunInOthers) {
  std::vector<Tensor> losses;
  for (int i = 0; i < 4; ++i) losses.push_back((w * (i + 1) + b).sum());
  in_threads([&](int thread) {
    Tensor loss = std::move(losses[static_cast<std::size_t>(thread)]);
    loss.backward();
  });
  expect_tensor(w.grad(), full({3}, 1 + 2 + 3 + 4, float64));
  expect_tensor(b.grad(), full({3}, 4, float64));
}

TEST_F(Threads, HooksOfLeavesAreCalledForEachGraph) {
  std::atomic<int> calls{0};
  w.register_hook([&](const Tensor& dy) {
    ++calls;
    return dy * 2;
  });
  in_threads([&](int) {
    for (int i = 0; i < rounds; ++i) (w + w).sum().backward();
  });
  EXPECT_EQ(calls, 4 * rounds);
  expect_tensor(w.grad(), full({3}, 4 * rounds * 4, float64));
}

TEST_F(Threads, GradientsMayBeReadAndClearedMeanwhile) {
  in_threads([&](int thread) {
    for (int i = 0; i < rounds; ++i) {
      if (thread < 3) {
        (w * 2).sum().backward();
      } else {
        w.set_grad({});
        b.set_grad(w.grad());
        b.set_grad({});
      }
    }
  });
}

}  // namespace
}  // namespace gradus::test
