// topk beside sort, which keeps the order of equal elements: few of many go another way than half of them.
#include <gradus/core/create.hpp>
#include <gradus/core/ops.hpp>
#include <gradus/core/random.hpp>

#include <gtest/gtest.h>

#include <cmath>

namespace gradus {
namespace {

TEST(Topk, IsTheBeginningOfSort) {
  manual_seed(4);
  Tensor x = randint(0, 30, {70, 67}).to(float32);  // with many equal elements
  x.data<float>()[5] = NAN, x.data<float>()[66] = NAN, x.data<float>()[7] = -INFINITY;
  for (const Dtype dtype : {float32, float64, int64}) {
    for (const std::int64_t dim : {0, 1}) {
      for (const bool largest : {true, false}) {
        for (const std::int64_t k : {0, 1, 3, 4, 5, 30}) {
          const Tensor from = x.to(dtype);
          const auto [values, indices] = topk(from, k, dim, largest);
          const auto sorted = sort(from, dim, largest);
          EXPECT_TRUE(equal(indices, sorted.indices.narrow(dim, 0, k))) << "k = " << k << ", dim = " << dim;
          const Tensor other = sorted.values.narrow(dim, 0, k);
          EXPECT_TRUE(equal(values.masked_fill(isnan(values), -7), other.masked_fill(isnan(other), -7)));
        }
      }
    }
  }
}

}  // namespace
}  // namespace gradus
