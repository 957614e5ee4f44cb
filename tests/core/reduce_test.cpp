#include "errors.hpp"
#include "tensors.hpp"

#include <gradus/core/parallel.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

namespace gradus::test {
namespace {

TEST(Reduce, SumAndMean) {
  const Tensor x = tensor({{1., 2., 3.}, {4., 5., 9.}});
  expect_tensor(x.sum(), tensor(24.));
  expect_tensor(x.sum(0), tensor({5., 7., 12.}));
  expect_tensor(x.sum(-1), tensor({6., 18.}));
  expect_tensor(x.sum(1, true), tensor({{6.}, {18.}}));
  expect_tensor(x.sum({0, 1}), tensor(24.));
  expect_tensor(x.sum({1, 0}, true), tensor({{24.}}));
  expect_tensor(x.mean(), tensor(4.));
  expect_tensor(x.mean(0), tensor({2.5, 3.5, 6.}));
  expect_tensor(x.mean({-2}, true), tensor({{2.5, 3.5, 6.}}));
}

TEST(Reduce, NoDimensionsMeanAll) {
  const Tensor x = tensor({{1., 2.}, {3., 6.}});
  expect_tensor(x.sum(Dims{}), tensor(12.));
  expect_tensor(x.mean(Dims{}, true), tensor({{3.}}));
  expect_tensor(x.var(Dims{}), x.var());
}

TEST(Reduce, VarAndStd) {  // recorded from PyTorch
  const Tensor x = tensor({{1., 5., 2.}, {5., 0., 5.}});
  expect_tensor(x.var(0), tensor({8., 12.5, 4.5}));
  expect_tensor(x.var(1, false), tensor({26. / 9, 50. / 9}), 1e-6);
  expect_tensor(x.std(1, false), tensor({1.69967317, 2.35702260}), 1e-6);
  expect_tensor(x.var(), tensor(5.2), 1e-6);
  expect_tensor(x.std(), tensor(2.28035085), 1e-6);
  expect_tensor(x.std({0, 1}, true, true), tensor({{2.28035085}}), 1e-6);
  expect_tensor(x.var(0, true, true), tensor({{8., 12.5, 4.5}}));
}

TEST(Reduce, IntegersAndBooleansCount) {
  expect_tensor(tensor({{true, true}, {false, true}}).sum(0), tensor({1, 2}));
  expect_tensor(tensor({1, 2, 3}).sum(), tensor(6));
  const std::int64_t large = (std::int64_t{1} << 53) + 1;
  EXPECT_EQ((full({3}, large)).sum().item<std::int64_t>(), 3 * large);
  for (const std::int64_t n : {4095, 4096, 4099}) {
    EXPECT_EQ(arange(n).sum().item<std::int64_t>(), n * (n - 1) / 2);
    EXPECT_EQ((arange(n) < 4000).sum().item<std::int64_t>(), 4000);
  }
}

TEST(Reduce, IntegersAreCountedAlongEveryDimension) {  // 11 rows: four at once, and three
  const Tensor x = randint(-9, 9, {11, 3, 37}), truths = x > 0;
  for (const Dims& dims : {Dims{0}, Dims{1}, Dims{2}, Dims{0, 2}, Dims{0, 1}, Dims{}}) {
    expect_tensor(x.sum(dims), x.to(float64).sum(dims).to(int64));
    expect_tensor(truths.sum(dims), truths.to(float64).sum(dims).to(int64));
  }
}

TEST(Reduce, ShortRunsFarApart) {
  const Tensor x = randint(-99, 99, {21, 5, 7}, float64) + 1e12;
  expect_tensor(x.sum({0, 2}) - 1e12 * 147, (x - 1e12).sum({0, 2}));
  expect_tensor((x - 1e12).to(float32).sum({0, 2}), (x - 1e12).sum({0, 2}).to(float32));
  expect_tensor((x - 1e12).sum(2), (x - 1e12).permute({2, 0, 1}).clone().sum(0));
  expect_tensor(full({17, 16}, -0.0, float64).sum(1), zeros({17}, float64));
  EXPECT_FALSE(std::signbit(full({17, 16}, -0.0, float64).sum(1).select(0, 0).item()));
}

TEST(Reduce, VarianceOfAllElementsKeepsItsDigits) {
  const std::int64_t n = 100'003;  // x = 1e8 + k / 2^10, whose mean and variance are known
  const Tensor x = arange(n).to(float64) / 1024 + 1e8;
  const double var = static_cast<double>(n) * static_cast<double>(n + 1) / 12 / 1024 / 1024;
  EXPECT_NEAR(x.var().item(), var, 2e-15 * var);
  EXPECT_NEAR(x.std().item(), std::sqrt(var), 2e-15 * std::sqrt(var));
  EXPECT_NEAR((x - 1e8).to(float32).var().item(), var, 1e-7 * var);
}

TEST(Reduce, ZeroDimensional) {
  const Tensor x = tensor(3.);
  expect_tensor(x.sum(), x);
  expect_tensor(x.sum(0), x);
  expect_tensor(x.mean(-1, true), x);
  expect_tensor(x.var(), tensor(nan));
  expect_tensor(x.var(0, false), tensor(0.));
}

TEST(Reduce, NothingToReduce) {
  expect_tensor(zeros({0}).sum(), tensor(0.));
  expect_tensor(zeros({0, 3}).sum(0), zeros({3}));
  expect_tensor(zeros({0, 3}).sum(1), zeros({0}));
  expect_tensor(zeros({2, 0, 3}).sum({0, 1}), zeros({3}));
  expect_tensor(zeros({0}, int64).sum(), tensor(0));
  expect_tensor(zeros({0}).mean(), tensor(nan));
  expect_tensor(zeros({0, 2}).mean(0), tensor({nan, nan}));
  expect_tensor(zeros({0}).var(), tensor(nan));
  expect_tensor(zeros({0, 2}).std(0, false), tensor({nan, nan}));
  expect_tensor(zeros({1, 2}).var(0), tensor({nan, nan}));
}

TEST(Reduce, NotANumberAndInfinity) {
  expect_tensor(tensor({{1., nan}, {2., 3.}}).sum(0), tensor({3., nan}));
  for (const Dtype dtype : {float32, float64}) {
    expect_tensor(tensor({inf, 1., 2.}, dtype).sum(), tensor(inf, dtype));
    expect_tensor(tensor({inf, 1., -inf}, dtype).sum(), tensor(nan, dtype));
    expect_tensor(tensor({inf, 1.}, dtype).var(), tensor(nan, dtype));
    expect_tensor(tensor({nan, 1., 1.}, dtype).std(), tensor(nan, dtype));
  }
}

// --- every set of dimensions, against the definition

/// f(elements of the group) for every group, found one by one.
template <class F>
Tensor by_definition(const Tensor& x, const std::vector<bool>& reduced, F f) {
  Shape kept = x.shape();
  for (int d = 0; d < x.dim(); ++d) {
    if (reduced[static_cast<std::size_t>(d)]) kept[d] = 1;
  }
  std::vector<std::vector<double>> groups(static_cast<std::size_t>(numel(kept)));
  const auto elements = x.data<double>();
  for (std::int64_t i = 0; i < x.numel(); ++i) {
    std::int64_t rest = i, group = 0, stride = 1;
    for (int d = x.dim() - 1; d >= 0; --d) {
      group += kept[d] == 1 ? 0 : rest % x.shape()[d] * stride;
      rest /= x.shape()[d];
      stride *= kept[d];
    }
    groups[static_cast<std::size_t>(group)].push_back(elements[static_cast<std::size_t>(i)]);
  }
  std::vector<double> results;
  for (const auto& group : groups) results.push_back(f(group));
  return from_span(results, kept);
}

double mean_of(const std::vector<double>& x) {
  double sum = 0;
  for (double v : x) sum += v;
  return sum / static_cast<double>(x.size());
}

double var_of(const std::vector<double>& x) {
  double sum = 0;
  for (double v : x) sum += (v - mean_of(x)) * (v - mean_of(x));
  return sum / (static_cast<double>(x.size()) - 1);
}

TEST(Reduce, EverySetOfDimensions) {
  for (const Shape& shape : {Shape{6},
                             {3, 4},
                             {4, 3},
                             {2, 3, 4},
                             {3, 1, 2},
                             {2, 3, 1, 4},
                             {2, 3, 2, 2, 3},
                             {2, 300},
                             {300, 2},
                             {3, 2, 300}}) {
    const Tensor x = leaf(shape, -2, 3).detach();
    for (int set = 1; set < 1 << shape.rank(); ++set) {
      Dims dims;
      std::vector<bool> reduced;
      for (int d = 0; d < shape.rank(); ++d) {
        reduced.push_back(set >> d & 1);
        if (reduced.back()) dims.push_back(set % 3 ? d : d - shape.rank());
      }
      const Tensor mean = by_definition(x, reduced, mean_of), var = by_definition(x, reduced, var_of);
      const Tensor largest = by_definition(x, reduced, [](const auto& g) { return *std::ranges::max_element(g); });
      EXPECT_LE(max_distance(x.mean(dims, true), mean), 1e-14) << shape << dims;
      EXPECT_LE(max_distance(x.mean(dims), mean.reshape(x.mean(dims).shape())), 1e-14) << shape << dims;
      EXPECT_LE(max_distance(x.var(dims, true, true), var), 1e-14) << shape << dims;
      EXPECT_LE(max_distance(x.std(dims, true, true), sqrt(var)), 1e-14) << shape << dims;
      EXPECT_LE(max_distance(x.to(float32).mean(dims, true), mean), 3e-7) << shape << dims;
      EXPECT_LE(max_distance(x.to(float32).var(dims, true, true), var), 2e-6) << shape << dims;
      if (dims.rank() == 1) {
        EXPECT_EQ(max_distance(x.max(dims[0], true).values, largest), 0) << shape << dims;
      }
    }
  }
}

TEST(Reduce, EightDimensions) {
  const Tensor x = arange(256.).reshape({2, 2, 2, 2, 2, 2, 2, 2});
  const Tensor y =
      x.sum({0, 2, 4, 6});  // 16 numbers each, 64 a + 16 b + 4 c + d apart from the subsets of {128, 32, 8, 2}
  expect_tensor(y.flatten().narrow(0, 0, 3), tensor({1360., 1376., 1424.}));
  expect_tensor(y[1][1][1][1], tensor(1360. + 16 * 85));
}

// --- accuracy

TEST(Reduce, TheMeanOfManyOnesIsOne) {
  const Tensor x = ones({1 << 24});
  EXPECT_EQ(x.mean().item(), 1);
  EXPECT_EQ(x.sum().item(), 1 << 24);
  EXPECT_EQ(x.var().item(), 0);
  expect_tensor(x.reshape({1 << 22, 4}).mean(0), ones({4}));
  expect_tensor(x.reshape({4, 1 << 22}).mean(1), ones({4}));
}

TEST(Reduce, LongFloat32SumsLoseNothing) {
  Generator generator(1);
  const Tensor x = rand({1 << 20, 2}, float32, generator) + 999.5, exact = x.to(float64);
  EXPECT_LE(relative_distance(x.mean(), exact.mean()), 6e-8);
  EXPECT_LE(relative_distance(x.mean(0), exact.mean(0)), 6e-8);
  EXPECT_LE(relative_distance(x.sum(), exact.sum()), 6e-8);
  EXPECT_LE(relative_distance(x.t().sum(1), exact.sum(0)), 6e-8);
  EXPECT_LE(relative_distance(x.var(0), exact.var(0)), 6e-8);
  EXPECT_LE(relative_distance(x.std(), exact.std()), 6e-8);
}

TEST(Reduce, Float64SumsAreCompensated) {
  std::vector<double> values{1e16, 1, 1, 1, 1, -1e16};
  EXPECT_EQ(from_span(values, 6).sum().item(), 4);
  expect_tensor(from_span(values, {6, 1}).expand({6, 3}).sum(0), tensor({4., 4., 4.}, float64));
  const Tensor tenths = full({1 << 20}, 0.1, float64);
  EXPECT_EQ(tenths.mean().item(), 0.1);
  const Tensor shifted = tensor({1., 2., 3., 4.}, float64) + 1e10;
  EXPECT_DOUBLE_EQ(shifted.var().item(), 5.0 / 3);
}

TEST(Reduce, AConstantHasNoVariance) {
  for (const std::int64_t n : {2, 10, 1437, 100'000}) EXPECT_EQ(full({n}, 0.1F).var().item(), 0) << n;
}

TEST(Reduce, TheNumberOfThreadsDoesNotMatter) {
  Generator generator(2);
  const Tensor x = randn({300, 500, 3}, float32, generator);
  const int threads = get_num_threads();
  set_num_threads(1);
  const Tensor sums[] = {x.sum(), x.sum(0), x.sum(1), x.sum(2), x.sum({0, 2}), x.var({0, 2}), x.std(0)};
  set_num_threads(4);
  const Tensor again[] = {x.sum(), x.sum(0), x.sum(1), x.sum(2), x.sum({0, 2}), x.var({0, 2}), x.std(0)};
  set_num_threads(threads);
  for (std::size_t i = 0; i < std::size(sums); ++i) expect_tensor(again[i], sums[i]);
}

// --- derivatives

TEST(Reduce, Derivatives) {
  const Tensor x = leaf({2, 3, 2});
  expect_derivative([](const Tensor& v) { return sum(v); }, x);
  expect_derivative([](const Tensor& v) { return mean(v); }, x);
  expect_derivative([](const Tensor& v) { return var(v); }, x);
  expect_derivative([](const Tensor& v) { return std(v); }, x);
  for (const Dims& dims : {Dims{0}, {1}, {-1}, {0, 2}, {2, 1}, {0, 1, 2}}) {
    for (const bool keepdim : {false, true}) {
      expect_derivative([&](const Tensor& v) { return sum(v * v, dims, keepdim); }, x);
      expect_derivative([&](const Tensor& v) { return mean(v * v, dims, keepdim); }, x);
      expect_derivative([&](const Tensor& v) { return var(v, dims, true, keepdim); }, x);
      expect_derivative([&](const Tensor& v) { return var(v, dims, false, keepdim); }, x);
      expect_derivative([&](const Tensor& v) { return std(v, dims, true, keepdim); }, x);
      expect_derivative([&](const Tensor& v) { return std(v, dims, false, keepdim); }, x);
    }
  }
  expect_derivative([](const Tensor& v) { return sum(v, 0) + mean(v, -1, true); }, leaf({}));
}

TEST(Reduce, GradientsOfSingularCases) {
  const Tensor constant = full({3}, 2.);
  expect_tensor(gradient([](const Tensor& v) { return std(v); }, constant), zeros({3}));  // where std has no slope
  expect_tensor(gradient([](const Tensor& v) { return var(v); }, constant), zeros({3}));
  expect_tensor(gradient([](const Tensor& v) { return var(v); }, ones({1})), tensor({nan}));
  EXPECT_EQ(gradient([](const Tensor& v) { return mean(v); }, zeros({0, 2})).shape(), Shape({0, 2}));
  EXPECT_EQ(gradient([](const Tensor& v) { return sum(v, 1); }, zeros({2, 0})).shape(), Shape({2, 0}));
}

// --- errors

TEST(Reduce, Errors) {
  const Tensor x = zeros({2, 3});
  expect_error<IndexError>("Dimension out of range (expected to be in range of [-2, 1], but got 2)", [&] { x.sum(2); });
  expect_error<IndexError>("Dimension out of range (expected to be in range of [-2, 1], but got -3)", [&] {
    x.var({0, -3});
  });
  expect_error<IndexError>("Dimension out of range (expected to be in range of [-1, 0], but got 1)",
                           [&] { x.sum().sum(1); });
  expect_error<RuntimeError>("dim 0 appears multiple times in the list of dims", [&] { x.sum({0, 0}); });
  expect_error<RuntimeError>("dim 0 appears multiple times in the list of dims", [&] { x.mean({0, -2}); });
  expect_error<RuntimeError>(
      "mean(): could not infer output dtype. Input dtype must be either a floating point or complex dtype. Got: Long",
      [] { arange(3).mean(); });
  expect_error<RuntimeError>(
      "mean(): could not infer output dtype. Input dtype must be either a floating point or complex dtype. Got: Bool",
      [] { tensor({true}).mean(0); });
  expect_error<RuntimeError>("std and var only support floating point and complex dtypes", [] { arange(3).std(); });
}

}  // namespace
}  // namespace gradus::test
