// cumsum along lines that are taken together and along the rest of them.
#include "tensors.hpp"

#include <gradus/core/parallel.hpp>

namespace gradus::test {
namespace {

TEST(Scan, CumsumOfAnyNumberOfLines) {
  Generator generator(6);
  for (const Dtype dtype : {float32, float64, int64}) {
    for (std::int64_t rows = 0; rows < 10; ++rows) {
      const Tensor x = (randn({2, rows, 131}, float32, generator) * 8).to(dtype);
      for (const int dim : {0, 1, 2}) {
        const Tensor y = x.cumsum(dim);
        Tensor sum = x.select(dim, 0).to(dtype == int64 ? int64 : float64) * 0;
        for (std::int64_t i = 0; rows > 0 && i < x.shape()[dim]; ++i) {
          sum = sum + x.select(dim, i);
          expect_tensor(y.select(dim, i), sum.to(dtype));
        }
        if (rows == 0) break;
      }
    }
  }
}

TEST(Scan, CumsumHasItsDerivatives) {
  for (const int dim : {0, 1, 2}) {
    expect_derivative([dim](const Tensor& x) { return x.cumsum(dim).square(); }, leaf({2, 5, 3}));
  }
}

TEST(Scan, TheNumberOfThreadsDoesNotMatter) {
  Generator generator(7);
  const Tensor x = randn({150, 2503}, float32, generator);  // several panels of columns
  const int threads = get_num_threads();
  set_num_threads(1);
  const Tensor rows = x.cumsum(1), columns = x.cumsum(0);
  expect_tensor(columns, x.t().cumsum(1).t());
  set_num_threads(3);
  expect_tensor(x.cumsum(1), rows);
  expect_tensor(x.cumsum(0), columns);
  set_num_threads(threads);
}

}  // namespace
}  // namespace gradus::test
