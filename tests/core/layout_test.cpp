// Transposes, choices, limits and extrema on every instruction set.
#include "kernel_support.hpp"

namespace gradus::test {
namespace {

class Layout : public testing::TestWithParam<Isa> {};
INSTANTIATE_TEST_SUITE_P(EveryIsa, Layout, testing::ValuesIn(isas()));

TEST_P(Layout, TransposeMovesEveryElementOnce) {
  for_both_widths([&]<class T>(T*) {
    for (const std::int64_t rows : {1, 3, 16, 33, 50}) {
      for (const std::int64_t cols : {1, 2, 16, 17, 64}) {
        const std::int64_t x_stride = cols + 3, y_stride = rows + 1;
        const std::vector<T> x = awkward<T>(rows * x_stride, 1);
        Guarded<T> y(cols * y_stride, 1);
        for (std::int64_t i = 0; i < cols * y_stride; ++i) y[i] = 99;
        kernels_of<T>(GetParam()).transpose(y.data(), y_stride, x.data(), x_stride, rows, cols);
        for (std::int64_t j = 0; j < cols; ++j) {
          for (std::int64_t i = 0; i < rows; ++i) {
            EXPECT_TRUE(same_bits(y[j * y_stride + i], x[i * x_stride + j])) << rows << "x" << cols;
          }
          EXPECT_EQ(y[j * y_stride + rows], 99) << "between the rows";
        }
      }
    }
  });
}

TEST_P(Layout, TransposeToRowsWholePagesApart) {
  for_both_widths([&]<class T>(T*) {
    constexpr std::int64_t rows = 150, y_stride = 4096 / sizeof(T);
    for (const std::int64_t cols : {1, 16, 37}) {
      const std::vector<T> x = awkward<T>(rows * cols, 1);
      Guarded<T> y(cols * y_stride, 1);
      for (std::int64_t i = 0; i < cols * y_stride; ++i) y[i] = 99;
      kernels_of<T>(GetParam()).transpose(y.data(), y_stride, x.data(), cols, rows, cols);
      for (std::int64_t i = 0; i < cols * y_stride; ++i) {
        const std::int64_t row = i % y_stride;
        EXPECT_TRUE(same_bits(y[i], row < rows ? x[row * cols + i / y_stride] : T(99))) << cols << " columns, " << i;
      }
    }
  });
}

TEST_P(Layout, WhereChoosesFromArraysAndNumbers) {
  for_both_widths([&]<class T>(T*) {
    for (const std::int64_t n : {1, 15, 16, 100}) {
      const std::vector<T> a = awkward<T>(n, 1), b = awkward<T>(n, 2);
      const auto chosen = std::make_unique<bool[]>(static_cast<std::size_t>(n));
      for (std::int64_t i = 0; i < n; ++i) chosen[static_cast<std::size_t>(i)] = i % 3 == 1;
      for (const std::int64_t step_a : {0, 1}) {
        for (const std::int64_t step_b : {0, 1}) {
          Guarded<T> y(n, 1);
          kernels_of<T>(GetParam()).where(y.data(), chosen.get(), a.data(), step_a, b.data(), step_b, n);
          for (std::int64_t i = 0; i < n; ++i) EXPECT_TRUE(same_bits(y[i], i % 3 == 1 ? a[i * step_a] : b[i * step_b]));
        }
      }
    }
  });
}

TEST_P(Layout, ConversionGivesTheNearest) {
  for_both_widths([&]<class T>(T*) {
    using Other = kernels::OtherWidth<T>;
    for (const std::int64_t n : usual_lengths) {
      const std::vector<T> x = awkward<T>(n, 4);
      Guarded<Other> y(n, 1);
      kernels_of<T>(GetParam()).convert(y.data(), x.data(), n);
      for (std::int64_t i = 0; i < n; ++i) EXPECT_TRUE(same_bits(y[i], static_cast<Other>(x[i]))) << x[i];
    }
  });
}

TEST_P(Layout, ClampKeepsNaN) {
  for_both_widths([&]<class T>(T*) {
    const std::vector<T> x = awkward<T>(100, 3);
    for (const auto& [low, high] : {std::pair<T, T>{-1, 1}, {-1, INFINITY}, {-INFINITY, 0.5}, {2, -2}}) {
      Guarded<T> y(100, 1);
      kernels_of<T>(GetParam()).clamp(y.data(), x.data(), low, high, 100);
      for (std::int64_t i = 0; i < 100; ++i) {
        T expected = x[i] < low ? low : x[i];
        expected = expected > high ? high : expected;
        EXPECT_TRUE(same_bits(y[i], expected)) << x[i];
      }
    }
  });
}

TEST_P(Layout, ExtremaAreTheFirstOfEqualOnesOrOfNaN) {
  for_both_widths([&]<class T>(T*) {
    const kernels::Kernels<T>& kernels = kernels_of<T>(GetParam());
    for (const std::int64_t n : {16, 17, 31, 32, 33, 100}) {
      for (std::uint32_t seed = 0; seed < 20; ++seed) {
        std::vector<T> x = normal<T>(n, seed);
        for (T& v : x) v = std::round(v * 2);
        EXPECT_EQ(kernels.argmax(x.data(), n), std::max_element(x.begin(), x.end()) - x.begin());
        EXPECT_EQ(kernels.argmin(x.data(), n), std::min_element(x.begin(), x.end()) - x.begin());
        const std::int64_t place = seed % n;
        x[place] = NAN, x.back() = NAN;
        EXPECT_EQ(kernels.argmax(x.data(), n), place);
        EXPECT_EQ(kernels.argmin(x.data(), n), place);
      }
      const std::vector<T> lowest(static_cast<std::size_t>(n), -INFINITY);
      EXPECT_EQ(kernels.argmax(lowest.data(), n), 0);
      EXPECT_EQ(kernels.argmin(lowest.data(), n), 0);
    }
  });
}

}  // namespace
}  // namespace gradus::test
