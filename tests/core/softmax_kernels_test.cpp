// softmax, log_softmax and their derivatives on every instruction set, along short and long rows.
#include "exact_softmax.hpp"

namespace gradus::test {
namespace {

class SoftmaxKernels : public testing::TestWithParam<Isa> {
 protected:
  /// One of the kernels along rows.
  template <class T>
  std::vector<T> run(typename kernels::Kernels<T>::Rows* kernels::Kernels<T>::*kernel, const std::vector<T>& x,
                     std::int64_t rows, std::int64_t cols, Isa isa) const {
    Guarded<T> y(rows * cols, 1);
    Guarded<double> scratch(cols, 1);
    (kernels_of<T>(isa).*kernel)(y.data(), x.data(), rows, cols, scratch.data());
    return y.values();
  }
  template <class T>
  std::vector<T> run(typename kernels::Kernels<T>::RowsBackward* kernels::Kernels<T>::*kernel, const std::vector<T>& dy,
                     const std::vector<T>& y, std::int64_t rows, std::int64_t cols, Isa isa) const {
    Guarded<T> dx(rows * cols, 2);
    (kernels_of<T>(isa).*kernel)(dx.data(), dy.data(), y.data(), rows, cols);
    return dx.values();
  }
};
INSTANTIATE_TEST_SUITE_P(EveryIsa, SoftmaxKernels, testing::ValuesIn(isas()));

TEST_P(SoftmaxKernels, FloatsAreRoundedOnceAndDoublesAfterTheMaximum) {
  for_both_widths([&]<class T>(T*) {
    using K = kernels::Kernels<T>;
    const bool once = sizeof(T) == 4;
    for (const auto& [rows, cols] : matrix_sizes) {
      const std::vector<T> x = normal<T>(rows * cols, 4, 0, 4);
      const ExactSoftmax exact = exact_softmax(x, rows, cols);
      const std::vector<T> y = run<T>(&K::softmax, x, rows, cols, GetParam());
      const std::vector<T> log_y = run<T>(&K::log_softmax, x, rows, cols, GetParam());
      for (std::size_t i = 0; i < x.size(); ++i) {
        // A double x - maximum is rounded, by up to 2^-53 of it, and with it y: that many units of y, in the worst
        // case.
        const double units = once ? 0.51 : 3 + static_cast<double>(exact.distance[i]);
        EXPECT_LE(ulps(y[i], exact.softmax[i]), units) << rows << "x" << cols;
        EXPECT_NEAR(log_y[i], static_cast<double>(exact.log_softmax[i]),
                    once ? 1e-9 + 6e-8 * std::fabs(log_y[i]) : 1e-15 * (1 + std::fabs(log_y[i])));
      }
    }
  });
}

TEST_P(SoftmaxKernels, LargeEqualAndInfiniteLogits) {
  const float inf = INFINITY;
  const std::vector<float> rows[] = {
      {1e30f, 1e30f, -1e30f}, {3e38f, -inf, 3e38f}, {0, inf, 0}, {NAN, 0, 0}, {-inf, -inf, -inf}};
  const std::vector<float> expected[] = {
      {0.5f, 0.5f, 0}, {0.5f, 0, 0.5f}, {NAN, NAN, NAN}, {NAN, NAN, NAN}, {NAN, NAN, NAN}};
  for (const std::int64_t cols : {3, 35}) {  // a short row, and a long one, filled up with what has no share
    for (std::size_t i = 0; i < std::size(rows); ++i) {
      std::vector<float> x = rows[i], y = expected[i];
      x.resize(static_cast<std::size_t>(cols), -inf);
      y.resize(static_cast<std::size_t>(cols), y[0] == y[0] ? 0 : NAN);
      EXPECT_TRUE(same_bits(run<float>(&kernels::Kernels<float>::softmax, x, 1, cols, GetParam()), y))
          << "infinity minus infinity is NaN, as in PyTorch: row " << i << " of " << cols;
    }
  }
}

TEST_P(SoftmaxKernels, LogSumExpOfNothingIsMinusInfinityWhateverCameBefore) {
  for_both_widths([&]<class T>(T*) {
    for (const T before : {std::numeric_limits<T>::infinity(), std::numeric_limits<T>::quiet_NaN()}) {
      const std::vector<T> x(48, before);
      double y[3] = {};
      kernels_of<T>(GetParam()).log_sum_exp(y, x.data(), 3, 15);
      kernels_of<T>(GetParam()).log_sum_exp(y, x.data(), 3, 0);
      for (const double v : y) EXPECT_EQ(v, -std::numeric_limits<double>::infinity());
    }
  });
}

TEST_P(SoftmaxKernels, Backward) {
  for_both_widths([&]<class T>(T*) {
    using K = kernels::Kernels<T>;
    const double tolerance = sizeof(T) == 4 ? 1e-6 : 1e-13;
    for (const auto& [rows, cols] : matrix_sizes) {
      const std::vector<T> x = normal<T>(rows * cols, 5), dy = normal<T>(rows * cols, 6);
      const std::vector<T> y = run<T>(&K::softmax, x, rows, cols, GetParam());
      const std::vector<T> log_y = run<T>(&K::log_softmax, x, rows, cols, GetParam());
      const std::vector<T> dx = run<T>(&K::softmax_backward, dy, y, rows, cols, GetParam());
      const std::vector<T> log_dx = run<T>(&K::log_softmax_backward, dy, log_y, rows, cols, GetParam());
      for (std::int64_t i = 0; i < rows; ++i) {
        long double dot = 0, total = 0;
        for (std::int64_t j = i * cols; j < (i + 1) * cols; ++j) {
          dot += static_cast<long double>(dy[j]) * static_cast<long double>(y[j]);
          total += static_cast<long double>(dy[j]);
        }
        for (std::int64_t j = i * cols; j < (i + 1) * cols; ++j) {
          EXPECT_NEAR(dx[j], static_cast<double>((dy[j] - dot) * y[j]), tolerance / 10);
          EXPECT_NEAR(log_dx[j], static_cast<double>(dy[j] - std::exp(static_cast<long double>(log_y[j])) * total),
                      tolerance);
        }
      }
    }
  });
}

TEST_P(SoftmaxKernels, LogSoftmaxBackwardHasNoMinusZeroWhereAFloatUnderflows) {
  for (const std::int64_t cols : {4, 40}) {
    std::vector<float> y(static_cast<std::size_t>(cols), -INFINITY), dy(y.size(), 0), zeros = dy;
    y[0] = 0, y[1] = -200, y[2] = -104.5f, dy[0] = 1;
    EXPECT_TRUE(
        same_bits(run<float>(&kernels::Kernels<float>::log_softmax_backward, dy, y, 1, cols, GetParam()), zeros));
  }
}

TEST_P(SoftmaxKernels, HaveTheSameBitsAsPlain) {
  for_both_widths([&]<class T>(T*) {
    using K = kernels::Kernels<T>;
    for (const auto& [rows, cols] : matrix_sizes) {
      for (const std::vector<T>& x : {awkward<T>(rows * cols, 8), normal<T>(rows * cols, 8)}) {
        const std::vector<T> dy = normal<T>(rows * cols, 9);
        for (const auto kernel : {&K::softmax, &K::log_softmax}) {
          EXPECT_TRUE(same_bits(run<T>(kernel, x, rows, cols, GetParam()), run<T>(kernel, x, rows, cols, reference())));
        }
        for (const auto kernel : {&K::softmax_backward, &K::log_softmax_backward}) {
          EXPECT_TRUE(
              same_bits(run<T>(kernel, dy, x, rows, cols, GetParam()), run<T>(kernel, dy, x, rows, cols, reference())));
        }
      }
    }
  });
}

}  // namespace
}  // namespace gradus::test
