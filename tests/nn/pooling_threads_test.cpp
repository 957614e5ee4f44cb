// Pooling on several threads gives the same bits as on one. Its values are those of the fixtures.
#include "tensors.hpp"

#include <gradus/core/parallel.hpp>
#include <gradus/nn/pooling.hpp>

namespace gradus::test {
namespace {

namespace F = nn::functional;

TEST(Pooling, TheNumberOfThreadsDoesNotMatter) {
  Generator generator(4);
  const Tensor x = randn({8, 40, 1001}, float32, generator);
  const auto pooled = [&] {
    const auto y = [](const Tensor& v) {
      return cat({F::avg_pool1d(v, 3, {.stride = 2}), F::max_pool1d(v, 3, {.stride = 2}), F::adaptive_avg_pool1d(v, 7)},
                 2);
    };
    return cat({y(x), gradient([&](const Tensor& v) { return y(v).square(); }, x)}, 2);
  };
  const int threads = get_num_threads();
  set_num_threads(1);
  const Tensor one = pooled();
  set_num_threads(3);
  const Tensor three = pooled();
  set_num_threads(threads);
  expect_tensor(three, one);
}

}  // namespace
}  // namespace gradus::test
