#include "errors.hpp"
#include "tensors.hpp"

#include <gtest/gtest.h>

namespace gradus::test {
namespace {

TEST(Arithmetic, Values) {
  const Tensor a = tensor({{1., -2., 3.}, {4., 5., -6.}}), b = tensor({2., 4., -0.5});
  expect_tensor(a + b, tensor({{3., 2., 2.5}, {6., 9., -6.5}}));
  expect_tensor(a - b, tensor({{-1., -6., 3.5}, {2., 1., -5.5}}));
  expect_tensor(b - a, tensor({{1., 6., -3.5}, {-2., -1., 5.5}}));
  expect_tensor(a * b, tensor({{2., -8., -1.5}, {8., 20., 3.}}));
  expect_tensor(a / b, tensor({{0.5, -0.5, -6.}, {2., 1.25, 12.}}));
  expect_tensor(pow(a, b.to(int64)), tensor({{1., 16., 1.}, {16., 625., 1.}}));
  expect_tensor(maximum(a, b), tensor({{2., 4., 3.}, {4., 5., -0.5}}));
  expect_tensor(minimum(a, b), tensor({{1., -2., -0.5}, {2., 4., -6.}}));
}

TEST(Arithmetic, ScalarsOnBothSides) {
  const Tensor a = tensor({1., -2., 4.});
  expect_tensor(a + 1, tensor({2., -1., 5.}));
  expect_tensor(1 + a, tensor({2., -1., 5.}));
  expect_tensor(a - 1, tensor({0., -3., 3.}));
  expect_tensor(1 - a, tensor({0., 3., -3.}));
  expect_tensor(a * 0.5, tensor({0.5, -1., 2.}));
  expect_tensor(0.5 * a, tensor({0.5, -1., 2.}));
  expect_tensor(a / 2, tensor({0.5, -1., 2.}));
  expect_tensor(2 / a, tensor({2., -1., 0.5}));
  expect_tensor(pow(a, 3), tensor({1., -8., 64.}));
  expect_tensor(pow(2, a), tensor({2., 0.25, 16.}));
}

TEST(Arithmetic, ANumberOverATensorIsRoundedTwiceAsInPyTorch) {
  for (const std::int64_t n : {3, 50}) {
    const Tensor x = arange(1, n + 1, 1, float32), leaf = (x * 1).requires_grad_(), expected = reciprocal(x) * 0.3;
    EXPECT_TRUE(equal(0.3 / x, expected));
    EXPECT_TRUE(equal((0.3 / leaf).detach(), expected));
  }
  expect_tensor(3 / tensor({2, 4}), tensor({1.5F, 0.75F}));
}

TEST(Arithmetic, BroadcastsInEveryDirection) {
  const Tensor column = tensor({{1.}, {2.}}), row = tensor({{10., 20., 30.}});
  expect_tensor(column + row, tensor({{11., 21., 31.}, {12., 22., 32.}}));
  expect_tensor(row - column, tensor({{9., 19., 29.}, {8., 18., 28.}}));
  const Tensor cube = arange(12.).reshape({2, 3, 2});
  expect_tensor(cube * tensor({{1.}, {10.}, {100.}}),
                tensor({{{0., 1.}, {20., 30.}, {400., 500.}}, {{6., 7.}, {80., 90.}, {1000., 1100.}}}));
  expect_tensor(cube - cube.select(1, 1).unsqueeze(1),
                tensor({{{-2., -2.}, {0., 0.}, {2., 2.}}, {{-2., -2.}, {0., 0.}, {2., 2.}}}));
  expect_tensor(tensor(3.) * tensor(4.), tensor(12.));
  EXPECT_EQ((zeros({0, 3}) + zeros({3})).shape(), Shape({0, 3}));
  EXPECT_EQ((zeros({2, 0, 1}) * zeros({5})).shape(), Shape({2, 0, 5}));
  EXPECT_EQ((zeros({1}) + zeros({0})).shape(), Shape({0}));
  const Shape all_eight{2, 1, 2, 1, 2, 1, 2, 1}, others{1, 2, 1, 2, 1, 2, 1, 2};
  const Tensor wide = arange(16.).reshape(all_eight) * 100 + arange(16.).reshape(others);
  EXPECT_EQ(wide.numel(), 256);
  EXPECT_EQ(wide[1][0][1][1][0][0][1][1].item(), 1305);
}

TEST(Arithmetic, LongRunsAgreeWithShortOnes) {  // long float32 runs take another way than short ones
  const Tensor a = leaf({3, 1000}).detach(), b = leaf({1000}, 0.5, 2).detach();
  for (const auto& f :
       {+[](const Tensor&p, const Tensor&q) { return p + q; }, +[](const Tensor&p, const Tensor&q) { return p - q; },
        +[](const Tensor&p, const Tensor&q) { return p * q; }, +[](const Tensor&p, const Tensor&q) { return p / q; },
        +[](const Tensor&p, const Tensor&q) { return maximum(p, q); },
        +[](const Tensor&p, const Tensor&q) { return minimum(p, q); }}) {
    EXPECT_LE(relative_distance(f(a.to(float32), b.to(float32)), f(a, b)), 3e-7);
    EXPECT_LE(relative_distance(f(b.to(float32), a.to(float32)), f(b, a)), 3e-7);
  }
  for (const auto& f : {+[](const Tensor& p) { return p + 0.3; }, +[](const Tensor& p) { return p - 0.3; },
                        +[](const Tensor& p) { return 0.3 - p; }, +[](const Tensor& p) { return p * 0.3; },
                        +[](const Tensor& p) { return p / 0.3; }, +[](const Tensor& p) { return 0.3 / p; }}) {
    EXPECT_LE(relative_distance(f(b.to(float32)), f(b)), 2e-7);
  }
}

// --- dtypes: boolean, int64, float32, float64, as recorded from PyTorch

constexpr Dtype dtypes[] = {boolean, int64, float32, float64};

TEST(Arithmetic, PromotesTensors) {
  constexpr Dtype met[4][4] = {{boolean, int64, float32, float64},
                               {int64, int64, float32, float64},
                               {float32, float32, float32, float64},
                               {float64, float64, float64, float64}};
  for (int i = 0; i < 4; ++i) {
    for (int j = 0; j < 4; ++j) {
      const Tensor a = ones({2}, dtypes[i]), b = ones({2}, dtypes[j]);
      const Dtype expected = met[i][j], quotient = is_floating(expected) ? expected : float32;
      EXPECT_EQ((a * b).dtype(), expected);
      EXPECT_EQ((a + b).dtype(), expected);
      EXPECT_EQ(maximum(a, b).dtype(), expected);
      EXPECT_EQ((a / b).dtype(), quotient);
      if (i > 0 && j > 0) {
        EXPECT_EQ((a - b).dtype(), expected);
      }
      const Tensor both_single = a[0] * b[0];
      EXPECT_EQ(both_single.dtype(), expected);
      EXPECT_EQ((a[0] + 0 * b).dtype(), (b * 0 + a[0]).dtype());
    }
  }
}

TEST(Arithmetic, AZeroDimensionalTensorOnlyLendsItsKind) {
  constexpr Dtype met[4][4] = {{boolean, int64, float32, float64},
                               {int64, int64, float32, float64},
                               {float32, float32, float32, float32},
                               {float64, float64, float64, float64}};
  for (int i = 0; i < 4; ++i) {
    for (int j = 0; j < 4; ++j) {
      EXPECT_EQ((ones({2}, dtypes[i]) * ones({}, dtypes[j])).dtype(), met[i][j]) << i << j;
      EXPECT_EQ((ones({}, dtypes[j]) * ones({2}, dtypes[i])).dtype(), met[i][j]) << i << j;
    }
  }
}

TEST(Arithmetic, PromotesNumbers) {
  constexpr Dtype met[4][3] = {
      {boolean, int64, float32}, {int64, int64, float32}, {float32, float32, float32}, {float64, float64, float64}};
  for (int i = 0; i < 4; ++i) {
    for (const Tensor& x : {ones({2}, dtypes[i]), ones({}, dtypes[i])}) {
      EXPECT_EQ((x * true).dtype(), met[i][0]);
      EXPECT_EQ((x * 2).dtype(), met[i][1]);
      EXPECT_EQ((x * 2.0).dtype(), met[i][2]);
      EXPECT_EQ((x * 2.0F).dtype(), met[i][2]);
      EXPECT_EQ((x / 2).dtype(), is_floating(dtypes[i]) ? dtypes[i] : float32);
    }
  }
}

TEST(Arithmetic, NumbersBeyondADtypeOverflow) {  // as PyTorch
  const Tensor x = ones({2});
  for (const Tensor& y : {x * 1e300, x + 1e300, 1e300 - x, pow(x * 2, 1e300), pow(1e300, x)}) {
    expect_tensor(y, full({2}, inf));
  }
}

TEST(Arithmetic, IntegersWrapAround) {  // as recorded from PyTorch
  constexpr std::int64_t top = INT64_MAX, bottom = INT64_MIN;
  const Tensor x = tensor({top, bottom}), swapped = tensor({bottom, top});
  expect_tensor(x + 1, tensor({bottom, bottom + 1}));
  expect_tensor(x - 1, tensor({top - 1, top}));
  expect_tensor(x * 2, tensor({-2, 0}));
  expect_tensor(1 - x, tensor({bottom + 2, bottom + 1}));
  expect_tensor(-x, tensor({bottom + 1, bottom}));
  expect_tensor(x.abs(), x);
  expect_tensor(x + x, tensor({-2, 0}));
  expect_tensor(x - tensor({-5, 5}), tensor({bottom + 4, top - 4}));
  expect_tensor(x * x, tensor({1, 0}));
  expect_tensor(x.clone().add_(x), tensor({-2, 0}));
  expect_tensor(x.clone().mul_(x), tensor({1, 0}));
  expect_tensor(x.clone().mul_(3), tensor({top - 2, bottom}));
  expect_tensor(x.clone().sub_(swapped, 2), tensor({top, bottom + 2}));
}

TEST(Arithmetic, IntegersStayExact) {
  const std::int64_t large = (std::int64_t{1} << 53) + 1;  // not a double
  EXPECT_EQ((full({}, large) + 2).item<std::int64_t>(), large + 2);
  EXPECT_EQ((full({2}, large) * full({2}, 3)).max().item<std::int64_t>(), 3 * large);
  expect_tensor(pow(tensor({2, -3, 0, 1}), tensor({10, 3, 0, 1'000'000'000})), tensor({1024, -27, 1, 1}));
  expect_tensor(tensor({7, -7}) / 2, tensor({3.5, -3.5}));
  expect_tensor(tensor({true, false}) + tensor({true, true}), tensor({true, true}));
  expect_tensor(tensor({true, false}) * tensor({true, true}), tensor({true, false}));
  expect_tensor(tensor({5, 2}) - 3, tensor({2, -1}));
}

TEST(Arithmetic, PowersAtTheEdges) {  // values and gradients as PyTorch gives them
  const Tensor x = tensor({0., 1., 2., -1.5}, float64);
  const auto power_and_slope = [&](Scalar p) {
    return stack({pow(x, p), gradient([p](const Tensor& v) { return pow(v, p); }, x)});
  };
  expect_tensor(power_and_slope(0), tensor({{1., 1., 1., 1.}, {0., 0., 0., 0.}}, float64));
  expect_tensor(power_and_slope(1), tensor({{0., 1., 2., -1.5}, {1., 1., 1., 1.}}, float64));
  expect_tensor(power_and_slope(2), tensor({{0., 1., 4., 2.25}, {0., 2., 4., -3.}}, float64));
  expect_tensor(power_and_slope(3), tensor({{0., 1., 8., -3.375}, {0., 3., 12., 6.75}}, float64));
  expect_tensor(power_and_slope(0.5),
                tensor({{0., 1., 1.4142135623730951, nan}, {inf, 0.5, 0.35355339059327373, nan}}, float64), 1e-15);
  expect_tensor(power_and_slope(-1), tensor({{inf, 1., 0.5, -2. / 3}, {-inf, -1., -0.25, -4. / 9}}, float64), 1e-15);

  const Tensor base = tensor({0., 0., 2., 1.5}, float64).requires_grad_();
  const Tensor exponent = tensor({0., 2., 0., -1.5}, float64).requires_grad_();
  const Tensor y = pow(base, exponent);
  expect_tensor(y, tensor({1., 0., 1., 0.5443310539518174}, float64), 1e-15);
  const auto slopes = grad({y.sum()}, {base, exponent});
  expect_tensor(slopes[0], tensor({0., 0., 0., -0.5443310539518174}, float64), 1e-15);
  expect_tensor(slopes[1], tensor({0., 0., 0.6931471805599453, 0.22070724963720467}, float64), 1e-15);
}

TEST(Arithmetic, ExtremaOfTwoTensors) {  // NaN wins; equal ones share the gradient
  const Tensor a = tensor({1., 2., nan, 3., 3.}).requires_grad_(), b = tensor({2., 1., 0., nan, 3.}).requires_grad_();
  expect_tensor(maximum(a, b), tensor({2., 2., nan, nan, 3.}));
  expect_tensor(minimum(a, b), tensor({1., 1., nan, nan, 3.}));
  const auto largest = grad({maximum(a, b).sum()}, {a, b}), smallest = grad({minimum(a, b).sum()}, {a, b});
  expect_tensor(largest[0], tensor({0., 1., 1., 1., 0.5}));
  expect_tensor(largest[1], tensor({1., 0., 1., 1., 0.5}));
  expect_tensor(smallest[0], tensor({1., 0., 1., 1., 0.5}));
  expect_tensor(smallest[1], tensor({0., 1., 1., 1., 0.5}));
}

// --- derivatives

TEST(Arithmetic, DerivativesOfTwoTensors) {
  const std::pair<Shape, Shape> broadcasts[] = {{{2, 3}, {2, 3}}, {{2, 3}, {3}}, {{3}, {2, 3}},      {{2, 1}, {1, 3}},
                                                {{2, 3}, {}},     {{}, {}},      {{4, 1, 2}, {3, 1}}};
  for (const auto& [p, q] : broadcasts) {
    const Tensor a = leaf(p, 0.5, 2.5), b = leaf(q, 0.7, 1.9);
    expect_derivative([](const Tensor& x, const Tensor& y) { return x + y; }, a, b);
    expect_derivative([](const Tensor& x, const Tensor& y) { return x - y; }, a, b);
    expect_derivative([](const Tensor& x, const Tensor& y) { return x * y; }, a, b);
    expect_derivative([](const Tensor& x, const Tensor& y) { return x / y; }, a, b);
    expect_derivative([](const Tensor& x, const Tensor& y) { return pow(x, y); }, a, b);
    expect_derivative([](const Tensor& x, const Tensor& y) { return maximum(x, y); }, a, b);
    expect_derivative([](const Tensor& x, const Tensor& y) { return minimum(x, y); }, a, b);
  }
}

TEST(Arithmetic, DerivativesOfATensorWithItself) {
  expect_derivative([](const Tensor& x) { return x * x + x / (x + 3) - pow(x + 2, x); }, leaf({2, 3}));
}

TEST(Arithmetic, DerivativesWithNumbers) {
  const Tensor x = leaf({2, 3}, 0.5, 2);
  expect_derivative([](const Tensor& v) { return v + 2; }, x);
  expect_derivative([](const Tensor& v) { return v - 2; }, x);
  expect_derivative([](const Tensor& v) { return 2 - v; }, x);
  expect_derivative([](const Tensor& v) { return v * 3; }, x);
  expect_derivative([](const Tensor& v) { return v / 3; }, x);
  expect_derivative([](const Tensor& v) { return 3 / v; }, x);
  expect_derivative([](const Tensor& v) { return pow(v, 3); }, x);
  expect_derivative([](const Tensor& v) { return pow(v, -1.5); }, x);
  expect_derivative([](const Tensor& v) { return pow(v, 2); }, leaf({2, 3}));
  expect_derivative([](const Tensor& v) { return pow(1.5, v); }, leaf({2, 3}));
}

TEST(Arithmetic, AGradientHasTheDtypeOfItsInput) {
  const Tensor a = ones({2}).requires_grad_(), b = ones({2, 2}, float64).requires_grad_();
  (a * b).sum().backward();
  expect_tensor(a.grad(), tensor({2., 2.}));
  expect_tensor(b.grad(), ones({2, 2}, float64));
}

// --- errors

TEST(Arithmetic, Errors) {
  expect_error<RuntimeError>(
      "The size of tensor a (3) must match the size of tensor b (4) at non-singleton dimension 1", [] {
        zeros({2, 3}) + zeros({4});
      });
  expect_error<RuntimeError>(
      "The size of tensor a (2) must match the size of tensor b (3) at non-singleton dimension 0", [] {
        maximum(zeros({2, 1}), zeros({3, 1}));
      });
  expect_error<RuntimeError>("Integers to negative integer powers are not allowed.", [] { pow(tensor({2, 3}), -1); });
  expect_error<RuntimeError>("Integers to negative integer powers are not allowed.", [] {
    pow(tensor({2, 3}), tensor({1, -1}));
  });
  expect_error<RuntimeError>("Subtraction, the `-` operator, with two bool tensors is not supported.",
                             [] { tensor({true}) - tensor({true}); });
  expect_error<RuntimeError>("Subtraction, the `-` operator, with a bool tensor is not supported.",
                             [] { tensor({true}) - 1; });
  expect_error<RuntimeError>("Subtraction, the `-` operator, with a bool tensor is not supported.",
                             [] { 1 - tensor({true}); });
  expect_error<RuntimeError>("add: Tensor 1 of the arguments is undefined", [] { Tensor() + ones({2}); });
}

}  // namespace
}  // namespace gradus::test
