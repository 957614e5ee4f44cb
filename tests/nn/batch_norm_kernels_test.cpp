// The kernels of BatchNorm on every instruction set: accuracy against long double, the same bits everywhere.
#include "kernel_support.hpp"
#include "kernels/batch_norm.hpp"

namespace gradus::test {
namespace {

using nn::kernels::BatchNormBackward, nn::kernels::BatchNormForward;
using nn::kernels::BatchShape, nn::kernels::Kernels;

constexpr double usual_eps = 1e-5;
// Rounding once costs half a unit in the last place of the largest element of a channel.
template <class T>
constexpr double tolerance_of = sizeof(T) == 4 ? 6e-8 : 4e-15;

template <class T>
struct Problem {
  BatchShape shape;
  std::vector<T> x, dy, weight, bias;
  std::int64_t size() const { return shape.n * shape.c * shape.l; }
};

template <class T = float>
Problem<T> problem(BatchShape shape, double mean = 0, double std = 1) {
  const std::int64_t size = shape.n * shape.c * shape.l;
  return {shape, normal<T>(size, 1, mean, std), normal<T>(size, 2), normal<T>(shape.c, 3, 1, 0.3),
          normal<T>(shape.c, 4)};
}

template <class T>
struct Result {
  std::vector<T> y, dx, dweight, dbias;
  std::vector<double> mean, var, rstd;
  bool finite = false;
};

struct Options {
  std::int64_t offset = 0;
  bool affine = true, training = true, stream = false, in_place = false, scratch = false, on_threads = false;
};

template <class T>
Result<T> run(const Kernels<T>& kernels, const Problem<T>& p, Options o = {}) {
  const std::int64_t c = p.shape.c, size = p.size();
  Guarded<T> x(size, o.offset), dy(size, 2 * o.offset), y(size, 3 * o.offset), dx(size, 5 * o.offset);
  Guarded<T> dweight(c, o.offset), dbias(c, o.offset), scratch(2 * size);
  Guarded<double> mean(c, o.offset), var(c), rstd(c, 1), low(c, o.offset), sums(3 * c, o.offset);
  x.fill(p.x), dy.fill(p.dy);
  const T *weight = o.affine ? p.weight.data() : nullptr, *bias = o.affine ? p.bias.data() : nullptr;
  T* const copies = o.scratch ? scratch.data() : nullptr;
  BatchNormForward<T> forward{p.shape,     y.data(),   x.data(),    weight,    bias,
                              mean.data(), var.data(), rstd.data(), usual_eps, o.stream};
  Result<T> r;
  if (o.training) {
    forward.low = low.data();
    r.finite = o.on_threads ? nn::kernels::batch_norm(forward) : kernels.batch_norm(forward, 0, c, copies);
  } else {
    for (std::int64_t i = 0; i < c; ++i)
      mean[i] = 0.1 * double(i), var[i] = 2 + double(i), rstd[i] = 1 / std::sqrt(var[i]);
    o.on_threads ? nn::kernels::batch_norm_apply(forward) : kernels.batch_norm_apply(forward, 0, c);
  }
  T* const to = o.in_place ? dy.data() : dx.data();
  const BatchNormBackward<T> backward{p.shape,    to,       dweight.data(), dbias.data(), dy.data(),
                                      x.data(),   weight,   mean.data(),    var.data(),   rstd.data(),
                                      o.training, o.stream, sums.data()};
  o.on_threads ? nn::kernels::batch_norm_backward(backward) : kernels.batch_norm_backward(backward, 0, c, copies);
  EXPECT_TRUE(same_bits(x.values(), p.x));
  r.y = y.values(), r.dx = o.in_place ? dy.values() : dx.values();
  r.dweight = dweight.values(), r.dbias = dbias.values();
  r.mean = mean.values(), r.var = var.values(), r.rstd = rstd.values();
  return r;
}

template <class T>
void expect_same(const Result<T>& a, const Result<T>& b) {
  EXPECT_TRUE(same_bits(a.y, b.y)) << "y";
  EXPECT_TRUE(same_bits(a.dx, b.dx)) << "dx";
  EXPECT_TRUE(same_bits(a.dweight, b.dweight)) << "dweight";
  EXPECT_TRUE(same_bits(a.dbias, b.dbias)) << "dbias";
  EXPECT_TRUE(same_bits(a.mean, b.mean)) << "mean";
  EXPECT_TRUE(same_bits(a.var, b.var)) << "var";
  EXPECT_TRUE(same_bits(a.rstd, b.rstd)) << "rstd";
}

using Real = long double;

/// The largest difference of a channel's elements from the exact ones, relative to the largest exact one, or to the
/// largest term of which they are sums.
class ChannelError {
 public:
  template <class T>
  void add(T got, Real exact) {
    difference_ = std::max(difference_, std::fabs(got - exact));
    largest_ = std::max(largest_, std::fabs(exact));
  }
  void add_term(Real term) { largest_ = std::max(largest_, std::fabs(term)); }
  double value() const { return static_cast<double>(difference_ == 0 ? 0 : difference_ / largest_); }

 private:
  Real difference_ = 0, largest_ = 0;
};

template <class F>
void each_of_channel(BatchShape s, std::int64_t channel, F f) {
  for (std::int64_t i = 0; i < s.n; ++i)
    for (std::int64_t k = 0; k < s.l; ++k) f((i * s.c + channel) * s.l + k);
}

/// The definition, channel by channel, in long double.
template <class T>
void expect_exact(const Problem<T>& p, const Result<T>& r, Options o = {}) {
  const Real count = static_cast<Real>(p.shape.n * p.shape.l);
  for (std::int64_t c = 0; c < p.shape.c; ++c) {
    Real mean = r.mean[c], low = 0, var = r.var[c], rstd = r.rstd[c], squares = 0;
    // The mean in two parts: even a long double is too coarse for a mean of 10^6 standard deviations.
    const auto deviation = [&](std::int64_t i) { return (p.x[i] - mean) - low; };
    if (o.training) {
      mean = var = 0;
      each_of_channel(p.shape, c, [&](std::int64_t i) { mean += p.x[i] / count; });
      each_of_channel(p.shape, c, [&](std::int64_t i) { low += (p.x[i] - mean) / count; });
      each_of_channel(p.shape, c, [&](std::int64_t i) {
        var += deviation(i) * deviation(i) / count;
        squares += static_cast<Real>(p.x[i]) * p.x[i] / count;
      });
      rstd = 1 / std::sqrt(var + usual_eps);
      EXPECT_NEAR(r.mean[c], static_cast<double>(mean), static_cast<double>(1e-14L * std::sqrt(squares)));
      EXPECT_NEAR(r.var[c], static_cast<double>(var), static_cast<double>(1e-12L * var)) << "channel " << c;
    }
    Real sum = 0, products = 0, magnitudes = 0;
    each_of_channel(p.shape, c, [&](std::int64_t i) {
      sum += p.dy[i];
      products += p.dy[i] * deviation(i) * rstd;
      magnitudes += std::fabs(p.dy[i]);
    });
    const Real weight = o.affine ? p.weight[c] : 1, bias = o.affine ? p.bias[c] : 0;
    ChannelError y, dx;
    each_of_channel(p.shape, c, [&](std::int64_t i) {
      const Real xhat = deviation(i) * rstd;
      y.add(r.y[i], xhat * weight + bias);
      const Real through_statistics = o.training ? (sum + xhat * products) / count : 0;
      dx.add(r.dx[i], weight * rstd * (p.dy[i] - through_statistics));
      dx.add_term(weight * rstd * p.dy[i]);
    });
    EXPECT_LE(y.value(), tolerance_of<T>) << "y, channel " << c;
    EXPECT_LE(dx.value(), tolerance_of<T>) << "dx, channel " << c;
    EXPECT_LE(ulps(r.dbias[c], sum), (sizeof(T) == 4 ? 0.501 : 2)) << "dbias, channel " << c;
    if (sizeof(T) == 4) {
      EXPECT_LE(ulps(r.dweight[c], products), 0.501) << "dweight, channel " << c;
    } else {
      EXPECT_NEAR(r.dweight[c], static_cast<double>(products), 2e-15 * static_cast<double>(magnitudes))
          << "dweight, channel " << c;
    }
  }
}

constexpr BatchShape all_shapes[] = {{2, 1},     {3, 5},      {32, 16},    {33, 17},   {7, 100},   {257, 3},
                                     {9, 1040},  {300, 280},  {2, 3, 1},   {2, 3, 4},  {4, 5, 15}, {3, 2, 16},
                                     {5, 7, 17}, {1, 3, 257}, {6, 20, 33}, {40, 3, 64}};

class BatchNormKernels : public testing::TestWithParam<Isa> {
 protected:
  template <class T>
  static const Kernels<T>& of(Isa isa) {
    return kernels::table_for<nn::kernels::Table>(isa)->of<T>();
  }
  const Kernels<float>&table = of<float>(GetParam()), &plain = of<float>(reference());
};
INSTANTIATE_TEST_SUITE_P(EveryIsa, BatchNormKernels, testing::ValuesIn(isas()));

TEST_P(BatchNormKernels, TrainingIsExactAndEqualEverywhere) {
  for_both_widths([&]<class T>(T*) {
    for (const BatchShape shape : all_shapes) {
      SCOPED_TRACE(testing::Message() << shape.n << "x" << shape.c << "x" << shape.l);
      const Problem<T> p = problem<T>(shape);
      const Result<T> r = run(of<T>(GetParam()), p);
      EXPECT_TRUE(r.finite);
      expect_exact(p, r);
      for (const std::int64_t offset : {0, 1}) {
        expect_same(run(of<T>(GetParam()), p, {.offset = offset, .scratch = offset == 1}), run(of<T>(reference()), p));
      }
    }
  });
}

TEST_P(BatchNormKernels, EvaluationIsExactAndEqualEverywhere) {
  for_both_widths([&]<class T>(T*) {
    for (const BatchShape shape : all_shapes) {
      SCOPED_TRACE(testing::Message() << shape.n << "x" << shape.c << "x" << shape.l);
      const Problem<T> p = problem<T>(shape);
      const Options evaluation{.training = false};
      expect_exact(p, run(of<T>(GetParam()), p, evaluation), evaluation);
      expect_same(run(of<T>(GetParam()), p, evaluation), run(of<T>(reference()), p, evaluation));
    }
  });
}

TEST_P(BatchNormKernels, WeightAndBiasMayBeMissing) {
  for (const BatchShape shape : {BatchShape{33, 17}, BatchShape{5, 7, 17}}) {
    const Problem<float> p = problem(shape);
    for (const bool training : {true, false}) {
      const Options options{.affine = false, .training = training};
      expect_exact(p, run(table, p, options), options);
    }
  }
}

TEST_P(BatchNormKernels, StaysExactFarFromZero) {
  for_both_widths([&]<class T>(T*) {
    for (const auto& [mean, std] :
         {std::pair{100.0, 1.0}, {1e4, 1.0}, {1e6, 1.0}, {1000.0, 1e-2}, {1.0, 1e-3}, {0.0, 1e15}}) {
      SCOPED_TRACE(testing::Message() << "mean " << mean << ", standard deviation " << std);
      for (const BatchShape shape : {BatchShape{64, 19}, BatchShape{18, 260}, BatchShape{16, 5, 50}}) {
        const Problem<T> p = problem<T>(shape, mean, std);
        const Result<T> r = run(of<T>(GetParam()), p);
        expect_exact(p, r);
        expect_same(r, run(of<T>(reference()), p));
      }
    }
  });
}

TEST_P(BatchNormKernels, OneChannelFarFromZeroLeavesItsNeighboursAlone) {
  const BatchShape shape{40, 33};
  Problem<float> centered = problem(shape), mixed = centered;
  for (std::int64_t i = 20; i < mixed.size(); i += shape.c) mixed.x[i] += 1e5f;
  expect_exact(mixed, run(table, mixed));
  expect_same(run(table, mixed), run(plain, mixed));
}

TEST_P(BatchNormKernels, ConstantChannelHasVarianceZeroAndNoGradientOfWeight) {
  for_both_widths([&]<class T>(T*) {
    for (const BatchShape shape : {BatchShape{37, 18}, BatchShape{7, 3, 11}}) {
      for (const T value : {T(0.1), T(1e6), T(0), T(1e-12)}) {
        Problem<T> p = problem<T>(shape);
        each_of_channel(shape, 2, [&](std::int64_t i) { p.x[i] = value; });
        const Result<T> r = run(of<T>(GetParam()), p);
        EXPECT_EQ(r.mean[2], static_cast<double>(value));
        EXPECT_EQ(r.var[2], 0);
        EXPECT_EQ(r.dweight[2], 0);
        each_of_channel(shape, 2, [&](std::int64_t i) { EXPECT_EQ(r.y[i], p.bias[2]); });
      }
    }
  });
}

TEST_P(BatchNormKernels, ElementEqualToTheMeanBecomesExactlyZero) {
  Problem<float> p{{3, 5}, {}, normal(15, 2), {}, {}};
  for (int i = 0; i < 15; ++i) p.x.push_back(static_cast<float>(i));
  const Result<float> r = run(table, p, {.affine = false});
  for (int c = 0; c < 5; ++c) EXPECT_EQ(r.y[5 + c], 0);
}

TEST_P(BatchNormKernels, NoVarianceAndNoEpsMeansNoDivisionByZero) {
  const float x[] = {2, 2, 2, 1, 2, 3};  // (2, 3), channels 0 and 2 vary
  float y[6];
  double mean[3], var[3], rstd[3];
  EXPECT_TRUE(table.batch_norm({{2, 3}, y, x, nullptr, nullptr, mean, var, rstd, 0, false}, 0, 3, nullptr));
  EXPECT_EQ(rstd[1], 0);
  EXPECT_EQ(y[1], 0);
  EXPECT_EQ(rstd[0], 2);
}

TEST_P(BatchNormKernels, RunningBuffersGiveTheConstantsOfEvaluation) {
  for (const std::int64_t c : usual_lengths) {
    const std::vector<float> mean = normal(c, 1), var = normal(c, 2, 20);
    const auto constants = [&](const Kernels<float>& t, double eps) {
      Guarded<double> m(c, 1), v(c, 2), rstd(c, 3);
      EXPECT_TRUE(t.batch_norm_running(
          {{1, c}, nullptr, nullptr, nullptr, nullptr, m.data(), v.data(), rstd.data(), eps}, mean.data(), var.data()));
      for (std::int64_t i = 0; i < c; ++i) {
        EXPECT_EQ(m[i], mean[i]);
        EXPECT_EQ(v[i], var[i]);
        EXPECT_EQ(rstd[i], 1 / std::sqrt(v[i] + eps));
      }
      return rstd.values();
    };
    for (const double eps : {1e-5, -1.0}) EXPECT_EQ(constants(table, eps), constants(plain, eps)) << c;
  }
}

TEST_P(BatchNormKernels, ReportsRunningVariancesThatHaveNoRoot) {
  for (const std::int64_t c : {1, 16, 19, 40}) {
    for (const float bad : {-0.5F, NAN}) {
      std::vector<float> mean = normal(c, 1), var = normal(c, 2, 20);
      std::vector<double> m(mean.size()), v(m), rstd(m);
      var.back() = bad;
      EXPECT_FALSE(
          table.batch_norm_running({{1, c}, nullptr, nullptr, nullptr, nullptr, m.data(), v.data(), rstd.data(), 1e-5},
                                   mean.data(), var.data()));
      EXPECT_TRUE(std::isnan(rstd.back()));
    }
  }
}

TEST_P(BatchNormKernels, SquaresBeyondFloatDoNotOverflow) {
  Problem<float> p = problem({64, 5}, 0, 1e30);
  const Result<float> r = run(table, p);
  EXPECT_TRUE(r.finite);
  expect_exact(p, r);
}

TEST_P(BatchNormKernels, ReportsStatisticsThatAreNotFinite) {
  for (const BatchShape shape : {BatchShape{9, 20}, BatchShape{3, 4, 5}}) {
    for (const float bad : {NAN, INFINITY, -INFINITY}) {
      Problem<float> p = problem(shape);
      p.x[static_cast<std::size_t>(p.size()) - 2] = bad;
      EXPECT_FALSE(run(table, p).finite) << bad;
    }
  }
}

TEST_P(BatchNormKernels, GradientMayReplaceItsOperand) {
  for_both_widths([&]<class T>(T*) {
    for (const BatchShape shape : {BatchShape{33, 17}, BatchShape{300, 280}, BatchShape{5, 7, 17}}) {
      const Problem<T> p = problem<T>(shape);
      for (const bool training : {true, false}) {
        expect_same(run(of<T>(GetParam()), p, {.training = training, .in_place = true}),
                    run(of<T>(GetParam()), p, {.training = training}));
      }
    }
  });
}

TEST_P(BatchNormKernels, StreamingChangesNoBit) {
  for_both_widths([&]<class T>(T*) {
    for (const BatchShape shape : {BatchShape{33, 48}, BatchShape{5, 7, 32}}) {
      const Problem<T> p = problem<T>(shape);
      for (const bool training : {true, false}) {
        expect_same(run(of<T>(GetParam()), p, {.training = training, .stream = true}),
                    run(of<T>(GetParam()), p, {.training = training}));
      }
    }
  });
}

TEST_P(BatchNormKernels, ComputesOnlyTheGradientsAskedFor) {
  for (const BatchShape shape : {BatchShape{33, 17}, BatchShape{5, 7, 17}}) {
    const Problem<float> p = problem(shape);
    const Result<float> all = run(table, p);
    std::vector<float> dx(p.x.size()), dweight(p.weight.size());
    std::vector<double> sums(3 * p.weight.size());
    BatchNormBackward<float> pass{shape,      nullptr,         dweight.data(),  nullptr,        p.dy.data(),
                                  p.x.data(), p.weight.data(), all.mean.data(), all.var.data(), all.rstd.data(),
                                  true,       false,           sums.data()};
    table.batch_norm_backward(pass, 0, shape.c, nullptr);
    EXPECT_TRUE(same_bits(dweight, all.dweight));
    pass.dx = dx.data(), pass.dweight = nullptr;
    table.batch_norm_backward(pass, 0, shape.c, nullptr);
    EXPECT_TRUE(same_bits(dx, all.dx));
  }
}

using BatchNormThreads = Threaded;

TEST_F(BatchNormThreads, TwoPassesOverALargeArrayGiveTheBitsOfOne) {
  set_num_threads(2);
  for_both_widths([&]<class T>(T*) {
    const auto& kernels = gradus::kernels::table<nn::kernels::Table>().of<T>();
    const Problem<T> p = problem<T>({280, 1000});
    ASSERT_TRUE(nn::kernels::in_two_passes<T>(p.shape));
    for (const bool training : {true, false}) {
      expect_same(run(kernels, p, {.training = training}), run(kernels, p, {.training = training, .on_threads = true}));
    }
  });
}

TEST_F(BatchNormThreads, ChangeNoBit) {
  using namespace nn::kernels;
  for (const BatchShape shape : {BatchShape{1500, 200}, BatchShape{30, 2500}, BatchShape{30, 77, 100}}) {
    const std::int64_t n = shape.n * shape.c * shape.l, c = shape.c;
    const std::vector<float> x = normal(n, 6), dy = normal(n, 7), weight = normal(c, 8), bias = normal(c, 9);
    std::vector<double> mean(static_cast<std::size_t>(c)), var = mean, rstd = mean;
    std::vector<float> y(x.size());
    BatchNormForward<float> forward{shape,       y.data(),   x.data(),    weight.data(), bias.data(),
                                    mean.data(), var.data(), rstd.data(), 1e-5};
    expect_equal("batch_norm", [&] {
      std::vector<float> out(x.size() * 4 + weight.size() * 4);
      forward.y = out.data();
      float *dx = out.data() + n, *dw = dx + n, *db = dw + c;
      EXPECT_TRUE(batch_norm(forward));
      BatchNormBackward<float> backward{shape,         dx,          dw,         db,          dy.data(), x.data(),
                                        weight.data(), mean.data(), var.data(), rstd.data(), true};
      batch_norm_backward(backward);
      forward.y = db + c;
      batch_norm_apply(forward);
      backward.dx = forward.y + n, backward.dweight = backward.dx + n, backward.dbias = backward.dweight + c;
      backward.batch_statistics = false;
      batch_norm_backward(backward);
      return out;
    });
    std::vector<float> bad = x;
    bad[0] = NAN;
    forward.x = bad.data(), forward.y = y.data();
    EXPECT_FALSE(batch_norm(forward));
  }
}

}  // namespace
}  // namespace gradus::test
