#include "errors.hpp"
#include "tensors.hpp"

#include <gtest/gtest.h>

namespace gradus::test {
namespace {

TEST(Reshape, SharesStorage) {
  Tensor x = arange(6);
  for (Tensor y : {x.reshape({2, 3}), x.view({3, 2}), x.reshape({2, 3}).flatten(), x.reshape({2, 1, 3}).squeeze(),
                   x.reshape({2, 1, 3}).squeeze(1), x.unsqueeze(0)}) {
    EXPECT_TRUE(y.shares_storage(x)) << y;
    const std::int64_t before = x[1].item<std::int64_t>();
    y.add_(1);
    EXPECT_EQ(x[1].item<std::int64_t>(), before + 1);
  }
}

TEST(Reshape, Values) {
  const Tensor x = arange(6);
  expect_tensor(x.reshape({2, 3}), tensor({{0, 1, 2}, {3, 4, 5}}));
  expect_tensor(x.view({3, -1}), tensor({{0, 1}, {2, 3}, {4, 5}}));
  expect_tensor(x.reshape({-1}), x);
  expect_tensor(x.reshape({-1, 1}).reshape({2, -1}), tensor({{0, 1, 2}, {3, 4, 5}}));
  expect_tensor(x.narrow(0, 5, 1).reshape({}), tensor(5));
  expect_tensor(tensor(5).reshape({1, 1}), tensor({{5}}));
  EXPECT_EQ(zeros({0, 3}).reshape(-1).shape(), Shape({0}));
  EXPECT_EQ(zeros({0, 3}).reshape({-1, 3}).shape(), Shape({0, 3}));
  EXPECT_EQ(zeros({0, 3}).reshape({5, 0}).shape(), Shape({5, 0}));
}

TEST(Reshape, Flatten) {
  const Tensor x = zeros({2, 3, 4, 5});
  EXPECT_EQ(x.flatten().shape(), Shape({120}));
  EXPECT_EQ(x.flatten(1).shape(), Shape({2, 60}));
  EXPECT_EQ(x.flatten(0, 1).shape(), Shape({6, 4, 5}));
  EXPECT_EQ(x.flatten(1, -2).shape(), Shape({2, 12, 5}));
  EXPECT_EQ(x.flatten(2, 2).shape(), x.shape());
  EXPECT_EQ(tensor(1.).flatten().shape(), Shape({1}));
  EXPECT_EQ(zeros({2, 0, 3}).flatten().shape(), Shape({0}));
}

TEST(Reshape, SqueezeAndUnsqueeze) {
  const Tensor x = zeros({1, 2, 1, 3});
  EXPECT_EQ(x.squeeze().shape(), Shape({2, 3}));
  EXPECT_EQ(x.squeeze(0).shape(), Shape({2, 1, 3}));
  EXPECT_EQ(x.squeeze(-2).shape(), Shape({1, 2, 3}));
  EXPECT_EQ(x.squeeze(1).shape(), x.shape());
  EXPECT_EQ(zeros({1, 1}).squeeze().shape(), Shape());
  EXPECT_EQ(tensor(1.).squeeze(0).shape(), Shape());
  EXPECT_EQ(zeros({2, 3}).unsqueeze(0).shape(), Shape({1, 2, 3}));
  EXPECT_EQ(zeros({2, 3}).unsqueeze(-1).shape(), Shape({2, 3, 1}));
  EXPECT_EQ(zeros({2, 3}).unsqueeze(-2).shape(), Shape({2, 1, 3}));
  EXPECT_EQ(tensor(1.).unsqueeze(-1).shape(), Shape({1}));
}

TEST(Reshape, Derivatives) {
  const Tensor x = leaf({2, 1, 3});
  expect_derivative([](const Tensor& v) { return square(v.reshape({3, 2})); }, x);
  expect_derivative([](const Tensor& v) { return square(v.view({-1})); }, x);
  expect_derivative([](const Tensor& v) { return square(v.flatten(1)); }, x);
  expect_derivative([](const Tensor& v) { return square(v.squeeze()); }, x);
  expect_derivative([](const Tensor& v) { return square(v.squeeze(1)); }, x);
  expect_derivative([](const Tensor& v) { return square(v.unsqueeze(-1)); }, x);
  expect_derivative([](const Tensor& v) { return v.reshape({1, 1}) * v.unsqueeze(0); }, leaf({}));
}

TEST(Reshape, AViewOfALeafLearns) {
  const Tensor x = arange(4.).requires_grad_();
  const Tensor y = x.reshape({2, 2});
  (y * y).sum().backward();
  expect_tensor(x.grad(), tensor({0., 2., 4., 6.}));
}

TEST(Reshape, AViewChangedThroughItsBaseIsRefused) {
  const Tensor x = arange(4.).requires_grad_();
  Tensor y = x * 1;
  const Tensor view = y.reshape({2, 2});
  y.mul_(2);
  expect_error<RuntimeError>("a view computed by ReshapeAliasBackward0 was changed in place",
                             [&] { (view * 1).sum(); });
}

TEST(Reshape, Errors) {
  const Tensor x = zeros({2, 3});
  expect_error<RuntimeError>("shape '[4]' is invalid for input of size 6", [&] { x.view(4); });
  expect_error<RuntimeError>("shape '[-1, 4]' is invalid for input of size 6", [&] { x.view({-1, 4}); });
  expect_error<RuntimeError>("shape '[4, -1]' is invalid for input of size 6", [&] { x.reshape({4, -1}); });
  expect_error<RuntimeError>("shape '[]' is invalid for input of size 6", [&] { x.reshape({}); });
  expect_error<RuntimeError>("shape '[0, -1]' is invalid for input of size 6", [&] { x.reshape({0, -1}); });
  expect_error<RuntimeError>("only one dimension can be inferred", [&] { x.view({-1, -1}); });
  expect_error<RuntimeError>("invalid shape dimension -2", [&] { x.view({-2, 3}); });
  expect_error<RuntimeError>(
      "cannot reshape tensor of 0 elements into shape [0, -1] because the unspecified dimension size -1 can be "
      "any value and is ambiguous",
      [] {
        zeros({0, 3}).view({0, -1});
      });
  expect_error<RuntimeError>("a tensor of shape [4611686018427387904, 4] has more elements", [&] {
    x.reshape({std::int64_t{1} << 62, 4});
  });
  expect_error<RuntimeError>("flatten() has invalid args: start_dim cannot come after end_dim",
                             [&] { x.flatten(1, 0); });
  expect_error<IndexError>("Dimension out of range (expected to be in range of [-2, 1], but got 2)",
                           [&] { x.flatten(2); });
  expect_error<IndexError>("Dimension out of range (expected to be in range of [-3, 2], but got 4)",
                           [&] { x.unsqueeze(4); });
  expect_error<IndexError>("Dimension out of range (expected to be in range of [-2, 1], but got 2)",
                           [&] { x.squeeze(2); });
  expect_error<RuntimeError>("a shape has at most 8 dimensions", [] { zeros({1, 1, 1, 1, 1, 1, 1, 1}).unsqueeze(0); });
}

}  // namespace
}  // namespace gradus::test
