// Sums on every instruction set: how much rounding they lose, the same bits everywhere.
#include "kernel_support.hpp"

namespace gradus::test {
namespace {

using kernels::Total;

class Sums : public testing::TestWithParam<Isa> {
 protected:
  template <class T>
  Total sum(const std::vector<T>& x, Isa isa) const {
    return kernels_of<T>(isa).sum(x.data(), static_cast<std::int64_t>(x.size()), 1, 0);
  }
  template <class T>
  std::vector<T> column_sums(const std::vector<T>& x, std::int64_t rows, std::int64_t cols, Isa isa,
                             double divisor = 1) const {
    Guarded<T> y(cols, 1);
    kernels_of<T>(isa).column_sums(y.data(), x.data(), rows, cols, 0, cols, divisor);
    return y.values();
  }
};
INSTANTIATE_TEST_SUITE_P(EveryIsa, Sums, testing::ValuesIn(isas()));

template <class T>
long double exact_sum(const std::vector<T>& x) {
  long double exact = 0;
  for (const T v : x) exact += static_cast<long double>(v);
  return exact;
}

TEST_P(Sums, LoseNothingThatShows) {
  for_both_widths([&]<class T>(T*) {
    for (const std::int64_t n : {0, 1, 3, 15, 16, 17, 33, 257, 1000, 100'000}) {
      const std::vector<T> x = normal<T>(n, 1, 1e6);
      const Total total = sum(x, GetParam()), plain = sum(x, reference());
      EXPECT_NEAR(total.sum + total.lost, static_cast<double>(exact_sum(x)), 1e-15 * 1e6 * static_cast<double>(n));
      EXPECT_EQ(total.sum, plain.sum) << "bits differ from plain";
      EXPECT_EQ(total.lost, plain.lost);
    }
  });
}

TEST_P(Sums, FewDoublesAreAddedExactly) {
  const std::vector<double> x{1e16, 1, 1, 1, -1e16, 1e-3};
  const Total total = sum(x, GetParam());
  EXPECT_EQ(total.sum + total.lost, 3.001);
  const std::vector<float> floats{1e8f, 1.0f, -1e8f, 1e-3f};
  EXPECT_EQ(sum(floats, GetParam()).sum, 1.0 + static_cast<double>(1e-3f));
}

TEST_P(Sums, OfColumnsAreRoundedOnce) {
  for_both_widths([&]<class T>(T*) {
    for (const std::int64_t cols : {1, 3, 16, 17, 300}) {
      for (const std::int64_t rows : {1, 7, 8, 37}) {
        const std::vector<T> x = normal<T>(rows * cols, 2, 10);
        const std::vector<T> y = column_sums(x, rows, cols, GetParam()),
                             thirds = column_sums(x, rows, cols, GetParam(), 3);
        for (std::int64_t j = 0; j < cols; ++j) {
          std::vector<T> column;
          for (std::int64_t i = 0; i < rows; ++i) column.push_back(x[i * cols + j]);
          EXPECT_LE(ulps(y[j], exact_sum(column)), sizeof(T) == 4 ? 0.501 : 2)
              << rows << "x" << cols << ", column " << j;
          EXPECT_LE(ulps(thirds[j], exact_sum(column) / 3), sizeof(T) == 4 ? 0.501 : 3);
        }
        EXPECT_TRUE(same_bits(y, column_sums(x, rows, cols, reference())));
      }
    }
  });
}

TEST_P(Sums, OfRowsAreTheSumsOfEach) {
  for_both_widths([&]<class T>(T*) {
    for (const std::int64_t cols : {1, 3, 16, 17, 300}) {
      const std::vector<T> x = normal<T>(5 * cols, 2, 10);
      Guarded<T> y(5, 1);
      kernels_of<T>(GetParam()).row_sums(y.data(), x.data(), 5, cols, 3);
      for (std::int64_t i = 0; i < 5; ++i) {
        const Total total = kernels_of<T>(GetParam()).sum(x.data() + i * cols, cols, 1, 0);
        EXPECT_EQ(y[i], static_cast<T>((total.sum + total.lost) / 3)) << cols << " columns, row " << i;
      }
    }
    Guarded<T> y(2, 1);
    const std::vector<T> x{INFINITY, 1, INFINITY, -INFINITY};
    kernels_of<T>(GetParam()).row_sums(y.data(), x.data(), 2, 2, 1);
    EXPECT_EQ(y[0], INFINITY);
    EXPECT_TRUE(std::isnan(y[1]));
  });
}

TEST_P(Sums, ProductsAndSquaresAreTheSameEverywhere) {
  for_both_widths([]<class T>(T*) {
    for (const std::int64_t n : {0, 1, 15, 16, 31, 32, 47, 257}) {
      const std::vector<T> x = normal<T>(n, 9, 1, 0.1);
      long double product = 1, squares = 0;
      for (const T v : x) product *= v, squares += static_cast<long double>(v) * v;
      const auto& kernels = kernels_of<T>(GetParam());
      const auto& plain = kernels_of<T>(reference());
      EXPECT_NEAR(kernels.product(x.data(), n) / static_cast<double>(product), 1, 1e-13) << n << " elements";
      EXPECT_NEAR(kernels.sum_of_squares(x.data(), n), static_cast<double>(squares), 1e-12);
      EXPECT_EQ(kernels.product(x.data(), n), plain.product(x.data(), n));
      EXPECT_EQ(kernels.sum_of_squares(x.data(), n), plain.sum_of_squares(x.data(), n));
    }
  });
}

TEST_P(Sums, OfRunsAreThoseOfAllTheirElements) {
  for_both_widths([&]<class T>(T*) {
    for (const std::int64_t runs : {1, 7, 8, 21}) {
      for (const std::int64_t n : {1, 5, 16, 40, 300}) {
        const std::int64_t apart = n + 3;
        const std::vector<T> x = normal<T>(runs * apart, 8, 1e6);
        std::vector<T> all;
        for (std::int64_t i = 0; i < runs * apart; ++i) {
          if (i % apart < n) all.push_back(x[i]);
        }
        const Total total = kernels_of<T>(GetParam()).sum(x.data(), n, runs, apart),
                    plain = kernels_of<T>(reference()).sum(x.data(), n, runs, apart);
        EXPECT_NEAR(total.sum + total.lost, static_cast<double>(exact_sum(all)),
                    1e-15 * 1e6 * static_cast<double>(all.size()));
        EXPECT_EQ(total.sum, plain.sum);
        EXPECT_EQ(total.lost, plain.lost);
      }
    }
  });
}

TEST_P(Sums, OfManyShortRowsAreTheSumsOfEach) {
  for_both_widths([&]<class T>(T*) {
    for (const std::int64_t cols : {1, 3, 15, 16, 17}) {
      std::vector<T> x = normal<T>(37 * cols, 2, 10);
      x[0] = INFINITY, x[x.size() - 1] = NAN;
      for (std::int64_t j = 0; j < cols; ++j) x[2 * cols + j] = T(-0.0);
      if (cols > 1) x[cols] = T(1e30), x[cols + 1] = T(-1e30);
      Guarded<T> y(37, 1);
      kernels_of<T>(GetParam()).row_sums(y.data(), x.data(), 37, cols, 3);
      for (std::int64_t i = 0; i < 37; ++i) {
        const Total total = kernels_of<T>(GetParam()).sum(x.data() + i * cols, cols, 1, 0);
        const double value = std::isfinite(total.lost) ? total.sum + total.lost : total.sum;
        EXPECT_TRUE(same_bits(y[i], static_cast<T>(value / 3))) << cols << " columns, row " << i;
      }
    }
  });
}

TEST_P(Sums, OfDeviations) {
  for_both_widths([&]<class T>(T*) {
    for (const std::int64_t n : {1, 15, 16, 33, 1000}) {
      const std::vector<T> x = normal<T>(n, 5, 3);
      long double sum = 0, squares = 0;
      for (const T v : x) {
        const auto d = static_cast<long double>(static_cast<double>(v) - 3.25);
        sum += d, squares += d * d;
      }
      const kernels::Deviations d = kernels_of<T>(GetParam()).deviations(x.data(), n, 3.25),
                                plain = kernels_of<T>(reference()).deviations(x.data(), n, 3.25);
      EXPECT_NEAR(d.sum.sum + d.sum.lost, static_cast<double>(sum), 4e-16 * static_cast<double>(squares + n));
      EXPECT_NEAR(d.squares.sum + d.squares.lost, static_cast<double>(squares), 4e-16 * static_cast<double>(squares));
      EXPECT_EQ(d.sum.sum, plain.sum.sum);
      EXPECT_EQ(d.squares.sum, plain.squares.sum);
      EXPECT_EQ(d.squares.lost, plain.squares.lost);
    }
  });
}

TEST_P(Sums, InfinitiesAndNaNStay) {
  for_both_widths([&]<class T>(T*) {
    const T inf = INFINITY;
    EXPECT_EQ(column_sums<T>({inf, 1, 2, 3, inf, 4}, 3, 2, GetParam()), (std::vector<T>{inf, 8}));
    EXPECT_TRUE(std::isnan(column_sums<T>({inf, -inf}, 2, 1, GetParam())[0]));
  });
}

TEST_P(Sums, OfARangeOfColumnsTouchNothingElse) {
  const std::vector<float> x = normal(5 * 64, 3);
  Guarded y(64);
  for (std::int64_t j = 0; j < 64; ++j) y[j] = 99;
  kernels_of<float>(GetParam()).column_sums(y.data(), x.data(), 5, 64, 16, 40, 1);
  for (std::int64_t j = 0; j < 64; ++j) EXPECT_EQ(y[j] == 99, j < 16 || j >= 40) << j;
}

}  // namespace
}  // namespace gradus::test
