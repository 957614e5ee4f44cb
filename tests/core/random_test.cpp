#include "bits.hpp"
#include "errors.hpp"
#include "golden.hpp"
#include "kernels/table.hpp"
#include "random/fill.hpp"

#include <gradus/core/autograd.hpp>
#include <gradus/core/random.hpp>

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>
#include <numbers>

namespace gradus {
namespace {

using test::expect_elements;
using test::expect_error;
using test::expect_same;
using test::golden_tensor;
using test::json;
using Tensors = std::vector<Tensor>;

/// What nn::Linear(in, out) draws for its weight: the bound of kaiming_uniform_ with a = sqrt(5).
Tensor linear_weight(std::int64_t in, std::int64_t out) {
  const double gain = std::sqrt(2 / (1 + std::sqrt(5.0) * std::sqrt(5.0)));
  const double bound = std::numbers::sqrt3 * (gain / std::sqrt(static_cast<double>(in)));
  return uniform_(empty({out, in}), -bound, bound);
}

Tensor linear_bias(std::int64_t in, std::int64_t out) {
  const double bound = 1 / std::sqrt(static_cast<double>(in));
  return uniform_(empty({out}), -bound, bound);
}

Tensor dropout_of_ones(double p) { return bernoulli_(empty({12}), 1 - p).div_(1 - p); }

/// The draws of one epoch of a shuffling DataLoader: an unused base seed, then the seed of the permutation.
Tensor shuffled_epoch(std::int64_t n) {
  random_(empty({}, int64));
  Generator shuffle(random_(empty({}, int64)).item<std::int64_t>());
  return randperm(n, shuffle);
}

const std::map<std::string, Tensors (*)()>& streams() {
  static const std::map<std::string, Tensors (*)()> by_name = {
      {"rand", [] { return Tensors{rand({8})}; }},
      {"rand_f64", [] { return Tensors{rand({5}, float64)}; }},
      {"uniform", [] { return Tensors{uniform_(empty({9}), -0.3, 1.1)}; }},
      {"randn_3", [] { return Tensors{randn({3})}; }},
      {"randn_3_f64", [] { return Tensors{randn({3}, float64)}; }},
      {"randn_16", [] { return Tensors{randn({16})}; }},
      {"randn_40", [] { return Tensors{randn({40})}; }},
      {"randn_40_f64", [] { return Tensors{randn({40}, float64)}; }},
      {"normal",
       [] {
         return Tensors{normal_(empty({3, 7}), 2.0, 0.5)};
       }},
      {"randint", [] { return Tensors{randint(-5, 12, {12})}; }},
      {"randint_wide", [] { return Tensors{randint(0, std::int64_t{1} << 40, {4})}; }},
      {"random_int64", [] { return Tensors{random_(empty({3}, int64))}; }},
      {"randperm_10", [] { return Tensors{randperm(10)}; }},
      {"bernoulli", [] { return Tensors{bernoulli_(empty({12}), 0.3)}; }},
      {"bernoulli_tensor", [] { return Tensors{bernoulli(full({12}, 0.3))}; }},
      {"dropout", [] { return Tensors{dropout_of_ones(0.4)}; }},
      {"linear_4_3",
       [] {
         return Tensors{linear_weight(4, 3), linear_bias(4, 3)};
       }},
      {"two_linears",
       [] {
         return Tensors{linear_weight(3, 2), linear_weight(2, 5), linear_bias(2, 5)};
       }},
      {"loader",
       [] {
         return Tensors{shuffled_epoch(11), shuffled_epoch(11), rand({2})};
       }},
  };
  return by_name;
}

TEST(Random, EveryRecordedStreamIsReproduced) {
  for (const json& entry : test::load_golden("rng.json").at("entries")) {
    SCOPED_TRACE(entry.at("call").get<std::string>() + ", seed " + entry.at("seed").dump());
    manual_seed(entry.at("seed").get<std::int64_t>());
    const Tensors drawn = streams().at(entry.at("name"))();
    ASSERT_EQ(drawn.size(), entry.at("results").size());
    for (std::size_t i = 0; i < drawn.size(); ++i) expect_same(drawn[i], golden_tensor(entry.at("results")[i]));
    EXPECT_EQ(default_generator().next_uint32() % (1U << 31), entry.at("next_uint32"));
  }
}

TEST(Random, CallsShareOneStreamAndOneWaitingNormal) {
  const json mixed = test::load_golden("rng.json").at("mixed");
  const Tensors drawn = [&] {
    manual_seed(mixed.at("seed").get<std::int64_t>());
    Tensors results = {randn({3}),        rand({2}),   randn({2}),           randn({17}), randn({1}, float64),
                       randn({1}),        randperm(6), randn({20}, float64), randn({1}),  bernoulli_(empty({4}), 0.5),
                       rand({3}, float64)};
    // Twenty places that do not lie together are drawn one by one.
    for (int i = 0; i < 20; ++i) results.push_back(randn({1}));
    results.push_back(randn({1}));
    return results;
  }();
  const json& steps = mixed.at("steps");
  ASSERT_EQ(steps.size(), 13U);
  for (std::size_t i = 0; i < 11; ++i) {
    SCOPED_TRACE(steps[i].at("call").get<std::string>());
    expect_same(drawn[i], golden_tensor(steps[i].at("result")));
  }
  const Tensor apart = golden_tensor(steps[11].at("result")).reshape({20});
  for (std::size_t i = 0; i < 20; ++i) EXPECT_EQ(drawn[11 + i].item<float>(), apart.data<float>()[i]);
  expect_same(drawn[31], golden_tensor(steps[12].at("result")));
}

TEST(Random, LongStreamsAgreeWithPyTorch) {
  manual_seed(-12345);
  EXPECT_EQ(test::hash<float>(randn({1003})), 0xD426'62DB'6033'96A4U);
  EXPECT_EQ(test::hash<double>(randn({7, 11, 13}, float64)), 0x9705'CD16'C95F'75B4U);
  EXPECT_EQ(test::hash<float>(uniform_(empty({3, 50}), -1e-3, 7.7)), 0xEFE3'A58E'C6ED'8A4EU);
  EXPECT_EQ(test::hash<std::int64_t>(randperm(777)), 0xCAA7'F389'71AA'74DCU);
  EXPECT_EQ(test::hash<std::int64_t>(randint(-1'000'000, 1'000'000'000'000'000, {55})), 0xC848'C098'620E'56D7U);
}

TEST(Random, NormalValuesDoNotDependOnTheInstructionSet) {
  using kernels::Isa;
  Tensor uniform = rand({1 << 16});
  uniform.data<float>()[0] = 0;  // log(1)
  uniform.data<float>()[1] = 1 - 0x1p-24F;
  Tensor reference = uniform.clone();
  detail::box_muller(reference.data<float>().data(), 1 << 12, 0.1, 2.5, Isa::plain);
  for (const Isa isa : {Isa::sse2, Isa::avx2, Isa::avx512}) {
    if (!kernels::table_for<kernels::Table>(isa)) continue;
    Tensor x = uniform.clone();
    detail::box_muller(x.data<float>().data(), 1 << 12, 0.1, 2.5, isa);
    expect_same(x, reference);
  }
}

TEST(Random, EveryDtypeAgreesWithPyTorch) {
  manual_seed(11);
  expect_same(random_(empty({3}, boolean)), tensor({true, true, false}));
  expect_elements<std::int64_t>(random_(empty({3}, int64)),
                                {3038553552748641617, 3580801197991609613, 7863532667727410849});
  expect_elements<float>(random_(empty({3})), {15516205, 4518614, 13127391});
  expect_elements<double>(random_(empty({3}, float64)), {1577171675420226, 1234411509029655, 7386107197163429});
  expect_same(randint(0, 2, {6}, boolean), tensor({false, true, false, false, false, true}));
  expect_elements<double>(randint(-3, 100, {4}, float64), {3, 59, 77, 80});
  expect_elements<std::int64_t>(bernoulli_(empty({4}, int64), 0.7), {1, 1, 0, 1});
  expect_same(bernoulli_(empty({4}, boolean), 0.7), tensor({false, true, true, false}));
  expect_elements<double>(bernoulli(full({5}, 0.6, float64)), {0, 0, 0, 0, 0});
  // The widest range that float64 can span at all is still uniform over all of it.
  const Tensor wide = uniform_(empty({1000}, float64), -8.9e307, 8.9e307);
  EXPECT_LT(wide.min().item(), -8e307);
  EXPECT_GT(wide.max().item(), 8e307);
}

TEST(Random, EdgesOfTheArguments) {
  manual_seed(0);
  const Generator before = default_generator();
  EXPECT_EQ(rand({0, 3}).shape(), Shape({0, 3}));
  EXPECT_EQ(randn({2, 0}).numel(), 0);
  EXPECT_EQ(randperm(0).shape(), Shape({0}));
  EXPECT_EQ(randperm(1).item<int>(), 0);
  EXPECT_EQ(default_generator(), before);  // nothing to draw

  EXPECT_EQ(uniform_(empty({2}), 1.5, 1.5)[1].item(), 1.5);
  EXPECT_EQ(normal_(empty({20}), -2, 0)[19].item(), -2);
  EXPECT_EQ(bernoulli_(empty({50}), 0).sum().item(), 0);
  EXPECT_EQ(bernoulli_(empty({50}), 1).sum().item(), 50);
  EXPECT_EQ(randint(7, 8, {}).item<int>(), 7);
  EXPECT_EQ(randint(1, {3}).dtype(), int64);
  constexpr auto least = std::numeric_limits<std::int64_t>::min();
  constexpr auto most = std::numeric_limits<std::int64_t>::max();
  EXPECT_TRUE((randint(least, most, {50}) < 0).any().item<bool>());
  EXPECT_EQ(randint(most - 1, most, {1}).item<std::int64_t>(), most - 1);
}

TEST(Random, MistakesAreNamedAndDrawNothing) {
  manual_seed(4);
  const Generator before = default_generator();
  Tensor x = full({2}, 3.0);
  expect_error<RuntimeError>("Trying to create tensor with negative dimension -1: [-1]", [] { randperm(-1); });
  expect_error<RuntimeError>("Trying to create tensor with negative dimension -1: [2, -1]", [] { rand({2, -1}); });
  expect_error<RuntimeError>("random_ expects 'from' to be less than 'to', but got from=5 >= to=5",
                             [] { randint(5, 5, {2}); });
  expect_error<RuntimeError>("normal expects std >= 0.0, but found std -1", [&] { normal_(x, 0, -1); });
  expect_error<RuntimeError>("normal expects std >= 0.0, but found std nan", [&] { normal_(x, 0, NAN); });
  expect_error<RuntimeError>("uniform_ expects to return a [from, to) range, but found from=1 > to=0",
                             [&] { uniform_(x, 1, 0); });
  expect_error<RuntimeError>("from is out of bounds for float", [&] { uniform_(x, NAN, 0); });
  expect_error<RuntimeError>("to is out of bounds for float", [&] { uniform_(x, 0, 1e39); });
  expect_error<RuntimeError>(
      "uniform_ expects to-from <= std::numeric_limits<Float>::max(), but found to=3e+38 and "
      "from=-3e+38 which result in to-from to exceed the limit",
      [&] { uniform_(x, -3e38, 3e38); });
  for (const double p : {1.5, -0.1, static_cast<double>(NAN)}) {
    expect_error<RuntimeError>("bernoulli_ expects p to be in [0, 1], but got p=", [&] { bernoulli_(x, p); });
  }
  expect_error<RuntimeError>("bernoulli_ expects p to be in [0, 1], but got p=1.5", [&] { bernoulli_(x, 1.5); });
  expect_error<RuntimeError>("Expected p_in >= 0 && p_in <= 1 to be true, but got false.", [] {
    bernoulli(tensor({0.5, 1.5}));
  });
  expect_error<RuntimeError>("\"normal_kernel_cpu\" not implemented for 'Long'", [] { randn({2}, int64); });
  expect_error<RuntimeError>("\"check_uniform_bounds\" not implemented for 'Bool'", [] { rand({2}, boolean); });
  expect_error<RuntimeError>("\"bernoulli_tensor_cpu_p_\" not implemented for 'Long'", [] {
    bernoulli(tensor({0, 1}));
  });
  expect_error<RuntimeError>("to - 1 is out of bounds for bool", [] { randint(0, 3, {2}, boolean); });
  expect_error<RuntimeError>("from is out of bounds for bool", [] { randint(-1, 1, {2}, boolean); });
  expect_error<RuntimeError>("to - 1 is out of bounds", [] { randint(0, (1 << 24) + 2, {2}, float32); });
  EXPECT_EQ(default_generator(), before);
  expect_same(x, full({2}, 3.0));
  EXPECT_EQ(x.version(), 0U);
}

TEST(Random, NewTensorsHaveNotBeenWrittenTo) {
  for (const Tensor& x : {rand({2}), randn({2}), randint(0, 3, {2}), randperm(3), bernoulli(full({2}, 0.5))}) {
    EXPECT_EQ(x.version(), 0U);
  }
}

TEST(Random, DrawingInPlaceIsAWriteThatAutogradSees) {
  const std::map<std::string, void (*)(Tensor)> draws = {
      {"uniform_", [](Tensor x) { uniform_(x); }},     {"normal_", [](Tensor x) { normal_(x); }},
      {"random_", [](Tensor x) { random_(x); }},       {"random_ of a range", [](Tensor x) { random_(x, 2, 9); }},
      {"bernoulli_", [](Tensor x) { bernoulli_(x); }},
  };
  for (const auto& entry : draws) {
    SCOPED_TRACE(entry.first);
    const auto draw = entry.second;
    Tensor leaf = full({3}, 2.0).requires_grad_();
    expect_error<RuntimeError>("a leaf Variable that requires grad is being used in an in-place operation.",
                               [&] { draw(leaf); });
    expect_same(leaf.detach(), full({3}, 2.0));
    const auto version = leaf.version();
    {
      const NoGradGuard no_grad;
      draw(leaf);
    }
    EXPECT_EQ(leaf.version(), version + 1);
    EXPECT_TRUE(leaf.requires_grad());

    Tensor y = leaf * leaf;
    draw(y);  // what y was computed from no longer matters
    y.backward({.gradient = full({3}, 1.0)});
    EXPECT_EQ(leaf.grad().defined() ? leaf.grad().abs().max().item() : 0, 0);

    Tensor z = leaf.exp();
    const Tensor loss = z * z;
    draw(z);
    expect_error<RuntimeError>("one of the variables needed for gradient computation has been modified by an inplace",
                               [&] { loss.backward({.gradient = full({3}, 1.0)}); });
  }
}

}  // namespace
}  // namespace gradus
