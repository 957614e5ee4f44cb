// Products of a matrix and a vector on every instruction set.
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

}  // namespace
}  // namespace gradus::test
