#include "errors.hpp"
#include "tensors.hpp"

#include <gtest/gtest.h>

namespace gradus::test {
namespace {

const Tensor& numbers() {
  static const Tensor x = arange(24).reshape({2, 3, 4});
  return x;
}

TEST(Index, Select) {
  const Tensor& x = numbers();
  expect_tensor(x[1], arange(12, 24).reshape({3, 4}));
  expect_tensor(x[-2], x[0]);
  expect_tensor(x[1][2][-1], tensor(23));
  expect_tensor(x.select(1, 2), tensor({{8, 9, 10, 11}, {20, 21, 22, 23}}));
  expect_tensor(x.select(-1, -4), tensor({{0, 4, 8}, {12, 16, 20}}));
  EXPECT_EQ(zeros({2, 0})[1].shape(), Shape({0}));
}

TEST(Index, RowsShareStorageOtherPartsAreCopies) {
  Tensor x = zeros({3, 2});
  EXPECT_TRUE(x[1].shares_storage(x));
  EXPECT_TRUE(x.narrow(0, 1, 2).shares_storage(x));
  EXPECT_FALSE(x.select(1, 0).shares_storage(x));
  EXPECT_FALSE(x.narrow(1, 0, 1).shares_storage(x));
  x[1].fill_(3);
  x[2][0].add_(7);
  expect_tensor(x, tensor({{0., 0.}, {3., 3.}, {7., 0.}}));
}

TEST(Index, Narrow) {
  const Tensor& x = numbers();
  expect_tensor(x.narrow(0, 1, 1), arange(12, 24).reshape({1, 3, 4}));
  expect_tensor(x.narrow(1, 1, 2), tensor({{{4, 5, 6, 7}, {8, 9, 10, 11}}, {{16, 17, 18, 19}, {20, 21, 22, 23}}}));
  expect_tensor(x.narrow(2, -2, 1), tensor({{{2}, {6}, {10}}, {{14}, {18}, {22}}}));
  EXPECT_EQ(x.narrow(1, 3, 0).shape(), Shape({2, 0, 4}));
  EXPECT_EQ(x.narrow(0, 0, 0).shape(), Shape({0, 3, 4}));
}

TEST(Index, IndexSelect) {
  const Tensor& x = numbers();
  const Tensor twice = tensor({2, 0, 2});
  expect_tensor(x.index_select(1, twice), stack({x.select(1, 2), x.select(1, 0), x.select(1, 2)}, 1));
  expect_tensor(x.index_select(-1, twice), stack({x.select(2, 2), x.select(2, 0), x.select(2, 2)}, 2));
  expect_tensor(x.index_select(0, tensor(1)), x.narrow(0, 1, 1));
  expect_tensor(tensor(3.).index_select(0, tensor({0})), tensor(3.));
  EXPECT_EQ(x.index_select(1, zeros({0}, int64)).shape(), Shape({2, 0, 4}));
  EXPECT_EQ(zeros({0, 3}).index_select(1, twice).shape(), Shape({0, 3}));
}

TEST(Index, Gather) {
  const Tensor x = tensor({{1., 2., 3.}, {4., 5., 6.}});
  expect_tensor(x.gather(1, tensor({{2, 0}, {1, 1}})), tensor({{3., 1.}, {5., 5.}}));
  expect_tensor(x.gather(0, tensor({{1, 0}})), tensor({{4., 2.}}));
  expect_tensor(x.gather(-1, tensor({{0, 1, 2, 2, 0}})), tensor({{1., 2., 3., 3., 1.}}));
  const Tensor& cube = numbers();
  expect_tensor(cube.gather(1, tensor({{{2, 0}, {1, 1}}, {{0, 2}, {2, 0}}})),
                tensor({{{8, 1}, {4, 5}}, {{12, 21}, {20, 13}}}));
  expect_tensor(tensor(3.).gather(0, tensor(0)), tensor(3.));
  EXPECT_EQ(x.gather(1, zeros({2, 0}, int64)).shape(), Shape({2, 0}));
}

TEST(Index, MaskedFill) {
  const Tensor x = tensor({{1., 2., 3.}, {4., 5., 6.}}), mask = tensor({true, false, true});
  expect_tensor(x.masked_fill(mask, -1), tensor({{-1., 2., -1.}, {-1., 5., -1.}}));
  expect_tensor(x.masked_fill(x > 4, 0.5), tensor({{1., 2., 3.}, {4., 0.5, 0.5}}));
  expect_tensor(tensor({1., 2.}).masked_fill(tensor({{true}, {false}}), nan), tensor({{nan, nan}, {1., 2.}}));
  expect_tensor(tensor({1, 2}).masked_fill(tensor({true, false}), 1.5), tensor({1, 2}));  // cut off, as PyTorch
  expect_tensor(tensor(1.).masked_fill(tensor(true), 2), tensor(2.));
  EXPECT_EQ(zeros({0, 3}).masked_fill(mask, 1).shape(), Shape({0, 3}));
  expect_tensor(x, tensor({{1., 2., 3.}, {4., 5., 6.}}));
}

// --- derivatives

TEST(Index, Derivatives) {
  const Tensor x = leaf({2, 3, 2});
  expect_derivative([](const Tensor& v) { return square(v[1]); }, x);
  expect_derivative([](const Tensor& v) { return v[0] * v[1][2]; }, x);
  for (const int dim : {0, 1, -1}) {
    expect_derivative([&](const Tensor& v) { return square(v.select(dim, 1)); }, x);
    expect_derivative([&](const Tensor& v) { return square(v.narrow(dim, 1, 1)); }, x);
    expect_derivative([&](const Tensor& v) { return square(v.index_select(dim, tensor({1, 0, 1}))); }, x);
  }
  expect_derivative([](const Tensor& v) { return square(v.narrow(1, 1, 2)); }, x);
  expect_derivative([](const Tensor& v) { return square(v.gather(1, tensor({{{2, 0}, {2, 2}}}))); }, x);
  expect_derivative(
      [](const Tensor& v) {
        return square(v.gather(0, tensor({{{1}, {0}}, {{1}, {1}}, {{0}, {1}}})));
      },
      x);
  expect_derivative([](const Tensor& v) { return v.gather(0, tensor(0)) * v.index_select(0, tensor({0})); }, leaf({}));
  expect_derivative([](const Tensor& v) { return square(v.masked_fill(tensor({true, false}), 3)); }, x);
  expect_derivative(
      [](const Tensor& v) {
        return square(v.masked_fill(tensor({{true}, {false}, {true}}), 3));
      },
      leaf({2}));
}

TEST(Index, RepeatedIndicesAddUp) {
  const Tensor x = tensor({1., 2., 3.});
  expect_tensor(gradient(
                    [](const Tensor& v) {
                      return v.index_select(0, tensor({2, 0, 2, 2}));
                    },
                    x),
                tensor({1., 0., 3.}));
  expect_tensor(gradient([](const Tensor& v) { return v.gather(0, tensor({1, 1})); }, x), tensor({0., 2., 0.}));
  expect_tensor(gradient([](const Tensor& v) { return v[0] + v[0] * v[2]; }, x), tensor({4., 0., 1.}));
}

TEST(Index, AnIndexMadeWrongUnseenIsNoticed) {
  for (const bool gathered : {false, true}) {
    const Tensor x = ones({4}).requires_grad_();
    Tensor index = tensor({0, 1});
    const Tensor y = gathered ? x.gather(0, index) : x.index_select(0, index);
    index.data<std::int64_t>()[1] = 99'999'999;
    expect_error<RuntimeError>("the index of index_select or gather was changed", [&] { y.sum().backward(); });
  }
}

TEST(Index, AChangedIndexIsNoticed) {
  const Tensor x = leaf({3});
  Tensor index = tensor({2, 0});
  const Tensor y = x.index_select(0, index);
  index.zero_();
  expect_error<RuntimeError>(
      "one of the variables needed for gradient computation has been modified by an inplace operation",
      [&] { y.sum().backward(); });
}

// --- errors

TEST(Index, ErrorsOfSelectAndNarrow) {
  const Tensor x = zeros({2, 3});
  expect_error<IndexError>("index 3 is out of bounds for dimension 0 with size 3", [] { zeros({3})[3]; });
  expect_error<IndexError>("index -3 is out of bounds for dimension 0 with size 2", [&] { x[-3]; });
  expect_error<IndexError>(
      "invalid index of a 0-dim tensor. Use `tensor.item()` in Python or `tensor.item<T>()` in C++ to convert a "
      "0-dim tensor to a number",
      [] { tensor(1.)[0]; });
  expect_error<IndexError>("select(): index 4 out of range for tensor of size [2, 3] at dimension 1",
                           [&] { x.select(1, 4); });
  expect_error<IndexError>("select() cannot be applied to a 0-dim tensor.", [] { tensor(1.).select(0, 0); });
  expect_error<IndexError>("Dimension out of range (expected to be in range of [-2, 1], but got 2)",
                           [&] { x.select(2, 0); });
  expect_error<RuntimeError>("start (1) + length (2) exceeds dimension size (2).", [&] { x.narrow(0, 1, 2); });
  expect_error<RuntimeError>("start (1) + length (2) exceeds dimension size (2).", [&] { x.narrow(0, -1, 2); });
  expect_error<RuntimeError>("start (0) + length (-1) exceeds dimension size (2).", [&] { x.narrow(0, 0, -1); });
  expect_error<RuntimeError>("start (1) + length (9223372036854775807) exceeds", [&] { x.narrow(0, 1, INT64_MAX); });
  expect_error<IndexError>("Dimension out of range (expected to be in range of [-2, 1], but got 3)",
                           [&] { x.narrow(0, 3, 0); });
  expect_error<RuntimeError>("narrow() cannot be applied to a 0-dim tensor.", [] { tensor(1.).narrow(0, 0, 1); });
}

TEST(Index, ErrorsOfIndexTensors) {
  const Tensor x = zeros({2, 3});
  expect_error<IndexError>("index out of range in self", [&] { x.index_select(0, tensor({4})); });
  expect_error<IndexError>("index out of range in self", [&] { x.index_select(0, tensor({-1})); });
  expect_error<RuntimeError>("index_select(): Expected dtype int32 or int64 for index",
                             [&] { x.index_select(0, tensor({0.})); });
  expect_error<IndexError>("index_select(): Index is supposed to be a vector",
                           [&] { x.index_select(0, tensor({{0}})); });
  expect_error<RuntimeError>("index 4 is out of bounds for dimension 1 with size 3",
                             [&] { x.gather(1, tensor({{4}})); });
  expect_error<RuntimeError>("index -1 is out of bounds for dimension 1 with size 3",
                             [&] { x.gather(1, tensor({{-1}})); });
  expect_error<RuntimeError>("gather(): Expected dtype int64 for index", [&] { x.gather(1, tensor({{0.}})); });
  expect_error<RuntimeError>("Index tensor must have the same number of dimensions as input tensor",
                             [&] { x.gather(1, tensor({0})); });
  expect_error<RuntimeError>(
      "Size does not match at dimension 0 expected index [3, 1] to be smaller than self [2, 3] apart from dimension 1",
      [&] {
        x.gather(1, zeros({3, 1}, int64));
      });
  expect_error<RuntimeError>(
      "The size of tensor a (4) must match the size of tensor b (3) at non-singleton dimension 1",
      [&] { static_cast<void>(x.masked_fill(zeros({4}, boolean), 1)); });
  expect_error<RuntimeError>("masked_fill only supports boolean masks, but got mask with dtype int64",
                             [&] { static_cast<void>(x.masked_fill(zeros({3}, int64), 1)); });
}

}  // namespace
}  // namespace gradus::test
