// Threads that draw from one generator: every word of the stream goes to one of them.
#include <gradus/core/data.hpp>
#include <gradus/core/random.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <thread>

namespace gradus::test {
namespace {

template <class F>
void in_threads(F f) {
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) threads.emplace_back(f, i);
  for (std::thread& thread : threads) thread.join();
}

TEST(GeneratorThreads, EachDrawIsOnePieceOfTheStream) {
  constexpr int draws = 30;
  constexpr std::int64_t size = 20'000;  // long enough that threads meet
  Generator shared(3);
  std::vector<std::vector<float>> drawn(4 * draws);
  in_threads([&](int thread) {
    for (int i = 0; i < draws; ++i) {
      drawn[static_cast<std::size_t>(thread * draws + i)] = rand(size, float32, shared).to_vector<float>();
    }
  });
  Generator alone(3);
  std::vector<std::vector<float>> expected;
  for (int i = 0; i < 4 * draws; ++i) expected.push_back(rand(size, float32, alone).to_vector<float>());
  std::ranges::sort(drawn);
  std::ranges::sort(expected);
  EXPECT_EQ(drawn, expected);
  EXPECT_EQ(shared, alone);
}

TEST(GeneratorThreads, EveryKindOfDrawTakesItsTurn) {
  Generator shared(3), alone(3);
  const auto draw_all = [](Generator& g) {
    for (int i = 0; i < 50; ++i) {
      const Tensor x = empty({20});
      rand({20}, float64, g), randn({20}, float32, g), randint(9, {20}, g), randperm(9, g), bernoulli_(x, 0.5, g);
      multinomial(ones({4}), 2, true, g), multinomial(ones({4}), 2, false, g), normal(zeros({20}), 1.0, g);
      uniform_(x, 0, 1, g), normal_(x, 0, 1, g), random_(x, 0, 5, g), random_(x, g), bernoulli(full({20}, 0.5), g);
      EXPECT_EQ(g.state().size(), 5056u);
      for (const auto& [batch] : DataLoader{TensorDataset(x), {.batch_size = 20, .shuffle = true, .generator = &g}}) {
        EXPECT_EQ(batch.numel(), 20);
      }
    }
  };
  in_threads([&](int) { draw_all(shared); });
  for (int i = 0; i < 4; ++i) draw_all(alone);
  EXPECT_EQ(shared, alone) << "as many words in all";
}

}  // namespace
}  // namespace gradus::test
