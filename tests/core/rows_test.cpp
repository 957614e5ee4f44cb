// Sums, softmax, cross-entropy and products of a matrix and a vector on every instruction set.
#include "kernel_support.hpp"

namespace gradus::test {
namespace {

class Rows : public testing::TestWithParam<Isa> {
 protected:
  const Table& table = *kernels::table_for(GetParam());
  const Table& plain = *kernels::table_for(Isa::plain);
};
INSTANTIATE_TEST_SUITE_P(EveryIsa, Rows, testing::ValuesIn(isas()));

TEST_P(Rows, SumIsCarriedInDouble) {
  for (const std::int64_t n : kLengths) {
    const std::vector<float> x = normal(n, 1, 1000);
    long double exact = 0;
    for (const float v : x) exact += static_cast<long double>(v);
    const double sum = table.sum(x.data(), n);
    EXPECT_NEAR(sum, static_cast<double>(exact), 1e-15 * 1000 * static_cast<double>(n));
    EXPECT_EQ(sum, plain.sum(x.data(), n)) << "bits differ from plain";
  }
  const float cancelling[] = {1e8f, 1.0f, -1e8f, 1e-3f};
  EXPECT_EQ(table.sum(cancelling, 4), 1.0 + static_cast<double>(1e-3f));
}

TEST_P(Rows, ColumnSumsAreRoundedOnce) {
  for (const std::int64_t cols : kLengths) {
    const std::int64_t rows = 37;
    const std::vector<float> x = normal(rows * cols, 2, 10);
    Guarded y(cols, 1);
    table.column_sums(y.data(), x.data(), rows, cols, 0, cols);
    for (std::int64_t j = 0; j < cols; ++j) {
      long double exact = 0;
      for (std::int64_t i = 0; i < rows; ++i) exact += static_cast<long double>(x[i * cols + j]);
      EXPECT_LE(ulps(y[j], exact), 0.501) << cols << " columns, column " << j;
    }
  }
}

TEST_P(Rows, ColumnSumsOfARangeTouchNothingElse) {
  const std::vector<float> x = normal(5 * 64, 3);
  Guarded y(64);
  for (std::int64_t j = 0; j < 64; ++j) y[j] = 99;
  table.column_sums(y.data(), x.data(), 5, 64, 16, 40);
  for (std::int64_t j = 0; j < 64; ++j) EXPECT_EQ(y[j] == 99, j < 16 || j >= 40) << j;
}

struct Exact {
  std::vector<long double> softmax, log_softmax;
  std::vector<long double> logsumexp;
};
Exact exact_softmax(const std::vector<float>& x, std::int64_t rows, std::int64_t cols) {
  Exact e;
  for (std::int64_t i = 0; i < rows; ++i) {
    long double top = -INFINITY, total = 0;
    for (std::int64_t j = 0; j < cols; ++j) top = std::max<long double>(top, x[i * cols + j]);
    for (std::int64_t j = 0; j < cols; ++j) total += std::exp(static_cast<long double>(x[i * cols + j]) - top);
    e.logsumexp.push_back(top + std::log(total));
    for (std::int64_t j = 0; j < cols; ++j) {
      e.log_softmax.push_back(static_cast<long double>(x[i * cols + j]) - top - std::log(total));
      e.softmax.push_back(std::exp(e.log_softmax.back()));
    }
  }
  return e;
}

constexpr std::pair<std::int64_t, std::int64_t> kShapes[] = {{1, 1},  {1, 10},  {3, 2},  {16, 5},
                                                             {17, 3}, {33, 17}, {5, 100}};

TEST_P(Rows, SoftmaxIsRoundedOnce) {
  for (const auto& [rows, cols] : kShapes) {
    const std::vector<float> x = normal(rows * cols, 4, 0, 4);
    const Exact exact = exact_softmax(x, rows, cols);
    Guarded y(rows * cols, 1), log_y(rows * cols, 3);
    table.softmax(y.data(), x.data(), rows, cols);
    table.log_softmax(log_y.data(), x.data(), rows, cols);
    for (std::int64_t i = 0; i < rows * cols; ++i) {
      EXPECT_LE(ulps(y[i], exact.softmax[i]), 0.51) << rows << "x" << cols;
      EXPECT_NEAR(log_y[i], static_cast<double>(exact.log_softmax[i]), 1e-9 + 6e-8 * std::fabs(log_y[i]));
    }
  }
}

TEST_P(Rows, SoftmaxStandsLargeEqualAndInfiniteLogits) {
  const float x[] = {1e30f, 1e30f, -1e30f, 3e38f, -INFINITY, 3e38f, 0, INFINITY, 0, NAN, 0, 0};
  Guarded y(12);
  table.softmax(y.data(), x, 4, 3);
  EXPECT_TRUE(same_bits(y.values(), {0.5f, 0.5f, 0, 0.5f, 0, 0.5f, NAN, NAN, NAN, NAN, NAN, NAN}))
      << "infinity minus infinity is NaN, as in PyTorch";
}

TEST_P(Rows, LogSoftmaxBackwardHasNoMinusZeroWhereAFloatUnderflows) {
  const float y[] = {0, -200, -104.5f, -INFINITY}, dy[] = {1, 0, 0, 0};
  Guarded dx(4);
  table.log_softmax_backward(dx.data(), dy, y, 1, 4);
  EXPECT_TRUE(same_bits(dx.values(), {0, 0, 0, 0}));
}

TEST_P(Rows, SoftmaxBackward) {
  for (const auto& [rows, cols] : kShapes) {
    const std::int64_t n = rows * cols;
    const std::vector<float> x = normal(n, 5), dy = normal(n, 6);
    std::vector<float> y(x.size()), log_y(x.size());
    table.softmax(y.data(), x.data(), rows, cols);
    table.log_softmax(log_y.data(), x.data(), rows, cols);
    Guarded dx(n, 1), log_dx(n, 2);
    table.softmax_backward(dx.data(), dy.data(), y.data(), rows, cols);
    table.log_softmax_backward(log_dx.data(), dy.data(), log_y.data(), rows, cols);
    for (std::int64_t i = 0; i < rows; ++i) {
      long double dot = 0, total = 0;
      for (std::int64_t j = i * cols; j < (i + 1) * cols; ++j) {
        dot += static_cast<long double>(dy[j]) * static_cast<long double>(y[j]);
        total += static_cast<long double>(dy[j]);
      }
      for (std::int64_t j = i * cols; j < (i + 1) * cols; ++j) {
        EXPECT_NEAR(dx[j], static_cast<double>((dy[j] - dot) * y[j]), 1e-7);
        EXPECT_NEAR(log_dx[j], static_cast<double>(dy[j] - std::exp(static_cast<long double>(log_y[j])) * total), 1e-6);
      }
    }
  }
}

TEST_P(Rows, CrossEntropyBackwardIsSoftmaxMinusOneHot) {
  for (const auto& [rows, cols] : kShapes) {
    const std::vector<float> x = normal(rows * cols, 7, 0, 2);
    std::vector<std::int64_t> target;
    for (std::int64_t i = 0; i < rows; ++i) target.push_back(i % 4 == 3 ? -100 : (7 * i) % cols);
    const Exact exact = exact_softmax(x, rows, cols);
    Guarded<double> logsumexp(rows, 1);
    table.log_sum_exp(logsumexp.data(), x.data(), rows, cols);
    Guarded dx(rows * cols, 1);
    table.cross_entropy_backward(dx.data(), x.data(), {target.data(), rows, cols}, logsumexp.data(), 0.25);
    for (std::int64_t i = 0; i < rows; ++i) {
      EXPECT_NEAR(logsumexp[i], static_cast<double>(exact.logsumexp[i]), 1e-11);
      for (std::int64_t j = 0; j < cols; ++j) {
        const long double p = exact.softmax[i * cols + j] - (target[i] == j ? 1 : 0);
        const float got = dx[i * cols + j];
        EXPECT_NEAR(got, target[i] == -100 ? 0 : static_cast<double>(p / 4), 1e-11 + 6e-8 * std::fabs(got));
      }
    }
  }
}

TEST_P(Rows, RowKernelsHaveTheSameBitsAsPlain) {
  for (const auto& shape : kShapes) {
    const auto rows = shape.first, cols = shape.second;
    const std::int64_t n = rows * cols;
    const std::vector<float> x = awkward(n, 8), dy = normal(n, 9);
    std::vector<std::int64_t> target(static_cast<std::size_t>(rows), cols - 1);
    const auto all = [&](const Table& t) {
      std::vector<float> y(x.size() * 6);
      std::vector<double> lse(static_cast<std::size_t>(rows));
      t.softmax(y.data(), x.data(), rows, cols);
      t.log_softmax(y.data() + n, x.data(), rows, cols);
      t.softmax_backward(y.data() + 2 * n, dy.data(), x.data(), rows, cols);
      t.log_softmax_backward(y.data() + 3 * n, dy.data(), x.data(), rows, cols);
      t.log_sum_exp(lse.data(), dy.data(), rows, cols);
      t.cross_entropy_backward(y.data() + 4 * n, dy.data(), {target.data(), rows, cols}, lse.data(), 0.1);
      t.column_sums(y.data() + 5 * n, x.data(), rows, cols, 0, cols);
      return y;
    };
    EXPECT_TRUE(same_bits(all(table), all(plain))) << rows << "x" << cols;
  }
}

TEST_P(Rows, MatrixTimesVector) {
  for (const std::int64_t rows : {0, 1, 3, 4, 5, 11}) {
    for (const std::int64_t cols : kLengths) {
      const std::vector<float> w = normal(rows * cols, 10), x = normal(cols, 11), bias = normal(rows, 12);
      for (const float* b : {static_cast<const float*>(nullptr), bias.data()}) {
        Guarded y(rows, 1);
        table.gemv(y.data(), w.data(), x.data(), b, rows, cols);
        for (std::int64_t i = 0; i < rows; ++i) {
          long double exact = b ? b[i] : 0, size = 1;
          for (std::int64_t j = 0; j < cols; ++j) {
            exact += static_cast<long double>(w[i * cols + j]) * static_cast<long double>(x[j]);
            size += std::fabs(static_cast<long double>(w[i * cols + j] * x[j]));
          }
          EXPECT_NEAR(y[i], static_cast<double>(exact), 2e-7 * static_cast<double>(size)) << rows << "x" << cols;
        }
      }
    }
  }
}

}  // namespace
}  // namespace gradus::test
