#include "errors.hpp"
#include "golden.hpp"

#include <gradus/core/autograd.hpp>
#include <gradus/nn/init.hpp>
#include <gradus/nn/linear.hpp>

#include <gtest/gtest.h>

#include <cmath>

namespace gradus {
namespace {

namespace init = nn::init;
using init::FanMode;
using init::Nonlinearity;
using test::expect_error;
using test::golden_tensor;

/// The first three elements and the sum of all that PyTorch draws after manual_seed(3).
struct Recorded {
  float first[3];
  double sum;
};

void expect_recorded(const Tensor& x, const Recorded& recorded) {
  for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(x.data<float>()[i], recorded.first[i]);
  EXPECT_NEAR(x.to(float64).sum().item(), recorded.sum, 1e-13);
}

/// Elements drawn by init(x), x of `shape`, after manual_seed(3).
template <class F>
Tensor drawn(const Shape& shape, F f) {
  manual_seed(3);
  const Tensor x = empty(shape);
  EXPECT_TRUE(f(x).is_same(x));
  return x;
}

TEST(Init, DrawsWhatPyTorchDraws) {
  expect_recorded(drawn({3, 4}, [](auto x) { return init::uniform_(x, -2, 3); }),
                  {{-1.9786823987960815F, -1.4721531867980957F, -0.5707876086235046F}, 2.0136295557022095});
  expect_recorded(drawn({3, 4}, [](auto x) { return init::normal_(x, 1, 0.5); }),
                  {{1.4016380310058594F, 1.087416648864746F, 1.0444890260696411F}, 12.891061246395111});
  const double tanh_gain = init::calculate_gain(Nonlinearity::tanh);
  expect_recorded(drawn({3, 4}, [=](auto x) { return init::xavier_uniform_(x, tanh_gain); }),
                  {{-1.5298759937286377F, -1.2172393798828125F, -0.6609044671058655F}, -2.460441403090954});
  expect_recorded(drawn({3, 4}, [](auto x) { return init::xavier_normal_(x); }),
                  {{0.42936912178993225F, 0.09345237910747528F, 0.04756079241633415F}, 0.9525846913456917});
  expect_recorded(
      drawn({3, 4}, [](auto x) { return init::kaiming_uniform_(x, 0, FanMode::fan_out, Nonlinearity::relu); }),
      {{-1.4021544456481934F, -1.115618348121643F, -0.6057289242744446F}, -2.2550316751003265});
  expect_recorded(drawn({3, 4, 5}, [](auto x) { return init::kaiming_uniform_(x, 0.3); }),
                  {{-0.5201495289802551F, -0.41385480761528015F, -0.22470393776893616F}, -4.238414786756039});
  expect_recorded(
      drawn({3, 4}, [](auto x) { return init::kaiming_normal_(x, 0, FanMode::fan_in, Nonlinearity::relu); }),
      {{0.5680019855499268F, 0.12362587451934814F, 0.06291701644659042F}, 1.2601512596011162});
  expect_recorded(drawn({3, 4, 5}, [](auto x) { return init::kaiming_normal_(x, 0.1, FanMode::fan_out); }),
                  {{-0.027847647666931152F, 0.13075798749923706F, -0.28413501381874084F}, 1.3832003283314407});
}

TEST(Init, LinearStartsAsPyTorchs) {
  int found = 0;
  for (const auto& entry : test::load_golden("rng.json").at("entries")) {
    const std::string name = entry.at("name");
    if (name != "linear_4_3" && name != "two_linears") continue;
    ++found;
    manual_seed(entry.at("seed").get<std::int64_t>());
    std::vector<Tensor> drawn;
    if (name == "linear_4_3") {
      drawn = nn::Linear(4, 3).parameters();
    } else {
      drawn = nn::Linear(3, 2, {.bias = false}).parameters();
      for (const Tensor& parameter : nn::Linear(2, 5).parameters()) drawn.push_back(parameter);
    }
    ASSERT_EQ(drawn.size(), entry.at("results").size());
    for (std::size_t i = 0; i < drawn.size(); ++i) {
      EXPECT_TRUE(equal(drawn[i], golden_tensor(entry.at("results")[i]))) << entry.dump();
    }
    EXPECT_EQ(default_generator().next_uint32() % (1U << 31), entry.at("next_uint32").get<std::uint32_t>());
  }
  EXPECT_EQ(found, 6);
}

TEST(Init, FillsWithNumbers) {
  Tensor x = empty({2, 3});
  EXPECT_TRUE(equal(init::constant_(x, 0.25), full({2, 3}, 0.25)));
  EXPECT_TRUE(equal(init::ones_(x), ones({2, 3})));
  EXPECT_TRUE(equal(init::zeros_(x), zeros({2, 3})));
  EXPECT_TRUE(equal(init::constant_(empty({2}, int64), 7), tensor({7, 7})));
}

TEST(Init, WritesToParametersOutsideTheGraph) {
  nn::Linear layer(4, 3);
  const Tensor handle = layer.weight;
  init::kaiming_normal_(layer.weight);
  init::zeros_(layer.bias);
  EXPECT_TRUE(layer.weight.is_same(handle));
  EXPECT_TRUE(layer.weight.is_leaf() && layer.weight.requires_grad());
  EXPECT_TRUE(equal(layer.bias, zeros({3})));
}

TEST(Init, GainsMakeUpForTheNonlinearity) {
  EXPECT_EQ(init::calculate_gain(Nonlinearity::linear), 1);
  EXPECT_EQ(init::calculate_gain(Nonlinearity::sigmoid), 1);
  EXPECT_EQ(init::calculate_gain(Nonlinearity::tanh), 1.6666666666666667);
  EXPECT_EQ(init::calculate_gain(Nonlinearity::relu), 1.4142135623730951);
  EXPECT_EQ(init::calculate_gain(Nonlinearity::leaky_relu), 1.4141428569978354);
  EXPECT_EQ(init::calculate_gain(Nonlinearity::leaky_relu, 1), 1);
}

TEST(Init, FansCountFurtherDimensionsTwice) {
  const init::Fans fans = init::fans(empty({3, 4, 5, 2}));
  EXPECT_EQ(fans.in, 40);
  EXPECT_EQ(fans.out, 30);
}

TEST(Init, DrawsFromTheGeneratorGiven) {
  manual_seed(1);
  Generator own(3);
  const Tensor x = init::xavier_normal_(empty({3, 4}), 1, own);
  EXPECT_EQ(default_generator(), Generator(1));
  EXPECT_TRUE(equal(x, drawn({3, 4}, [](auto y) { return init::xavier_normal_(y); })));
}

TEST(Init, WithoutElementsNothingIsDrawn) {
  manual_seed(1);
  init::kaiming_uniform_(empty({3, 0}));
  init::xavier_normal_(empty({0, 0}));
  EXPECT_EQ(default_generator(), Generator(1));
}

TEST(Init, RefusesTensorsWithoutFans) {
  const std::string told = "Fan in and fan out can not be computed for tensor with fewer than 2 dimensions";
  expect_error<ValueError>(told, [] { init::fans(empty({3})); });
  expect_error<ValueError>(told, [] { init::xavier_uniform_(empty({3})); });
  expect_error<ValueError>(told, [] { init::xavier_normal_(empty({})); });
  expect_error<ValueError>(told, [] { init::kaiming_uniform_(empty({3})); });
  expect_error<ValueError>(told, [] { init::kaiming_normal_(empty({3})); });
}

}  // namespace
}  // namespace gradus
