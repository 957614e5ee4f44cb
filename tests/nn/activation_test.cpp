#include "errors.hpp"
#include "near.hpp"

#include <gradus/core/gradcheck.hpp>
#include <gradus/core/random.hpp>
#include <gradus/nn/activation.hpp>
#include <gradus/nn/loss.hpp>

#include <gtest/gtest.h>

namespace gradus {
namespace {

using test::expect_error;
using test::relative_distance;

/// What PyTorch gives in float64 for x = ((-9, -1.5, 0), (0.25, 2, 9)) and dy = ((1, 2, 3), (4, 5, 6)).
struct Recorded {
  std::vector<double> y, dx;
};

void expect_recorded(nn::Module&& module, const Recorded& recorded) {
  for (const Dtype dtype : {float64, float32}) {
    const double tolerance = dtype == float64 ? 5e-14 : 5e-7;
    const Tensor x = tensor({{-9.0, -1.5, 0.0}, {0.25, 2.0, 9.0}}, dtype).requires_grad_();
    const Tensor y = module(x);
    EXPECT_EQ(y.dtype(), dtype);
    EXPECT_LE(relative_distance(y, from_span(recorded.y, {2, 3})), tolerance) << module.name();
    y.backward({.gradient = arange(1, 7, 1, dtype).reshape({2, 3})});
    EXPECT_LE(relative_distance(x.grad(), from_span(recorded.dx, {2, 3})), tolerance) << module.name();
  }
}

TEST(Activation, ValuesAndGradientsArePyTorchs) {
  expect_recorded(nn::Identity(), {{-9.0, -1.5, 0.0, 0.25, 2.0, 9.0}, {1, 2, 3, 4, 5, 6}});
  expect_recorded(nn::ReLU(), {{0, 0, 0, 0.25, 2.0, 9.0}, {0, 0, 0, 4, 5, 6}});
  expect_recorded(nn::LeakyReLU(0.2), {{-1.8, -0.3, 0.0, 0.25, 2.0, 9.0}, {0.2, 0.4, 0.6, 4, 5, 6}});
  expect_recorded(
      nn::Sigmoid(),
      {{0.000123394575986232, 0.182425523806356, 0.5, 0.562176500885798, 0.880797077977882, 0.999876605424014},
       {0.000123379349764849, 0.298292904140666, 0.75, 0.984536330950393, 0.524967927017533, 0.000740276098589581}});
  expect_recorded(
      nn::Tanh(),
      {{-0.999999969540041, -0.905148253644866, 0.0, 0.244918662403709, 0.964027580075817, 0.999999969540041},
       {6.09199170712492e-08, 0.361413277847297, 3.0, 3.76005939522551, 0.353254124265822, 3.65519502427495e-07}});
  expect_recorded(nn::GELU(),
                  {{0.0, -0.100210801903287, 0.0, 0.149676581420731, 1.95449973610364, 9.0},
                   {-9.25179621450202e-18, -0.254938384459959, 1.5, 2.78149341953454, 5.42615900539098, 6.0}});
  expect_recorded(nn::Softplus(), {{0.000123402189723259, 0.201413277982752, 0.693147180559945, 0.825939419878844,
                                    2.12692801104297, 9.00012340218972},
                                   {0.000123394575986232, 0.364851047612713, 1.5, 2.24870600354319, 4.40398538988941,
                                    5.99925963254408}});
  expect_recorded(nn::Softmax(1), {{0.000100886526815099, 0.182407119528857, 0.817491993944328, 0.000158291898444284,
                                    0.000910906982377504, 0.998930801119178},
                                   {-0.000183350276691999, -0.149097957432531, 0.149281307709223, -0.000316389495042795,
                                    -0.000909788852455866, 0.00122617834749879}});
  expect_recorded(nn::LogSoftmax(0), {{-9.25009610703363, -3.52975041827262, -9.00012340218972, -9.61070336325601e-05,
                                       -0.0297504182726207, -0.00012340218972334},
                                      {0.999519487922503, 1.79481438474051, 2.99888944881612, -0.999519487922502,
                                       -1.79481438474051, -2.99888944881612}});
}

TEST(Activation, HasFirstAndSecondDerivatives) {
  nn::LeakyReLU leaky_relu(0.1);
  nn::Sigmoid sigmoid;
  nn::Tanh tanh;
  nn::GELU gelu;
  nn::Softplus softplus;
  nn::Softmax softmax(-1);
  nn::LogSoftmax log_softmax(0);
  for (nn::Module* module :
       std::initializer_list<nn::Module*>{&leaky_relu, &sigmoid, &tanh, &gelu, &softplus, &softmax, &log_softmax}) {
    const auto function = [module](const std::vector<Tensor>& x) { return (*module)(x[0]); };
    Generator generator(3);
    const Tensor x = randn({3, 4}, float64, generator).requires_grad_();
    EXPECT_TRUE(gradcheck(function, {x})) << module->name();
    EXPECT_TRUE(gradgradcheck(function, {x})) << module->name();
  }
}

TEST(Activation, RefusesNumbersThatTheDtypeCannotHold) {
  const std::string text = "value cannot be converted to type float without overflow";
  test::expect_error<RuntimeError>(text, [] { nn::functional::elu(-ones({2}), 1e300); });
  test::expect_error<RuntimeError>(text, [] { nn::functional::hardtanh(ones({2}), -1e300, 1); });
  test::expect_error<RuntimeError>(text, [] { nn::functional::hardtanh(ones({2}), -1, 1e300); });
  EXPECT_NO_THROW(nn::functional::elu(-ones({2}, float64), 1e300));
}

TEST(Activation, IdentityIsTheInputItself) {
  const Tensor x = ones({2});
  EXPECT_TRUE(nn::Identity()(x).is_same(x));
}

TEST(Activation, HasNoState) {
  EXPECT_TRUE(nn::ReLU().state_dict().empty());
  EXPECT_TRUE(nn::Softmax(1).parameters().empty());
}

TEST(Activation, RefusesADimensionThatIsNotThere) {
  const std::string told = "Dimension out of range (expected to be in range of [-1, 0], but got 1)";
  expect_error<IndexError>(told, [] { nn::Softmax(1)(zeros({3})); });
  expect_error<IndexError>(told, [] { nn::LogSoftmax(1)(zeros({3})); });
}

TEST(Activation, ThatAreLinearInPartsHaveSecondDerivativesOfZeros) {
  using F = Tensor (*)(const Tensor&);
  constexpr F functions[] = {[](const Tensor& x) { return relu(x * 2) * 3; },
                             [](const Tensor& x) { return relu(x); },
                             [](const Tensor& x) { return leaky_relu(x, 0.1); },
                             [](const Tensor& x) { return x.abs(); },
                             [](const Tensor& x) { return nn::functional::hardtanh(x, -1, 2); },
                             [](const Tensor& x) { return nn::functional::l1_loss(x, ones_like(x)); }};
  for (const F f : functions) {
    const Tensor x = randn({3, 4}, float64).requires_grad_();
    const Tensor dx = grad({f(x).sum()}, {x}, {.create_graph = true})[0];
    const Tensor ddx = grad({(dx * randn({3, 4}, float64)).sum()}, {x}, {.create_graph = true})[0];
    EXPECT_EQ(ddx.abs().max().item<double>(), 0);

    const auto curved = [f](const std::vector<Tensor>& inputs) { return f(inputs[0]) * inputs[0].square(); };
    EXPECT_TRUE(gradgradcheck(curved, {x}));
  }
}

}  // namespace
}  // namespace gradus
