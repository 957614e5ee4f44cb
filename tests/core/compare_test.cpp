#include "errors.hpp"
#include "tensors.hpp"

#include <gtest/gtest.h>

namespace gradus::test {
namespace {

TEST(Compare, Tensors) {
  const Tensor a = tensor({{1., 2., 3.}, {nan, 2., inf}}), b = tensor({2., 2., 2.});
  expect_tensor(a == b, tensor({{false, true, false}, {false, true, false}}));
  expect_tensor(a != b, tensor({{true, false, true}, {true, false, true}}));
  expect_tensor(a < b, tensor({{true, false, false}, {false, false, false}}));
  expect_tensor(a <= b, tensor({{true, true, false}, {false, true, false}}));
  expect_tensor(a > b, tensor({{false, false, true}, {false, false, true}}));
  expect_tensor(a >= b, tensor({{false, true, true}, {false, true, true}}));
  expect_tensor(b<a, a> b);
  expect_tensor(eq(a, b), a == b);
  expect_tensor(ne(a, b), a != b);
  expect_tensor(lt(a, b), a < b);
  expect_tensor(le(a, b), a <= b);
  expect_tensor(gt(a, b), a > b);
  expect_tensor(ge(a, b), a >= b);
}

TEST(Compare, Numbers) {
  const Tensor a = tensor({1., 2., 3.}), i = tensor({1, 2, 3});
  for (const Tensor& x : {a, i, a.to(float64)}) {
    expect_tensor(x == 2, tensor({false, true, false}));
    expect_tensor(x != 2, tensor({true, false, true}));
    expect_tensor(x < 2, tensor({true, false, false}));
    expect_tensor(x <= 2, tensor({true, true, false}));
    expect_tensor(x > 2, tensor({false, false, true}));
    expect_tensor(x >= 2, tensor({false, true, true}));
    expect_tensor(x > 1.5, tensor({false, true, true}));
  }
  expect_tensor(tensor({true, false}) == true, tensor({true, false}));
}

/// Rows longer than what loops take at once, against a matrix, a row, a column and a number.
TEST(Compare, LongRows) {
  const std::int64_t n = 600;
  const Tensor numbers = randint(-2, 3, {3, n});
  for (const Dtype dtype : {float32, float64, int64, boolean}) {
    const Tensor a = numbers.to(dtype);
    for (const Tensor& b : {a.flip({1}), a.select(0, 1), a.narrow(1, 5, 1), a.select(0, 0).select(0, 7)}) {
      const std::vector<double> p = a.to(float64).to_vector<double>(),
                                q = b.to(float64).expand({3, n}).to_vector<double>();
      const std::vector<bool> less = (a < b).to_vector<bool>(), equal = (a == b).to_vector<bool>(),
                              both = logical_and(a, b).to_vector<bool>();
      for (std::size_t i = 0; i < p.size(); ++i) {
        ASSERT_EQ(less[i], p[i] < q[i]) << dtype << ' ' << i;
        ASSERT_EQ(equal[i], p[i] == q[i]) << dtype << ' ' << i;
        ASSERT_EQ(both[i], p[i] != 0 && q[i] != 0) << dtype << ' ' << i;
      }
    }
    const std::vector<bool> none = logical_not(a).to_vector<bool>();
    for (std::size_t i = 0; i < none.size(); ++i) ASSERT_EQ(none[i], a.to(float64).to_vector<double>()[i] == 0);
  }
}

TEST(Compare, InTheDtypeInWhichBothMeet) {
  expect_tensor(tensor({1, 2}) == tensor({1., 2.5}), tensor({true, false}));
  const std::int64_t large = (std::int64_t{1} << 53) + 1;  // not a double
  expect_tensor(full({1}, large) > full({1}, large - 1), tensor({true}));
  expect_tensor(full({1}, large) == large - 1, tensor({false}));
  expect_tensor(tensor({true}) < tensor({2}), tensor({true}));
}

TEST(Compare, BroadcastsAndTakesEmptyOnes) {
  expect_tensor(tensor({{1.}, {2.}}) < tensor({1., 2., 3.}), tensor({{false, true, true}, {false, false, true}}));
  EXPECT_EQ((zeros({0, 3}) < zeros({3})).shape(), Shape({0, 3}));
  expect_tensor(tensor(1.) < tensor(2.), tensor(true));
}

TEST(Compare, Kinds) {
  const Tensor x = tensor({1., nan, inf, -inf, 0.});
  expect_tensor(isnan(x), tensor({false, true, false, false, false}));
  expect_tensor(isfinite(x), tensor({true, false, false, false, true}));
  expect_tensor(logical_not(x), tensor({false, false, false, false, true}));
  expect_tensor(isnan(x.to(float64)), isnan(x));
  expect_tensor(isfinite(tensor({1, 2})), tensor({true, true}));
  expect_tensor(isnan(tensor({true})), tensor({false}));
  expect_tensor(logical_not(tensor({true, false})), tensor({false, true}));
}

TEST(Compare, ResultsCarryNoGradient) {
  const Tensor x = leaf({2, 3});
  EXPECT_FALSE((x < 0).requires_grad());
  EXPECT_FALSE((x == x).requires_grad());
  EXPECT_FALSE(isnan(x).requires_grad());
  EXPECT_FALSE(logical_not(x).requires_grad());
}

// --- where

TEST(Compare, Where) {
  const Tensor condition = tensor({{true}, {false}}), a = tensor({1., 2., 3.}), b = tensor({{10.}, {20.}});
  expect_tensor(where(condition, a, b), tensor({{1., 2., 3.}, {20., 20., 20.}}));
  expect_tensor(where(tensor({true}), tensor({1}), tensor({2.5})), tensor({1.}));
  expect_tensor(where(tensor({true}), tensor({1.}), tensor({2.}, float64)), tensor({1.}, float64));
  expect_tensor(where(tensor({true, false}), tensor({nan, nan}), tensor({1., 1.})), tensor({nan, 1.}));
  EXPECT_EQ(where(zeros({0, 1}, boolean), a, b[0]).shape(), Shape({0, 3}));
}

TEST(Compare, WhereDerivatives) {
  const Tensor condition = tensor({{true, false, true}, {false, false, true}});
  expect_derivative([&](const Tensor& a, const Tensor& b) { return where(condition, a * a, b * b); }, leaf({2, 3}),
                    leaf({2, 3}));
  expect_derivative([&](const Tensor& a, const Tensor& b) { return where(condition, a * a, b * b); }, leaf({3}),
                    leaf({2, 1}));
  expect_derivative([&](const Tensor& a, const Tensor& b) { return where(condition[0], a * a, b * b); }, leaf({4, 1}),
                    leaf({}));
}

TEST(Compare, WhereKeepsTheOtherSideOut) {  // also where that has no finite gradient
  const Tensor x = tensor({0., 4.});
  const auto safe_sqrt = [](const Tensor& v) { return where(v > 0, sqrt(where(v > 0, v, ones({}))), zeros({})); };
  expect_tensor(gradient(safe_sqrt, x), tensor({0., 0.25}));
}

// --- whole tensors

TEST(Compare, Equal) {
  EXPECT_TRUE(equal(tensor({1., 2.}), tensor({1., 2.})));
  EXPECT_FALSE(equal(tensor({1., 2.}), tensor({1., 3.})));
  EXPECT_FALSE(equal(tensor({1., 1.}), tensor({{1., 1.}})));
  EXPECT_FALSE(equal(tensor({nan}), tensor({nan})));
  EXPECT_TRUE(equal(tensor({1}), tensor({1.})));
  EXPECT_TRUE(equal(zeros({0, 3}), zeros({0, 3})));
}

TEST(Compare, Allclose) {
  const Tensor one = tensor({1.}, float64);
  EXPECT_TRUE(allclose(one, one * (1 + 0.9e-5)));
  EXPECT_FALSE(allclose(one, one * (1 + 1.2e-5)));
  EXPECT_TRUE(allclose(one, one * 1.09, 0.1, 0));
  EXPECT_TRUE(allclose(one * 1.1, one, 0.1, 1e-12));  // the tolerance is relative to the second
  EXPECT_FALSE(allclose(one, one * 0.9, 0.1, 1e-12));
  EXPECT_TRUE(allclose(one * 1e-9, one * 0));
  EXPECT_FALSE(allclose(tensor({nan}), tensor({nan})));
  EXPECT_TRUE(allclose(tensor({nan}), tensor({nan}), 1e-5, 1e-8, true));
  EXPECT_FALSE(allclose(tensor({nan}), tensor({1.}), 1e-5, 1e-8, true));
  EXPECT_TRUE(allclose(tensor({inf, -inf}), tensor({inf, -inf})));
  EXPECT_FALSE(allclose(tensor({inf}), tensor({-inf})));
  EXPECT_FALSE(allclose(tensor({1.}), tensor({inf})));
  EXPECT_FALSE(allclose(tensor({inf}), tensor({1.})));
  EXPECT_TRUE(allclose(ones({2, 3}), ones({3})));
  EXPECT_TRUE(allclose(zeros({0}), zeros({0})));
}

TEST(Compare, Errors) {
  expect_error<RuntimeError>(
      "The size of tensor a (3) must match the size of tensor b (2) at non-singleton dimension 1", [] {
        (void)(zeros({2, 3}) < zeros({2}));
      });
  expect_error<RuntimeError>("where expected condition to be a boolean tensor, but got a tensor with dtype Long",
                             [] { where(tensor({1}), tensor({1.}), tensor({2.})); });
  expect_error<RuntimeError>("The size of tensor a", [] { where(tensor({true, false}), zeros({3}), zeros({3})); });
  expect_error<RuntimeError>("The size of tensor a", [] { allclose(zeros({2}), zeros({3})); });
}

}  // namespace
}  // namespace gradus::test
