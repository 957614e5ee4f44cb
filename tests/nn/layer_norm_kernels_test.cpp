// The kernels of LayerNorm on every instruction set: accuracy against long double, the same bits everywhere and with
// any number of threads.
#include "kernel_support.hpp"
#include "kernels/nn_table.hpp"

#include <gradus/gradus.hpp>

namespace gradus::test {
namespace {

using nn::kernels::Kernels;
using Real = long double;

constexpr double usual_eps = 1e-5;
template <class T>
constexpr double tolerance_of = sizeof(T) == 4 ? 6e-8 : 4e-15;
// Sums of floats are rounded to floats yet; their means are a single double.
template <class T>
constexpr double sum_tolerance_of = sizeof(T) == 4 ? 1e-9 : 2e-15;

struct Size {
  std::int64_t rows, cols;
};

template <class T>
struct Problem {
  Size size;
  std::vector<T> x, dy, weight, bias;
};

template <class T>
Problem<T> problem(Size size, double mean = 0, double std = 1) {
  const std::int64_t elements = size.rows * size.cols;
  return {size, normal<T>(elements, 1, mean, std), normal<T>(elements, 2), normal<T>(size.cols, 3, 1, 0.3),
          normal<T>(size.cols, 4)};
}

template <class T>
struct Result {
  std::vector<T> y, dx;
  std::vector<double> sums;  // dweight, then dbias
};

struct Options {
  std::int64_t offset = 0;
  bool affine = true, in_place = false;
};

template <class T>
Result<T> run(Isa isa, const Problem<T>& p, Options o = {}) {
  const Kernels<T>& kernels = kernels::table_for<nn::kernels::Table>(isa)->of<T>();
  const auto [rows, cols] = p.size;
  Guarded<T> x(rows * cols, o.offset), dy(rows * cols, 2 * o.offset), y(rows * cols, 3 * o.offset), dx(rows * cols);
  Guarded<double> mean(rows), low(rows), rstd(rows), sums(2 * cols, o.offset), lost(2 * cols);
  x.fill(p.x), dy.fill(p.dy);
  sums.fill(std::vector<double>(2 * cols)), lost.fill(std::vector<double>(2 * cols));
  const T *weight = o.affine ? p.weight.data() : nullptr, *bias = o.affine ? p.bias.data() : nullptr;
  kernels.layer_norm({cols, y.data(), x.data(), weight, bias, mean.data(), low.data(), rstd.data(), usual_eps}, 0,
                     rows);
  kernels.layer_norm_backward(
      {cols, o.in_place ? dy.data() : dx.data(), sums.data(), sizeof(T) == 4 ? nullptr : lost.data(), dy.data(),
       x.data(), weight, mean.data(), low.data(), rstd.data()},
      0, rows);
  return {y.values(), o.in_place ? dy.values() : dx.values(), sums.values()};
}

template <class T>
void expect_same(const Result<T>& a, const Result<T>& b) {
  EXPECT_TRUE(same_bits(a.y, b.y)) << "y";
  EXPECT_TRUE(same_bits(a.dx, b.dx)) << "dx";
  EXPECT_TRUE(same_bits(a.sums, b.sums)) << "dweight and dbias";
}

/// The definition, row by row, in long double.
template <class T>
void expect_exact(const Problem<T>& p, const Result<T>& r, bool affine = true) {
  const auto [rows, cols] = p.size;
  const Real count = static_cast<Real>(cols);
  std::vector<Real> dweight(cols), dbias(cols), magnitudes(cols);
  for (std::int64_t i = 0; i < rows; ++i) {
    const T *x = &p.x[i * cols], *dy = &p.dy[i * cols];
    // The mean in two parts: even a long double is too coarse for a mean of 10^6 standard deviations.
    Real mean = 0, low = 0, var = 0, sum = 0, products = 0, largest_y = 0, largest_dx = 0;
    const auto deviation = [&](std::int64_t j) { return (x[j] - mean) - low; };
    const auto weight = [&](std::int64_t j) { return affine ? static_cast<Real>(p.weight[j]) : 1; };
    for (std::int64_t j = 0; j < cols; ++j) mean += x[j] / count;
    for (std::int64_t j = 0; j < cols; ++j) low += (x[j] - mean) / count;
    for (std::int64_t j = 0; j < cols; ++j) var += deviation(j) * deviation(j) / count;
    const Real rstd = 1 / std::sqrt(var + usual_eps);
    for (std::int64_t j = 0; j < cols; ++j) {
      sum += dy[j] * weight(j);
      products += dy[j] * weight(j) * deviation(j) * rstd;
      dweight[j] += dy[j] * deviation(j) * rstd;
      dbias[j] += dy[j];
      magnitudes[j] += std::fabs(dy[j] * deviation(j) * rstd) + std::fabs(static_cast<Real>(dy[j]));
      largest_y =
          std::max(largest_y, std::fabs(deviation(j) * rstd * weight(j)) + std::fabs(static_cast<Real>(p.bias[j])));
      largest_dx = std::max(largest_dx, std::fabs(dy[j] * weight(j) * rstd));
    }
    Real wrong_y = 0, wrong_dx = 0;
    for (std::int64_t j = 0; j < cols; ++j) {
      const Real xhat = deviation(j) * rstd, y = xhat * weight(j) + (affine ? p.bias[j] : 0);
      const Real dx = rstd * (dy[j] * weight(j) - (sum + xhat * products) / count);
      wrong_y = std::max(wrong_y, std::fabs(r.y[i * cols + j] - y));
      wrong_dx = std::max(wrong_dx, std::fabs(r.dx[i * cols + j] - dx));
    }
    EXPECT_LE(static_cast<double>(wrong_y / largest_y), tolerance_of<T>) << "y, row " << i;
    EXPECT_LE(static_cast<double>(wrong_dx / largest_dx), tolerance_of<T>) << "dx, row " << i;
  }
  for (std::int64_t j = 0; j < cols; ++j) {
    const double near = sum_tolerance_of<T> * static_cast<double>(magnitudes[j]);
    EXPECT_NEAR(r.sums[j], static_cast<double>(dweight[j]), near) << "dweight, column " << j;
    EXPECT_NEAR(r.sums[cols + j], static_cast<double>(dbias[j]), near) << "dbias, column " << j;
  }
}

constexpr Size all_sizes[] = {{1, 2}, {3, 5}, {4, 16}, {7, 33}, {5, 128}, {9, 131}, {37, 300}, {6, 1040}};

class LayerNormKernels : public testing::TestWithParam<Isa> {};
INSTANTIATE_TEST_SUITE_P(EveryIsa, LayerNormKernels, testing::ValuesIn(isas()));

TEST_P(LayerNormKernels, AreExactAndEqualEverywhere) {
  for_both_widths([]<class T>(T*) {
    for (const Size size : all_sizes) {
      SCOPED_TRACE(testing::Message() << size.rows << "x" << size.cols);
      const Problem<T> p = problem<T>(size);
      const Result<T> r = run(GetParam(), p);
      expect_exact(p, r);
      expect_same(r, run(reference(), p));
      expect_same(r, run(GetParam(), p, {.offset = 1, .in_place = true}));
      expect_exact(p, run(GetParam(), p, {.affine = false}), false);
    }
  });
}

TEST_P(LayerNormKernels, StayExactFarFromZero) {
  for_both_widths([]<class T>(T*) {
    for (const auto& [mean, std] : {std::pair{100.0, 1.0}, {1e6, 1.0}, {1000.0, 1e-2}, {0.0, 1e15}}) {
      SCOPED_TRACE(testing::Message() << "mean " << mean << ", standard deviation " << std);
      const Problem<T> p = problem<T>({9, 203}, mean, std);
      const Result<T> r = run(GetParam(), p);
      expect_exact(p, r);
      expect_same(r, run(reference(), p));
    }
  });
}

TEST_P(LayerNormKernels, ConstantRowBecomesTheBias) {
  for_both_widths([]<class T>(T*) {
    for (const T value : {T(0.1), T(1e6), T(0), T(1e-12)}) {
      Problem<T> p = problem<T>({6, 150});
      std::fill_n(p.x.begin() + 150, 150, value);
      const Result<T> r = run(GetParam(), p);
      for (std::size_t j = 0; j < 150; ++j) EXPECT_EQ(r.y[150 + j], p.bias[j]);
    }
  });
}

TEST_P(LayerNormKernels, NonFiniteRowsAreNaNAndLeaveOthersAlone) {
  for_both_widths([]<class T>(T*) {
    for (const T bad : {std::numeric_limits<T>::infinity(), std::numeric_limits<T>::quiet_NaN()}) {
      const Problem<T> p = problem<T>({6, 70});
      Problem<T> broken = p;
      broken.x[2 * 70 + 5] = bad;
      const Result<T> good = run(GetParam(), p), r = run(GetParam(), broken);
      for (std::int64_t i = 0; i < 6 * 70; ++i) {
        if (i / 70 == 2) {
          EXPECT_TRUE(std::isnan(r.y[i])) << i;
        } else {
          EXPECT_EQ(r.y[i], good.y[i]) << i;
          EXPECT_EQ(r.dx[i], good.dx[i]) << i;
        }
      }
    }
  });
}

TEST_P(LayerNormKernels, InfiniteGradientHasInfiniteSums) {
  for_both_widths([]<class T>(T*) {
    Problem<T> p = problem<T>({8, 20});
    p.dy[3] = std::numeric_limits<T>::infinity();
    const Result<T> r = run(GetParam(), p);
    EXPECT_TRUE(std::isinf(r.sums[3]));
    EXPECT_EQ(r.sums[23], std::numeric_limits<double>::infinity());
    EXPECT_TRUE(std::isfinite(r.sums[24]));
  });
}

TEST_P(LayerNormKernels, SumsOfDoublesLoseNothingToALargeOne) {
  Problem<double> p = problem<double>({404, 18});
  for (std::int64_t i = 0; i < 404; ++i) p.dy[i * 18 + 17] = i < 4 ? 1e16 : 1;
  EXPECT_EQ(run(GetParam(), p).sums[18 + 17], 4e16 + 400);
}

class LayerNormThreads : public Threaded {};

TEST_F(LayerNormThreads, NumberOfThreadsDoesNotShow) {
  for (const Dtype dtype : {float32, float64}) {
    manual_seed(3);
    const Tensor x = randn({700, 600}, dtype).requires_grad_(), dy = randn({700, 600}, dtype);
    const Tensor weight = randn({600}, dtype).requires_grad_(), bias = randn({600}, dtype).requires_grad_();
    expect_equal("layer_norm", [&] {
      const Tensor y = nn::functional::layer_norm(x, 600, weight, bias);
      std::vector<double> all;
      for (const Tensor& t : {y.detach(), grad({y}, {x}, {.grad_outputs = {dy}, .retain_graph = true})[0],
                              grad({y}, {weight}, {.grad_outputs = {dy}, .retain_graph = true})[0],
                              grad({y}, {bias}, {.grad_outputs = {dy}})[0]}) {
        const Tensor wide = t.to(float64);
        all.insert(all.end(), wide.data<double>().begin(), wide.data<double>().end());
      }
      return all;
    });
  }
}

}  // namespace
}  // namespace gradus::test
