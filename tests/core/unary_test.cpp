#include "errors.hpp"
#include "tensors.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace gradus::test {
namespace {

struct Function {
  const char* name;
  Tensor (*of)(const Tensor&);
  std::vector<double> values, slopes;  // at the points below
};

// Recorded from PyTorch in float64, NaN and signed zeros included; where a NaN goes in, its slope is not compared.
const std::vector<double> points{-2, -0.0, 0, 0.5, 3, nan};
const Function functions[] = {
    {"neg", [](const Tensor& x) { return -x; }, {2, 0, -0.0, -0.5, -3, nan}, {-1, -1, -1, -1, -1}},
    {"abs", abs, {2, 0, 0, 0.5, 3, nan}, {-1, 0, 0, 1, 1}},
    {"square", square, {4, 0, 0, 0.25, 9, nan}, {-4, 0, 0, 1, 6}},
    {"sqrt",
     sqrt,
     {nan, -0.0, 0, 0.7071067811865476, 1.7320508075688772, nan},
     {nan, -inf, inf, 0.7071067811865475, 0.2886751345948129}},
    {"rsqrt",
     rsqrt,
     {nan, -inf, inf, 1.414213562373095, 0.5773502691896258, nan},
     {nan, inf, -inf, -1.4142135623730947, -0.09622504486493767}},
    {"reciprocal",
     reciprocal,
     {-0.5, -inf, inf, 2, 0.3333333333333333, nan},
     {-0.25, -inf, -inf, -4, -0.1111111111111111}},
    {"exp",
     exp,
     {0.1353352832366127, 1, 1, 1.6487212707001282, 20.085536923187668, nan},
     {0.1353352832366127, 1, 1, 1.6487212707001282, 20.085536923187668}},
    {"log",
     log,
     {nan, -inf, -inf, -0.6931471805599453, 1.0986122886681098, nan},
     {-0.5, -inf, inf, 2, 0.3333333333333333}},
    {"sin",
     sin,
     {-0.9092974268256817, -0.0, 0, 0.479425538604203, 0.1411200080598672, nan},
     {-0.4161468365471424, 1, 1, 0.8775825618903728, -0.9899924966004454}},
    {"cos",
     cos,
     {-0.4161468365471424, 1, 1, 0.8775825618903728, -0.9899924966004454, nan},
     {0.9092974268256817, 0, 0, -0.479425538604203, -0.1411200080598672}},
    {"erf",
     erf,
     {-0.9953222650189527, -0.0, 0, 0.5204998778130465, 0.9999779095030014, nan},
     {0.020666985354092053, 1.1283791670955126, 1.1283791670955126, 0.8787825789354448, 0.00013925305194674786}},
    {"tanh",
     tanh,
     {-0.9640275800758169, -0.0, 0, 0.46211715726000974, 0.9950547536867305, nan},
     {0.07065082485316443, 1, 1, 0.7864477329659274, 0.009866037165440166}},
    {"sigmoid",
     sigmoid,
     {0.11920292202211755, 0.5, 0.5, 0.6224593312018546, 0.9525741268224334, nan},
     {0.1049935854035065, 0.25, 0.25, 0.2350037122015945, 0.045176659730912}},
    {"relu", relu, {0, -0.0, 0, 0.5, 3, nan}, {0, 0, 0, 1, 1}},
    {"leaky_relu",
     [](const Tensor& x) { return leaky_relu(x, 0.2); },
     {-0.4, -0.0, 0, 0.5, 3, nan},
     {0.2, 0.2, 0.2, 1, 1}},
    {"gelu",
     gelu,
     {-0.04550026389635842, -0.0, 0, 0.34573123063700656, 2.99595030590511, nan},
     {-0.08523180107819692, 0.5, 0.5, 0.8674951246561629, 1.011945647204184}},
    {"softplus",
     softplus,
     {0.1269280110429725, 0.6931471805599453, 0.6931471805599453, 0.9740769841801067, 3.048587351573742, nan},
     {0.11920292202211755, 0.5, 0.5, 0.6224593312018546, 0.9525741268224333}},
    {"clamp", [](const Tensor& x) { return clamp(x, -1, 1); }, {-1, -0.0, 0, 0.5, 1, nan}, {0, 1, 1, 1, 0}},
    {"clamp above", [](const Tensor& x) { return clamp(x, 0); }, {0, -0.0, 0, 0.5, 3, nan}, {0, 1, 1, 1, 1}},
    {"clamp below",
     [](const Tensor& x) { return clamp(x, std::nullopt, 0.5); },
     {-2, -0.0, 0, 0.5, 0.5, nan},
     {1, 1, 1, 1, 0}},
};

class Unary : public ::testing::TestWithParam<Function> {};

TEST_P(Unary, ValuesAndSlopesOfPyTorch) {
  const Function& f = GetParam();
  const auto n = static_cast<std::int64_t>(points.size());
  const Tensor x = from_span(points, n), slopes = gradient(f.of, x);
  expect_tensor(f.of(x), from_span(f.values, n), 1e-14);
  expect_tensor(slopes.narrow(0, 0, n - 1), from_span(f.slopes, n - 1), 1e-14);
  const Tensor y = f.of(x);
  for (std::size_t i = 0; i < points.size(); ++i) {
    if (f.values[i] != 0) continue;
    const double got = std::as_const(y).data<double>()[i];
    EXPECT_EQ(std::signbit(got), std::signbit(f.values[i])) << f.name << " at " << points[i];
  }
}

TEST_P(Unary, Float32IsTheRoundedValue) {  // short runs, and long ones that take another way
  for (const std::int64_t n : {3, 1000}) {
    const Tensor x = leaf(n, 0.1, 4).detach().to(float32);
    const Tensor y = GetParam().of(x);
    EXPECT_EQ(y.dtype(), float32);
    EXPECT_LE(relative_distance(y, GetParam().of(x.to(float64))), 2e-7);
    const Tensor dx = gradient(GetParam().of, x);
    EXPECT_EQ(dx.dtype(), float32);
    EXPECT_LE(relative_distance(dx, gradient(GetParam().of, x.to(float64))), 5e-7);
  }
}

TEST_P(Unary, Derivatives) {
  expect_derivative(GetParam().of, leaf({2, 3}, 0.2, 1.9));
  expect_derivative(GetParam().of, leaf({}, 0.2, 1.9));
  const std::string name = GetParam().name;
  if (name != "sqrt" && name != "rsqrt" && name != "log") expect_derivative(GetParam().of, leaf({2, 3}, -1.9, -0.2));
}

TEST_P(Unary, EmptyAndZeroDimensional) {
  EXPECT_EQ(GetParam().of(zeros({0, 3})).shape(), Shape({0, 3}));
  EXPECT_EQ(gradient(GetParam().of, zeros({2, 0})).shape(), Shape({2, 0}));
  expect_tensor(GetParam().of(tensor(0.5)), GetParam().of(tensor({0.5}))[0]);
}

INSTANTIATE_TEST_SUITE_P(Functions, Unary, ::testing::ValuesIn(functions), [](const auto& function) {
  std::string name = function.param.name;
  std::replace(name.begin(), name.end(), ' ', '_');
  return name;
});

TEST(UnaryDtypes, IntegersBecomeFloatingWhereTheyMust) {
  const Tensor x = tensor({1, 4});
  for (const auto f : {sqrt, rsqrt, reciprocal, exp, log, sin, cos, erf, tanh, sigmoid}) {
    EXPECT_EQ(f(x).dtype(), float32);
    EXPECT_EQ(f(x > 2).dtype(), float32);
    EXPECT_EQ(f(x.to(float64)).dtype(), float64);
  }
  expect_tensor(rsqrt(x), tensor({1., 0.5}));
}

TEST(UnaryDtypes, IntegersStayWhereTheyCan) {
  const Tensor x = tensor({-3, 0, 5});
  expect_tensor(-x, tensor({3, 0, -5}));
  expect_tensor(x.abs(), tensor({3, 0, 5}));
  expect_tensor(x.relu(), tensor({0, 0, 5}));
  expect_tensor(x.square(), tensor({9, 0, 25}));
  expect_tensor(x.clamp(-1, 2), tensor({-1, 0, 2}));
  expect_tensor(x.clamp(0.5), tensor({0.5, 0.5, 5.}));
}

TEST(UnaryRange, ExtremeArguments) {
  const Tensor x = tensor({-inf, -1000., -100., 100., 1000., inf});
  expect_tensor(sigmoid(x), tensor({0., 0., 0., 1., 1., 1.}), 1e-40);
  expect_tensor(tanh(x), tensor({-1., -1., -1., 1., 1., 1.}));
  expect_tensor(softplus(x), tensor({0., 0., 0., 100., 1000., inf}), 1e-40);
  expect_tensor(relu(x), tensor({0., 0., 0., 100., 1000., inf}));
  expect_tensor(exp(x), tensor({0., 0., 0., inf, inf, inf}), 1e-40);
  expect_tensor(gradient(sigmoid, x), zeros({6}), 1e-40);
  expect_tensor(gradient(softplus, x), tensor({0., 0., 0., 1., 1., 1.}), 1e-40);
  expect_tensor(gradient(tanh, x), zeros({6}));
}

TEST(UnaryRange, WhatBecomesOfAnElementDoesNotDependOnHowMany) {
  const Tensor many = linspace(-20, 20, 1001);
  for (const auto f : {exp, tanh, sigmoid}) {
    const Tensor all = f(many);
    for (std::int64_t i = 0; i < many.numel(); i += 7) EXPECT_EQ(f(many[i]).item<float>(), all[i].item<float>()) << i;
  }
}

TEST(UnaryRange, ReluHandsTheGradientOnAtNaN) {  // as PyTorch
  const Tensor x = full({40}, nan);
  EXPECT_TRUE(equal(gradient([](const Tensor& v) { return relu(v); }, x), ones({40})));
  EXPECT_TRUE(equal(gradient([](const Tensor& v) { return relu(v); }, x.narrow(0, 0, 2)), ones({2})));
}

TEST(UnaryRange, ReluLetsNoGradientThroughWhereItIsFlat) {  // not even an infinite one
  const Tensor x = leaf(100, -1, 1).detach();
  for (const Tensor& input : {x, x.to(float32)}) {
    const Tensor slope = gradient([](const Tensor& v) { return relu(v) * inf; }, input);
    expect_tensor(slope, where(input > 0, full({}, inf), zeros({})).to(input.dtype()));
  }
}

TEST(UnaryRange, ClampWithCrossedLimitsGivesTheUpperOne) {
  expect_tensor(clamp(tensor({0., 1.5, 3.}), 2, 1), tensor({1., 1., 1.}));
}

TEST(UnaryRange, ClampWithNaNAsOneOfTwoLimitsGivesNaN) {
  for (const std::int64_t n : {3, 300}) {  // also by the kernel
    const Tensor x = linspace(-2, 2, n, float64);
    for (const Tensor& y : {clamp(x, nan, 1), clamp(x, 0, nan)}) expect_tensor(y, full_like(x, nan));
    for (const Tensor& y : {clamp(x, nan), clamp(x, std::nullopt, nan)}) expect_tensor(y, x);
  }
  expect_tensor(clamp(tensor({1, 2}), nan), tensor({1., 2.}));
  expect_tensor(gradient([](const Tensor& v) { return clamp(v, nan, 1); }, tensor({0., 3.})), tensor({0., 0.}));
}

TEST(UnaryBackward, WritesOverNoGradientThatOthersSee) {
  for (Tensor (*f)(const Tensor&) : {relu, gelu, softplus, sigmoid, tanh}) {
    const Tensor dy = randn({5, 7}), given = dy.clone();
    Tensor a = randn({5, 7}), b = a.clone(), alone = a.clone();
    for (Tensor* x : {&a, &b, &alone}) x->requires_grad_();
    f(alone).backward({.gradient = dy});  // which is the user's
    expect_tensor(dy, given);
    const Tensor y = f(a) + f(b);  // both get the same dy, and y keeps it
    y.retain_grad();
    y.backward({.gradient = dy});
    expect_tensor(dy, given);
    expect_tensor(y.grad(), given);
    expect_tensor(a.grad(), alone.grad());
    expect_tensor(b.grad(), alone.grad());
  }
}

TEST(UnaryErrors, AsPyTorch) {
  expect_error<RuntimeError>("Negation, the `-` operator, on a bool tensor is not supported.", [] { -tensor({true}); });
  expect_error<RuntimeError>("Boolean inputs not supported for relu", [] { relu(tensor({true})); });
  expect_error<RuntimeError>("torch.clamp: At least one of 'min' or 'max' must not be None",
                             [] { clamp(tensor({1.}), std::nullopt); });
}

}  // namespace
}  // namespace gradus::test
