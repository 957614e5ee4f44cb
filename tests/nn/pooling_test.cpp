// Pooling where a window holds nothing of x. Values of the usual windows are those of the fixtures.
#include "errors.hpp"
#include "tensors.hpp"

#include <gradus/nn/pooling.hpp>

namespace gradus::test {
namespace {

namespace F = nn::functional;

// As PyTorch: a window of two elements, `dilation` apart, that begins before x and ends behind it.
TEST(Pooling, TheMaximumOfPaddingAloneIsMinusInfinity) {
  const Tensor one = tensor({{5.}, {-2.}}), two = tensor({{5., 7.}, {8., -2.}});
  const auto pool = [](std::int64_t dilation) {
    return [=](const Tensor& x) { return F::max_pool1d(x, 2, {.stride = 1, .padding = 1, .dilation = dilation}); };
  };
  expect_tensor(pool(2)(one), tensor({{-inf}, {-inf}}));
  expect_tensor(pool(3)(two), tensor({{-inf}, {-inf}}));
  expect_tensor(pool(2)(two), tensor({{7., 5.}, {-2., 8.}}));
  expect_tensor(gradient(pool(2), one), zeros({2, 1}));
  expect_tensor(gradient(pool(3), two), zeros({2, 2}));
  expect_tensor(pool(2)(tensor({{nan}}).requires_grad_()), tensor({{-inf}}));
  expect_error<RuntimeError>("max_pool1d: Expected 2D or 3D (batch mode) tensor", [&] { pool(1)(zeros({1, 2, 0})); });
}

}  // namespace
}  // namespace gradus::test
