#include "errors.hpp"
#include "tensors.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace gradus::test {
namespace {

void expect_pair(const ValuesIndices& got, const Tensor& values, const Tensor& indices) {
  expect_tensor(got.values, values);
  expect_tensor(got.indices, indices);
}

TEST(Extrema, Values) {
  const Tensor x = tensor({{1., 5., 2.}, {7., 0., 7.}});
  expect_tensor(x.max(), tensor(7.));
  expect_tensor(x.min(), tensor(0.));
  expect_pair(x.max(0), tensor({7., 5., 7.}), tensor({1, 0, 1}));
  expect_pair(x.max(1), tensor({5., 7.}), tensor({1, 0}));
  expect_pair(x.min(-1, true), tensor({{1.}, {0.}}), tensor({{0}, {1}}));
  expect_tensor(x.argmax(), tensor(3));
  expect_tensor(x.argmin(), tensor(4));
  expect_tensor(x.argmax(0), tensor({1, 0, 1}));
  expect_tensor(x.argmin(1, true), tensor({{0}, {1}}));
}

TEST(Extrema, MiddleDimension) {
  const Tensor x = tensor({{{1., 9.}, {4., 2.}, {3., 2.}}, {{0., 0.}, {-1., 5.}, {8., 5.}}});
  expect_pair(x.max(1), tensor({{4., 9.}, {8., 5.}}), tensor({{1, 0}, {2, 1}}));
  expect_pair(x.min(1), tensor({{1., 2.}, {-1., 0.}}), tensor({{0, 1}, {1, 0}}));
}

TEST(Extrema, OfEveryDtype) {
  expect_pair(tensor({{3, 1}, {2, 5}}).max(0), tensor({3, 5}), tensor({0, 1}));
  expect_tensor(tensor({true, false}).max(), tensor(true));
  expect_pair(tensor({true, false, false}).min(0), tensor(false), tensor(1));
  expect_tensor(tensor({1.5, -2.5}, float64).min(), tensor(-2.5, float64));
  const std::int64_t large = (std::int64_t{1} << 53) + 1;
  EXPECT_EQ(stack({full({}, large - 1), full({}, large)}).max().item<std::int64_t>(), large);
  expect_tensor(full({3}, std::numeric_limits<std::int64_t>::min()).argmax(), tensor(0));
}

TEST(Extrema, OfManyIntegers) {
  for (const std::int64_t n : {1, 63, 64, 65, 200, 1000}) {
    const Tensor x = randint(-50, 50, {n});
    const std::vector<std::int64_t> v = x.to_vector<std::int64_t>();
    expect_tensor(x.argmax(), tensor(std::max_element(v.begin(), v.end()) - v.begin()));
    expect_tensor(x.argmin(), tensor(std::min_element(v.begin(), v.end()) - v.begin()));
    expect_tensor(x.max(), tensor(*std::max_element(v.begin(), v.end())));
    expect_tensor((x > 30).argmax(), (x > 30).to(int64).argmax());
  }
  expect_tensor(arange(300).argmax(), tensor(299));
}

TEST(Extrema, TheFirstOfEqualOnes) {
  expect_tensor(tensor({1, 3, 3}).argmax(), tensor(1));
  expect_pair(tensor({{2., 2.}, {2., 3.}}).max(0), tensor({2., 3.}), tensor({0, 1}));
  expect_pair(tensor({{2., 2.}, {2., 1.}}).min(0), tensor({2., 1.}), tensor({0, 1}));
}

TEST(Extrema, NotANumberBeatsAll) {
  const Tensor x = tensor({1., nan, inf, nan});
  expect_pair(x.max(0), tensor(nan), tensor(1));
  expect_pair(x.min(0), tensor(nan), tensor(1));
  expect_tensor(x.argmax(), tensor(1));
  expect_tensor(x.max(), tensor(nan));
  expect_tensor(tensor({-inf, -inf}).argmax(), tensor(0));
  expect_tensor(tensor({-inf, -inf}).max(), tensor(-inf));
}

TEST(Extrema, ZeroDimensionalAndEmpty) {
  expect_pair(tensor(3.).max(0), tensor(3.), tensor(0));
  expect_pair(tensor(3.).min(-1, true), tensor(3.), tensor(0));
  expect_tensor(tensor(3.).argmax(), tensor(0));
  expect_pair(zeros({3, 0}).max(0), zeros({0}), zeros({0}, int64));
  expect_tensor(zeros({0, 2}).argmin(1), zeros({0}, int64));
}

TEST(Extrema, AllAndAny) {
  const Tensor x = tensor({{true, false}, {true, true}});
  expect_tensor(x.all(), tensor(false));
  expect_tensor(x.any(), tensor(true));
  expect_tensor(all(x, 0), tensor({true, false}));
  expect_tensor(any(x, 1, true), tensor({{true}, {true}}));
  expect_tensor(all(tensor({1., nan, -2.})), tensor(true));
  expect_tensor(any(tensor({0, 0})), tensor(false));
  expect_tensor(all(zeros({0})), tensor(true));
  expect_tensor(any(zeros({0})), tensor(false));
  expect_tensor(all(zeros({0, 2}), 0), tensor({true, true}));
  expect_tensor(any(zeros({2, 0}), -1), tensor({false, false}));
  expect_tensor(all(tensor(2.), 0), tensor(true));
}

// --- derivatives

TEST(Extrema, Derivatives) {
  const Tensor x = leaf({3, 2, 4});
  expect_derivative([](const Tensor& v) { return max(v * v); }, x);
  expect_derivative([](const Tensor& v) { return min(v * v); }, x);
  for (const int dim : {0, 1, -1}) {
    for (const bool keepdim : {false, true}) {
      expect_derivative([&](const Tensor& v) { return max(v * v, dim, keepdim).values; }, x);
      expect_derivative([&](const Tensor& v) { return min(v * v, dim, keepdim).values; }, x);
    }
  }
  expect_derivative([](const Tensor& v) { return max(v * v, 0).values * min(v); }, leaf({}));
  EXPECT_FALSE(x.max(0).indices.requires_grad());
  EXPECT_FALSE(x.argmax().requires_grad());
}

TEST(Extrema, EqualOnesShareTheGradientOrTheFirstTakesIt) {  // as PyTorch, recorded
  const Tensor x = tensor({{1., 5., 2.}, {5., 0., 5.}});
  const float third = 1.F / 3;
  expect_tensor(gradient([](const Tensor& v) { return max(v); }, x), tensor({{0., third, 0.}, {third, 0., third}}));
  expect_tensor(gradient([](const Tensor& v) { return max(v, 1).values; }, x), tensor({{0., 1., 0.}, {1., 0., 0.}}));
  expect_tensor(gradient([](const Tensor& v) { return min(v, 1, true).values; }, x),
                tensor({{1., 0., 0.}, {0., 1., 0.}}));
  expect_tensor(gradient([](const Tensor& v) { return max(v); }, tensor({1., nan, 3.})), tensor({0., 1., 0.}));
}

TEST(Extrema, ChangedIndicesAreNoticed) {
  const Tensor x = leaf({3, 2});
  ValuesIndices y = x.max(0);
  y.indices.zero_();
  expect_error<RuntimeError>(
      "one of the variables needed for gradient computation has been modified by an inplace operation",
      [&] { y.values.sum().backward(); });
}

// --- errors

TEST(Extrema, Errors) {
  const std::string hint = " Specify the reduction dim with the 'dim' argument.";
  expect_error<RuntimeError>("max(): Expected reduction dim to be specified for input.numel() == 0." + hint,
                             [] { zeros({0}).max(); });
  expect_error<RuntimeError>("min(): Expected reduction dim to be specified for input.numel() == 0." + hint,
                             [] { zeros({0}).min(); });
  expect_error<IndexError>("argmax(): Expected reduction dim to be specified for input.numel() == 0.",
                           [] { zeros({0}).argmax(); });
  expect_error<IndexError>("argmin(): Expected reduction dim to be specified for input.numel() == 0.",
                           [] { zeros({0}).argmin(); });
  expect_error<IndexError>("max(): Expected reduction dim 0 to have non-zero size.", [] { zeros({0, 3}).max(0); });
  expect_error<IndexError>("min(): Expected reduction dim 1 to have non-zero size.", [] { zeros({3, 0}).min(-1); });
  expect_error<IndexError>("argmax(): Expected reduction dim 1 to have non-zero size.", [] {
    zeros({3, 0}).argmax(1);
  });
  expect_error<IndexError>("Dimension out of range (expected to be in range of [-2, 1], but got 2)", [] {
    zeros({2, 3}).max(2);
  });
  expect_error<IndexError>("Dimension out of range (expected to be in range of [-2, 1], but got -3)", [] {
    all(zeros({2, 3}), -3);
  });
}

TEST(Extrema, OfManyElementsAreTheFirstOnes) {  // in blocks of 65,536
  for (const std::int64_t n : {131'077, 200'003}) {
    std::vector<double> values(static_cast<std::size_t>(n));
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<double>(i * 7919 % 1000);
    const auto place = [&](double value, std::int64_t first, std::int64_t second) {
      values[static_cast<std::size_t>(first)] = values[static_cast<std::size_t>(second)] = value;
    };
    const auto x = [&] { return from_span<double>(values, {n}); };
    place(5000, 70'000, n - 1);
    place(-5000, 65'535, 65'536);
    EXPECT_EQ(x().argmax().item<std::int64_t>(), 70'000);
    EXPECT_EQ(x().argmin().item<std::int64_t>(), 65'535);
    EXPECT_EQ(x().to(float32).max().item(), 5000);
    place(6000, n - 2, n - 3);
    EXPECT_EQ(x().argmax().item<std::int64_t>(), n - 3);
    place(NAN, 131'000, n - 4);
    EXPECT_EQ(x().argmax().item<std::int64_t>(), 131'000);
    EXPECT_EQ(x().argmin().item<std::int64_t>(), 131'000);
  }
}

}  // namespace
}  // namespace gradus::test
