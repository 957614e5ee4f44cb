// x[…], x(…) and index_put_ beyond what PyTorch's results show.
#include "errors.hpp"
#include "tensors.hpp"

#include <gradus/core/index.hpp>

namespace gradus::test {
namespace {

TEST(Places, NeighboursShareStorageOthersAreCopies) {
  Tensor x = zeros({2, 3, 4});
  EXPECT_TRUE(x(1, 2, 3).shares_storage(x));
  EXPECT_TRUE(x(1, Slice(1)).shares_storage(x));
  EXPECT_TRUE(x(Slice(0, 1), Slice(1, 3)).shares_storage(x));
  EXPECT_FALSE(x(Slice(), 1).shares_storage(x));
  EXPECT_FALSE(x[tensor({1})].shares_storage(x));
  x(1, 2, 3).fill_(5);
  x(0, Slice(1, 3)) += 2;
  expect_tensor(x.sum(), tensor(21.));
}

TEST(Places, AWriteIntoACopyIsRefused) {
  Tensor x = zeros({2, 3});
  expect_error<RuntimeError>("writing in place to what x(…) returned", [&] { x(Slice(), 1).fill_(1); });
  expect_error<RuntimeError>("writing in place to what x(…) returned", [&] { x(Slice(), Slice(0, 2)) += 1; });
  EXPECT_NO_THROW(x[tensor({1, 0})].fill_(1)) << "a copy in PyTorch too";
  expect_tensor(x, zeros({2, 3}));
}

TEST(IndexPut, WritesAnyBlock) {
  Tensor x = zeros({3, 4});
  x.index_put_({Slice(), 2}, 7);
  x.index_put_({Slice(1), Slice(0, 2)}, tensor({{1, 2}, {3, 4}}));
  x.index_put_({0, -1}, tensor(9., float64));
  x.index_put_({x == 7}, tensor({5., 6., 7.}));
  x.index_put_({tensor({0, 2}), tensor({0, 3})}, -1);
  expect_tensor(x, tensor({{-1., 0., 5., 9.}, {1., 2., 6., 0.}, {3., 4., 7., -1.}}));
  EXPECT_EQ(x.version(), 5u);
}

TEST(IndexPut, AddsEveryTimeAPlaceIsNamed) {
  Tensor counts = zeros({4}, int64);
  counts.index_put_({tensor({1, 3, 1, 1})}, 1, true);
  expect_tensor(counts, tensor({0, 3, 0, 1}));
}

TEST(IndexPut, ReadsBeforeItWrites) {
  Tensor x = arange(5);
  x.index_put_({Slice(1)}, x(Slice(0, 4)));
  expect_tensor(x, tensor({0, 0, 1, 2, 3}));
}

TEST(IndexPut, OfASliceIsDifferentiable) {
  const Tensor x = leaf({3, 4}), v = leaf({3, 2});
  const auto put = [](const Tensor& a, const Tensor& b) {
    Tensor y = a * 2;
    y.index_put_({Slice(), Slice(1, 3)}, b);
    return y * a;
  };
  expect_derivative(put, x, v);
  expect_derivative(put, x, leaf({2}));
  expect_derivative(
      [](const Tensor& a, const Tensor& b) {
        return (a * a).index_put_({tensor({2, 2}), Slice(1, 3)}, b, true);
      },
      x, leaf({2, 2}));
  Tensor y = x * 2;
  y.index_put_({Slice(), 1}, 3);
  EXPECT_EQ(y.grad_fn(), "CopySlices");
  expect_tensor(grad({y.sum()}, {x})[0], tensor({{2., 0., 2., 2.}, {2., 0., 2., 2.}, {2., 0., 2., 2.}}, float64));
  Tensor z = zeros({3, 2}, float64);  // outside the graph until a value of it comes in
  z.index_put_({Slice(), 0}, v(Slice(), 1));
  expect_tensor(grad({z.square().sum()}, {v})[0](Slice(), 0), zeros({3}, float64));
}

TEST(IndexPut, IsRefusedWhereWritesAre) {
  Tensor x = zeros({2, 3}).requires_grad_();
  expect_error<RuntimeError>("a leaf Variable that requires grad", [&] { x.index_put_({0, 0}, 1); });
  const NoGradGuard no_grad;
  x.index_put_({0, 0}, 1);
  EXPECT_EQ(x(0, 0).item(), 1);
  Tensor i = zeros({2}, int64);
  expect_error<RuntimeError>("value cannot be converted to type int64_t without overflow",
                             [&] { i.index_put_({0}, NAN); });
  expect_error<RuntimeError>(
      "shape mismatch: value tensor of shape [3] cannot be broadcast to indexing result of shape "
      "[2]",
      [&] { i.index_put_({Slice()}, zeros({3}, int64)); });
  expect_error<RuntimeError>("writing in place to what t() returned", [&] { x.t().index_put_({0}, 1); });
  expect_tensor(i, tensor({0, 0}));
}

template <class X, class Position>
concept Takes = requires(const X& x, Position position) {
  x(position);
  x(0, position);
  x.index({position});
};
static_assert(Takes<Tensor, int> && Takes<Tensor, std::size_t> && Takes<Tensor, Slice> && Takes<Tensor, Tensor>);
static_assert(!Takes<Tensor, bool> && !Takes<Tensor, double>);

TEST(Index, StepsNearTheLargestNumber) {
  const Tensor x = tensor({1., 2., 3.});
  expect_tensor(x(Slice(1, INT64_MAX, INT64_MAX)), tensor({2.}));
  expect_tensor(x(Slice(INT64_MIN, std::nullopt, INT64_MAX)), tensor({1.}));
}

TEST(Index, ABoolIsNoPosition) {
  expect_error<IndexError>("a mask has at least one dimension", [] { zeros({2})[tensor(true)]; });
}

}  // namespace
}  // namespace gradus::test
