// multinomial and normal, against draws recorded from PyTorch.
#include "bits.hpp"
#include "golden.hpp"
#include "tensors.hpp"

#include <gradus/core/random.hpp>

namespace gradus::test {
namespace {

const Tensor& weights() {
  static const Tensor w = tensor({{.1, .2, .3, .4}, {1., 0., 2., 3.}, {0., 0., 5., 0.}});
  return w;
}

using Draw = Tensor (*)(Generator& g);
const std::map<std::string, Draw> draws{
    {"one of a row", [](Generator& g) { return multinomial(weights()[0], 1, false, g); }},
    {"one, replaced", [](Generator& g) { return multinomial(weights()[0], 1, true, g); }},
    {"all of a row", [](Generator& g) { return multinomial(weights()[0], 4, false, g); }},
    {"one of each", [](Generator& g) { return multinomial(weights(), 1, false, g); }},
    {"two of each of two", [](Generator& g) { return multinomial(weights().narrow(0, 0, 2), 2, false, g); }},
    {"nine, replaced", [](Generator& g) { return multinomial(weights(), 9, true, g); }},
    {"doubles", [](Generator& g) { return multinomial(weights().to(float64), 9, true, g); }},
    {"doubles, distinct", [](Generator& g) { return multinomial(weights().narrow(0, 0, 2).to(float64), 3, false, g); }},
    {"many", [](Generator& g) { return multinomial(arange(1., 400.), 300, false, g); }},
    {"many, replaced", [](Generator& g) { return multinomial(arange(1., 400.), 300, true, g); }},
    {"normal of tensors",
     [](Generator& g) {
       return normal(tensor({{1.}, {2.}}), tensor({.5, 1., 2.}), g);
     }},
    {"normal of a mean", [](Generator& g) { return normal(arange(20.), 0.3, g); }},
    {"normal of deviations", [](Generator& g) { return normal(0.25, arange(1., 21.), g); }},
    {"normal of doubles", [](Generator& g) { return normal(zeros({3}, float64), ones({3}), g); }},
    {"normal of a shape",
     [](Generator& g) {
       return normal(1.5, 0.5, {3, 6}, float32, g);
     }},
};

TEST(Multinomial, DrawsWhatPyTorchDraws) {
  for (const json& entry : load_golden("ops.json").at("draws")) {
    const auto name = entry.at("name").get<std::string>();
    SCOPED_TRACE(name);
    ASSERT_TRUE(draws.contains(name));
    Generator generator(entry.at("seed").get<int>());
    expect_same(draws.at(name)(generator), golden_tensor(entry.at("result")));
    EXPECT_EQ(generator.next_uint32() % (1U << 31), entry.at("next").get<std::uint32_t>()) << "words used";
  }
}

TEST(Multinomial, DrawsFromTheDefaultGenerator) {
  manual_seed(3);
  const Tensor first = multinomial(weights(), 1), second = multinomial(weights(), 5, true), third = normal(zeros({4}));
  Generator generator(3);
  expect_same(first, multinomial(weights(), 1, false, generator));
  expect_same(second, multinomial(weights(), 5, true, generator));
  expect_same(third, normal(zeros({4}), 1, generator));
}

TEST(Multinomial, OfNoRows) {
  EXPECT_EQ(multinomial(zeros({0, 3}), 2).shape(), Shape({0, 2}));
  EXPECT_EQ(multinomial(zeros({0, 3}), 2, true).shape(), Shape({0, 2}));
}

TEST(Multinomial, IsOutsideTheGraph) {
  const Tensor w = ones({3}).requires_grad_();
  EXPECT_FALSE(multinomial(w, 2).requires_grad());
  EXPECT_FALSE(normal(w, w).requires_grad());
  EXPECT_FALSE(normal(w).requires_grad());
}

TEST(Multinomial, AMistakeDrawsNothing) {
  Generator generator(1), untouched(1);
  EXPECT_THROW(multinomial(tensor({1., -1.}), 1, false, generator), RuntimeError);
  EXPECT_THROW(multinomial(tensor({1., NAN}), 2, true, generator), RuntimeError);
  EXPECT_THROW(multinomial(tensor({{1., 1.}, {0., 0.}}), 2, true, generator), RuntimeError);
  EXPECT_THROW(normal(0., tensor({-1.}), generator), RuntimeError);
  EXPECT_EQ(generator, untouched);
}

}  // namespace
}  // namespace gradus::test
