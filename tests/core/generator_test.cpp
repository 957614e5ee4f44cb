#include "bits.hpp"
#include "errors.hpp"

#include <gradus/core/random.hpp>

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <random>

namespace gradus {
namespace {

using test::expect_elements;
using test::expect_error;
using test::expect_same;

TEST(Generator, DrawsTheWordsOfTheMersenneTwister) {
  for (const std::uint64_t seed : {std::uint64_t{0}, std::uint64_t{5489}, ~std::uint64_t{0}}) {
    Generator generator(seed);
    std::mt19937 standard(static_cast<std::uint32_t>(seed));
    for (int i = 0; i < 3000; ++i) ASSERT_EQ(generator.next_uint32(), standard()) << "word " << i;
  }
}

TEST(Generator, BuildsNumbersFromWords) {
  Generator generator(0);  // words 2357136044, 2546248239, 3071714933, 3626093760, …
  EXPECT_EQ(generator.next_uint64(), 2357136044ULL << 32 | 2546248239ULL);
  EXPECT_EQ(generator.next_float(), static_cast<float>(3071714933U % (1U << 24)) / (1U << 24));
  generator.manual_seed(0);
  EXPECT_EQ(generator.next_double(), std::ldexp((2357136044ULL << 32 | 2546248239ULL) % (1ULL << 53), -53));
}

TEST(Generator, TakesAnySeed) {
  EXPECT_EQ(Generator().initial_seed(), 67280421310721U);
  EXPECT_EQ(Generator(-1).initial_seed(), 18446744073709551615U);
  EXPECT_EQ(Generator(-1), Generator(18446744073709551615U));
  EXPECT_EQ(manual_seed(-7).initial_seed(), 18446744073709551609U);
  expect_elements<float>(rand({3}), {0.2533376216888428F, 0.6773603558540344F, 0.2534458637237549F});
  manual_seed((1ULL << 32) + 5);  // the low 32 bits count
  const Tensor large = rand({3});
  manual_seed(5);
  expect_same(rand({3}), large);
  Generator generator;
  expect_elements<float>(rand({2}, float32, generator), {0.267295241355896F, 0.8725283145904541F});
}

TEST(Generator, UnforeseeableSeedsDifferAndCanBeUsedAgain) {
  Generator a;
  Generator b;
  const std::uint64_t seed = a.seed();
  EXPECT_NE(seed, b.seed());
  EXPECT_EQ(a.initial_seed(), seed);
  EXPECT_EQ(a, Generator(seed));
}

TEST(Generator, StateContinuesTheStreamWithItsWaitingNormal) {
  Generator generator(3);
  rand({700}, float32, generator);
  randn({3}, float32, generator);  // leaves a fourth value waiting
  const auto state = generator.state();
  const Tensor normals = randn({2}, float32, generator);
  const Tensor uniforms = rand({700}, float32, generator);

  Generator restored;
  restored.set_state(state);
  EXPECT_EQ(restored.initial_seed(), 3U);
  EXPECT_EQ(restored.state(), state);
  expect_same(randn({2}, float32, restored), normals);
  expect_same(rand({700}, float32, restored), uniforms);
  EXPECT_EQ(restored, generator);

  restored.set_state(Generator(8).state());
  EXPECT_EQ(restored, Generator(8));
}

TEST(Generator, StateIsLaidOutAsPyTorchs) {
  Generator generator(5);
  randn({3}, float32, generator);
  const auto state = generator.state();
  EXPECT_EQ(state.size(), 5056U);
  EXPECT_EQ(test::hash(state.data(), state.size()), 0x3A46'748B'68EC'C6B2U);
}

TEST(Generator, RefusesWhatIsNoState) {
  Generator generator(1);
  const Generator before = generator;
  auto state = generator.state();
  state.pop_back();
  expect_error<RuntimeError>("set_state: expected the 5056 bytes of a state(), got 5055",
                             [&] { generator.set_state(state); });
  expect_error<RuntimeError>("Invalid mt19937 state", [&] { generator.set_state(std::vector<std::uint8_t>(5056)); });
  for (const int left : {0, 625, -1}) {
    state = before.state();
    std::memcpy(state.data() + 8, &left, sizeof left);
    expect_error<RuntimeError>("Invalid mt19937 state", [&] { generator.set_state(state); });
  }
  EXPECT_EQ(generator, before);
}

TEST(Generator, GeneratorsAreIndependent) {
  Generator a(1);
  Generator b(2);
  const Tensor a_alone = randn({5}, float32, a);
  const Tensor b_alone = randn({5}, float32, b);
  a.manual_seed(1);
  b.manual_seed(2);
  manual_seed(9);
  const Generator untouched = default_generator();
  std::vector<Tensor> a_mixed;
  std::vector<Tensor> b_mixed;
  for (int i = 0; i < 5; ++i) {
    a_mixed.push_back(randn({}, float32, a));
    b_mixed.push_back(randn({}, float32, b));
  }
  for (int i = 0; i < 5; ++i) {
    expect_same(a_mixed[i], a_alone[i]);
    expect_same(b_mixed[i], b_alone[i]);
  }
  EXPECT_EQ(default_generator(), untouched);

  Generator copy = a;
  EXPECT_EQ(copy, a);
  const Tensor next = randn({4}, float32, copy);
  EXPECT_NE(copy, a);
  expect_same(randn({4}, float32, a), next);
}

}  // namespace
}  // namespace gradus
