#include "errors.hpp"
#include "tensors.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace gradus::test {
namespace {

TEST(Copy, Permutations) {
  const Tensor x = arange(6).reshape({1, 2, 3});
  expect_tensor(x.permute({2, 0, 1}), tensor({{{0, 3}}, {{1, 4}}, {{2, 5}}}));
  expect_tensor(x.permute({-1, 1, 0}), tensor({{{0}, {3}}, {{1}, {4}}, {{2}, {5}}}));
  expect_tensor(x.transpose(1, 2), tensor({{{0, 3}, {1, 4}, {2, 5}}}));
  expect_tensor(x.transpose(-1, 0), x.permute({2, 1, 0}));
  expect_tensor(x.transpose(1, 1), x);
  expect_tensor(x[0].t(), tensor({{0, 3}, {1, 4}, {2, 5}}));
  expect_tensor(tensor({1, 2}).t(), tensor({1, 2}));
  expect_tensor(tensor(1).t(), tensor(1));
  expect_tensor(tensor(1).permute({}), tensor(1));
  expect_tensor(tensor(1).transpose(0, -1), tensor(1));
  EXPECT_EQ(zeros({0, 3, 2}).permute({1, 2, 0}).shape(), Shape({3, 2, 0}));
  EXPECT_FALSE(x.transpose(0, 0).shares_storage(x));
}

TEST(Copy, EveryPermutationMovesEveryElement) {
  const Shape shape{2, 3, 4, 5};
  const Tensor x = arange(120).reshape(shape);
  std::vector<std::int64_t> order{0, 1, 2, 3};
  do {
    const Tensor y = x.permute(Dims(order));
    for (std::int64_t i = 0; i < 120; i += 7) {
      std::int64_t at[4], rest = i;
      for (int d = 3; d >= 0; --d) {
        at[d] = rest % y.shape()[d];
        rest /= y.shape()[d];
      }
      Tensor element = x;
      for (int d = 0; d < 4; ++d) {  // index x in its own order of dimensions
        const auto of_y = std::find(order.begin(), order.end(), d) - order.begin();
        element = element[at[of_y]];
      }
      ASSERT_EQ(y.flatten()[i].item<std::int64_t>(), element.item<std::int64_t>()) << Dims(order) << i;
    }
  } while (std::next_permutation(order.begin(), order.end()));
}

TEST(Copy, Expand) {
  const Tensor x = tensor({{1}, {2}});
  expect_tensor(x.expand({2, 3}), tensor({{1, 1, 1}, {2, 2, 2}}));
  expect_tensor(x.expand({-1, 2}), tensor({{1, 1}, {2, 2}}));
  expect_tensor(x.expand({2, 2, 1}), tensor({{{1}, {2}}, {{1}, {2}}}));
  expect_tensor(tensor(7).expand({2, 2}), tensor({{7, 7}, {7, 7}}));
  expect_tensor(tensor(7).expand({}), tensor(7));
  expect_tensor(tensor({1, 2, 3}).expand({2, -1}), tensor({{1, 2, 3}, {1, 2, 3}}));
  for (const Dtype dtype : {boolean, float32, float64}) {  // rows that are copied in pieces
    const Tensor row = (randn({5000}) > 0).to(dtype), rows = row.expand({3, -1});
    for (int i = 0; i < 3; ++i) expect_tensor(rows.select(0, i), row);
  }
  EXPECT_EQ(ones({1}).expand(0).shape(), Shape({0}));
  EXPECT_EQ(ones({2, 1}).expand({2, 0}).shape(), Shape({2, 0}));
  EXPECT_FALSE(x.expand({2, 1}).shares_storage(x));
}

TEST(Copy, CatAndStack) {
  const Tensor a = tensor({{1, 2}}), b = tensor({{3, 4}, {5, 6}});
  expect_tensor(cat({a, b}), tensor({{1, 2}, {3, 4}, {5, 6}}));
  expect_tensor(cat({b, b}, 1), tensor({{3, 4, 3, 4}, {5, 6, 5, 6}}));
  expect_tensor(cat({b, a.t(), b}, -1), tensor({{3, 4, 1, 3, 4}, {5, 6, 2, 5, 6}}));
  expect_tensor(cat({a}), a);
  expect_tensor(cat({tensor({1, 2}), tensor({0.5})}), tensor({1., 2., 0.5}));
  expect_tensor(cat({zeros({0}), tensor({{1., 2.}})}, 1),
                tensor({{1., 2.}}));  // as PyTorch, which has always allowed it
  EXPECT_EQ(cat({zeros({0, 2}), zeros({3, 2})}).shape(), Shape({3, 2}));
  EXPECT_EQ(cat({zeros({0}), zeros({0})}).shape(), Shape({0}));
  EXPECT_EQ(cat({zeros({2, 0}), zeros({2, 3})}, 1).shape(), Shape({2, 3}));

  const Tensor p = tensor({1, 2, 3}), q = tensor({4, 5, 6});
  expect_tensor(stack({p, q}), tensor({{1, 2, 3}, {4, 5, 6}}));
  expect_tensor(stack({p, q}, 1), tensor({{1, 4}, {2, 5}, {3, 6}}));
  expect_tensor(stack({p, q}, -1), stack({p, q}, 1));
  expect_tensor(stack({tensor(1), tensor(2.5)}), tensor({1., 2.5}));
  EXPECT_EQ(stack({zeros({0, 2}), zeros({0, 2})}, 1).shape(), Shape({0, 2, 2}));
  const std::vector<Tensor> list{p, q, p};
  EXPECT_EQ(stack(list).shape(), Shape({3, 3}));
  EXPECT_EQ(cat(list).shape(), Shape({9}));
}

TEST(Copy, Clone) {
  Tensor x = tensor({1., 2.});
  const Tensor y = x.clone();
  x.zero_();
  expect_tensor(y, tensor({1., 2.}));
}

TEST(Copy, ToConvertsManyAsOne) {
  const Tensor row =
      tensor({-2.5, 0., 0.3, 1., nan, inf, -inf, 0x1p62, 0x1p63, -0x1p63, -0x1.0000000000001p63, 1e300}, float64);
  for (const Dtype from : {float32, float64, int64, boolean}) {
    const Tensor x = row.to(from), many = x.reshape({1, -1}).expand({7, 12}).clone();
    for (const Dtype to : {float32, float64, int64, boolean}) {
      for (std::int64_t i = 0; i < 12; ++i) {
        const Tensor one = x.select(0, i).to(to);
        for (std::int64_t j = 0; j < 7; ++j) expect_tensor(many.to(to).select(0, j).select(0, i), one);
      }
    }
  }
  constexpr std::int64_t least = INT64_MIN;
  expect_tensor(row.to(int64),
                tensor({-2, 0, 0, 1, least, least, least, std::int64_t{1} << 62, least, least, least, least}));
}

TEST(Copy, To) {
  const Tensor x = tensor({1.5, -2.7, 0., nan});
  EXPECT_TRUE(x.to(float32).is_same(x));
  expect_tensor(x.to(float64), tensor({1.5, -2.7F, 0., nan}, float64));
  expect_tensor(x.to(boolean), tensor({true, true, false, true}));
  expect_tensor(tensor({1.9, -2.7, nan, 1e30, -inf}).to(int64),
                tensor({1, -2, INT64_MIN, INT64_MIN, INT64_MIN}));  // as x86-64 and PyTorch on it
  expect_tensor(tensor({0, 3}).to(boolean), tensor({false, true}));
  expect_tensor(tensor({true, false}).to(float32), tensor({1., 0.}));
  expect_tensor(full({1}, (std::int64_t{1} << 24) + 1).to(float32), full({1}, 16777216.));
  expect_tensor(tensor({0.1}, float64).to(float32), tensor({0.1F}));
  EXPECT_FALSE(leaf({2}).to(int64).requires_grad());
}

TEST(Copy, Derivatives) {
  const Tensor x = leaf({2, 3, 2});
  expect_derivative([](const Tensor& v) { return square(v.permute({2, 0, 1})); }, x);
  expect_derivative([](const Tensor& v) { return square(v.transpose(0, -1)); }, x);
  expect_derivative([](const Tensor& v) { return square(v[0].t()); }, x);
  expect_derivative([](const Tensor& v) { return square(v.clone()); }, x);
  expect_derivative([](const Tensor& v) { return square(v.expand({2, 3, 2})); }, leaf({3, 1}));
  expect_derivative([](const Tensor& v) { return square(v.expand({3, 2})); }, leaf({}));
  const Tensor y = leaf({2, 1, 2}, 0, 3);
  expect_derivative([](const Tensor& a, const Tensor& b) { return square(cat({a, b, a}, 1)); }, x, y);
  expect_derivative(
      [](const Tensor& a, const Tensor& b) {
        return square(stack({a, b, b}, 1));
      },
      leaf({2, 3}), leaf({2, 3}, 1, 2));
  expect_derivative(
      [](const Tensor& a, const Tensor& b) {
        return square(cat({a, zeros({0}, float64), b}, 0));
      },
      leaf({2}), leaf({3}));
  const Tensor nothing = zeros({0}, float64).requires_grad_();  // joins matrices, but its gradient is a vector
  for (const int dim : {0, 1, -1}) {
    const Tensor z = cat({nothing, y[0], nothing}, dim);
    EXPECT_EQ(grad({z.square().sum()}, {nothing})[0].shape(), Shape({0}));
  }
}

TEST(Copy, GradientsCrossDtypes) {
  const Tensor x = tensor({1., 2.}).requires_grad_();
  (x.to(float64) * 3).sum().backward();
  expect_tensor(x.grad(), tensor({3., 3.}));
  const Tensor a = ones({2}).requires_grad_(), b = ones({1}, float64).requires_grad_();
  (cat({a, b}) * tensor({1., 2., 3.}, float64)).sum().backward();
  expect_tensor(a.grad(), tensor({1., 2.}));
  expect_tensor(b.grad(), tensor({3.}, float64));
  const Tensor c = ones({}).requires_grad_(), d = ones({}, float64).requires_grad_();
  (stack({c, d}) * tensor({4., 5.}, float64)).sum().backward();
  expect_tensor(c.grad(), tensor(4.));
  expect_tensor(d.grad(), tensor(5., float64));
}

TEST(Copy, Errors) {
  const Tensor x = zeros({2, 3});
  expect_error<IndexError>("Dimension out of range (expected to be in range of [-2, 1], but got 2)",
                           [&] { x.transpose(0, 2); });
  expect_error<RuntimeError>("t() expects a tensor with <= 2 dimensions, but self is 3D", [] { zeros({2, 3, 4}).t(); });
  expect_error<RuntimeError>("permute(): duplicate dims are not allowed.", [&] { x.permute({0, 0}); });
  expect_error<RuntimeError>("permute(): duplicate dims are not allowed.", [&] { x.permute({0, -2}); });
  expect_error<RuntimeError>(
      "permute(sparse_coo): number of dimensions in the tensor input does not match the length of the desired "
      "ordering of dimensions i.e. input.dim() = 2 is not equal to len(dims) = 1",
      [&] { x.permute({0}); });
  expect_error<IndexError>("Dimension out of range (expected to be in range of [-2, 1], but got 2)", [&] {
    x.permute({0, 2});
  });
  expect_error<RuntimeError>(
      "The expanded size of the tensor (4) must match the existing size (2) at non-singleton dimension 0.  "
      "Target sizes: [4, 3].  Tensor sizes: [2, 3]",
      [&] {
        x.expand({4, 3});
      });
  expect_error<RuntimeError>(
      "expand(torch.FloatTensor{[2, 3]}, size=[3]): the number of sizes provided (1) must be greater or equal to "
      "the number of dimensions in the tensor (2)",
      [&] { x.expand({3}); });
  expect_error<RuntimeError>(
      "The expanded size of the tensor (-1) isn't allowed in a leading, non-existing dimension 0", [&] {
        x.expand({-1, 2, 3});
      });
  expect_error<RuntimeError>("The expanded size of the tensor (-2)", [&] { x.expand({-2, 3}); });
  expect_error<RuntimeError>("Trying to create tensor with negative dimension -2", [] { ones({1}).expand(-2); });
  expect_error<RuntimeError>(
      "Sizes of tensors must match except in dimension 0. Expected size 3 but got size 4 for tensor number 1 in the "
      "list.",
      [&] {
        cat({x, zeros({2, 4})});
      });
  expect_error<RuntimeError>("Tensors must have same number of dimensions: got 2 and 1", [&] { cat({x, zeros({2})}); });
  expect_error<RuntimeError>("torch.cat(): expected a non-empty list of Tensors", [] { cat(std::vector<Tensor>{}); });
  expect_error<RuntimeError>("zero-dimensional tensor (at position 0) cannot be concatenated",
                             [] { cat({tensor(1.)}); });
  expect_error<IndexError>("Dimension out of range (expected to be in range of [-2, 1], but got 2)",
                           [&] { cat({x}, 2); });
  expect_error<RuntimeError>("stack expects each tensor to be equal size, but got [2] at entry 0 and [3] at entry 1",
                             [] {
                               stack({zeros({2}), zeros({3})});
                             });
  expect_error<RuntimeError>("stack expects a non-empty TensorList", [] { stack(std::vector<Tensor>{}); });
  expect_error<IndexError>("Dimension out of range (expected to be in range of [-3, 2], but got 3)",
                           [&] { stack({x}, 3); });
  expect_error<RuntimeError>("a shape has at most 8 dimensions", [] { stack({zeros({1, 1, 1, 1, 1, 1, 1, 1})}); });
}

}  // namespace
}  // namespace gradus::test
