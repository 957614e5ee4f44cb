// Products on every instruction set.
#include "kernel_support.hpp"

namespace gradus::test {
namespace {

class Product : public testing::TestWithParam<Isa> {};
INSTANTIATE_TEST_SUITE_P(EveryIsa, Product, testing::ValuesIn(isas()));

TEST_P(Product, OfMatrixAndVector) {
  for_both_widths([&]<class T>(T*) {
    for (const std::int64_t rows : {0, 1, 3, 4, 5, 11}) {
      for (const std::int64_t cols : usual_lengths) {
        const std::vector<T> w = normal<T>(rows * cols, 10), x = normal<T>(cols, 11), bias = normal<T>(rows, 12);
        for (const T* b : {static_cast<const T*>(nullptr), bias.data()}) {
          Guarded<T> y(rows, 1);
          kernels_of<T>(GetParam()).gemv(y.data(), w.data(), x.data(), b, rows, cols);
          for (std::int64_t i = 0; i < rows; ++i) {
            long double exact = b ? b[i] : 0, size = 1;
            for (std::int64_t j = 0; j < cols; ++j) {
              exact += static_cast<long double>(w[i * cols + j]) * static_cast<long double>(x[j]);
              size += std::fabs(static_cast<long double>(w[i * cols + j] * x[j]));
            }
            const double epsilon = 4 * static_cast<double>(std::numeric_limits<T>::epsilon());
            EXPECT_NEAR(y[i], static_cast<double>(exact), epsilon * static_cast<double>(size)) << rows << "x" << cols;
          }
        }
      }
    }
  });
}

TEST_P(Product, OfMatrices) {
  for_both_widths([&]<class T>(T*) {
    for (const std::int64_t m : {1, 2, 5, 7, 8, 13, 16, 37}) {
      for (const std::int64_t n : {1, 3, 4, 5, 16, 17, 33}) {
        for (const std::int64_t k : {0, 1, 20, 257}) {
          const std::vector<T> a = normal<T>(m * k, 1), b = normal<T>(k * n, 2), bias = normal<T>(n, 3);
          for (const int transposed : {0, 1, 2, 3}) {
            SCOPED_TRACE(testing::Message() << m << "x" << n << "x" << k << ", transposed " << transposed);
            const bool ta = transposed & 1, tb = transposed & 2;
            Guarded<T> c(m * n, 1);
            kernels_of<T>(GetParam())
                .matmul({ta, tb, m, n, k, a.data(), ta ? m : k, b.data(), tb ? k : n, bias.data(), c.data(), n});
            for (std::int64_t i = 0; i < m; ++i) {
              for (std::int64_t j = 0; j < n; ++j) {
                double exact = static_cast<double>(bias[j]), size = 1 + std::fabs(exact);
                for (std::int64_t q = 0; q < k; ++q) {
                  const double term = static_cast<double>(ta ? a[q * m + i] : a[i * k + q]) *
                                      static_cast<double>(tb ? b[j * k + q] : b[q * n + j]);
                  exact += term, size += std::fabs(term);
                }
                ASSERT_NEAR(c[i * n + j], exact, 4 * static_cast<double>(std::numeric_limits<T>::epsilon()) * size);
              }
            }
          }
        }
      }
    }
  });
}

}  // namespace
}  // namespace gradus::test
