#include <gradus/core/autograd.hpp>
#include <gradus/core/xtensor.hpp>

#include <gtest/gtest.h>

namespace gradus {
namespace {

Tensor counting(const Shape& shape) { return arange(numel(shape)).to(float32).reshape(shape); }

template <Element T>
std::vector<T> values(const Tensor& x) {
  const auto elements = x.data<T>();
  return {elements.begin(), elements.end()};
}

TEST(AsXtensor, SharesTheElements) {
  Tensor x = counting({2, 3});
  auto view = as_xtensor<float>(x);
  EXPECT_EQ(view.data(), x.data<float>().data());
  EXPECT_EQ(view.dimension(), 2U);
  EXPECT_EQ(view.shape(1), 3U);
  EXPECT_EQ(view(1, 2), 5);
  view(1, 2) = 9;
  EXPECT_EQ(x.data<float>()[5], 9);
}

TEST(AsXtensor, TakesPartInExpressions) {
  const Tensor x = counting({2, 3});
  const Tensor row = tensor({10., 20., 30.});
  const xt::xarray<float> sum = as_xtensor<float>(x) + 2 * as_xtensor<float>(row);
  EXPECT_EQ(sum, (xt::xarray<float>{{20, 41, 62}, {23, 44, 65}}));
  EXPECT_EQ(xt::amax(as_xtensor<float>(x))(), 5);
  const xt::xarray<float> column = xt::view(as_xtensor<float>(x), xt::all(), 1);
  EXPECT_EQ(column, (xt::xarray<float>{1, 4}));
}

TEST(AsXtensor, AssignmentWritesElements) {
  Tensor x = counting({2, 3});
  Tensor y = ones({2, 3});
  as_xtensor<float>(x) = as_xtensor<float>(y);
  EXPECT_EQ(values<float>(x), (std::vector<float>{1, 1, 1, 1, 1, 1}));
  EXPECT_FALSE(x.shares_storage(y));
  as_xtensor<float>(x) = xt::xarray<float>{1, 2, 3};
  EXPECT_EQ(values<float>(x), (std::vector<float>{1, 2, 3, 1, 2, 3}));
  const xt::xarray<float> tens{10, 20};
  as_xtensor<float>(x) += xt::view(tens, xt::all(), xt::newaxis());
  EXPECT_EQ(values<float>(x), (std::vector<float>{11, 12, 13, 21, 22, 23}));
  as_xtensor<float>(x) *= 2;
  EXPECT_EQ(values<float>(x), (std::vector<float>{22, 24, 26, 42, 44, 46}));
  as_xtensor<float>(x) = 5;
  EXPECT_EQ(values<float>(x), (std::vector<float>{5, 5, 5, 5, 5, 5}));
  xt::view(as_xtensor<float>(x), 1, xt::range(0, 2)) = 0;
  EXPECT_EQ(values<float>(x), (std::vector<float>{5, 5, 5, 0, 0, 5}));
  xt::noalias(as_xtensor<float>(x)) = as_xtensor<float>(y) - 3;
  EXPECT_EQ(values<float>(x), (std::vector<float>{-2, -2, -2, -2, -2, -2}));
}

TEST(AsXtensor, MayReadWhatItWrites) {
  Tensor x = counting({3, 3});
  as_xtensor<float>(x) = xt::transpose(as_xtensor<float>(x));
  EXPECT_EQ(values<float>(x), (std::vector<float>{0, 3, 6, 1, 4, 7, 2, 5, 8}));
}

TEST(AsXtensor, RefusesOtherShapesAndChangesNothing) {
  Tensor x = counting({2, 3});
  const std::vector<float> before = values<float>(x);
  auto view = as_xtensor<float>(x);
  const xt::xarray<float> turned = xt::ones<float>({3, 2});
  const xt::xarray<float> longer = xt::ones<float>({2, 2, 3});
  EXPECT_THROW(view = turned, RuntimeError);
  EXPECT_THROW(view = longer, RuntimeError);
  EXPECT_THROW(view += longer, RuntimeError);
  EXPECT_EQ(values<float>(x), before);
  EXPECT_EQ(view.shape(0), 2U);
}

TEST(AsXtensor, RefusesAnotherDtype) {
  Tensor x = counting({2, 3});
  EXPECT_THROW(as_xtensor<double>(x), TypeError);
}

TEST(AsXtensor, ExpressionsKeepTheElementsAlive) {
  auto twice = [] {
    Tensor local = full({3}, 5.f);
    return as_xtensor<float>(local) * 2;  // lazy: not computed yet
  }();
  const Tensor other = full({3}, 1.f);  // would take the place of `local`, had that been freed
  EXPECT_EQ(twice(0), 10);
  EXPECT_EQ(twice(2), 10);
}

TEST(AsXtensor, EveryDtypeAndRank) {
  Tensor flags = tensor({true, false});
  as_xtensor<bool>(flags) = !as_xtensor<bool>(flags);
  EXPECT_EQ(values<bool>(flags), (std::vector<bool>{false, true}));
  Tensor count = tensor(41);
  as_xtensor<std::int64_t>(count) += 1;
  EXPECT_EQ(count.item<std::int64_t>(), 42);
  Tensor nothing = empty({2, 0}, float64);
  EXPECT_EQ(as_xtensor<double>(nothing).size(), 0U);
  const Tensor deep = counting({1, 2, 1, 2, 1, 1, 1, 3});
  EXPECT_EQ(as_xtensor<float>(deep)(0, 1, 0, 1, 0, 0, 0, 2), 11);
}

TEST(AsXtensor, PartOfATensor) {
  Tensor x = counting({3, 2});
  Tensor row = x[1];
  as_xtensor<float>(row) = 7;
  EXPECT_EQ(values<float>(x), (std::vector<float>{0, 1, 7, 7, 4, 5}));
}

TEST(FromXtensor, ContainersAndExpressions) {
  const xt::xarray<double> a{{1, 2, 3}, {4, 5, 6}};
  const Tensor x = from_xtensor(a);
  EXPECT_EQ(x.dtype(), float64);
  EXPECT_EQ(x.shape(), (Shape{2, 3}));
  EXPECT_EQ(values<double>(x), (std::vector<double>{1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(values<double>(from_xtensor(xt::transpose(a))), (std::vector<double>{1, 4, 2, 5, 3, 6}));
  EXPECT_EQ(from_xtensor(xt::sum(a)).shape(), Shape());
  EXPECT_EQ(from_xtensor(xt::view(a, xt::all(), xt::newaxis(), 0)).shape(), (Shape{2, 1}));
  const xt::xarray<double, xt::layout_type::column_major> by_columns = a;
  EXPECT_EQ(values<double>(from_xtensor(by_columns)), (std::vector<double>{1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(values<bool>(from_xtensor(a > 3.5)), (std::vector<bool>{false, false, false, true, true, true}));
}

TEST(FromXtensor, ElementTypes) {
  EXPECT_EQ(from_xtensor(xt::xarray<float>{1}).dtype(), float32);
  EXPECT_EQ(from_xtensor(xt::xarray<int>{1}).dtype(), int64);
  EXPECT_EQ(from_xtensor(xt::xarray<unsigned char>{200}).item<int>(), 200);
  EXPECT_EQ(from_xtensor(xt::argmax(xt::xarray<float>{1, 3, 2})).item<int>(), 1);
}

TEST(FromXtensor, RefusesMoreThanEightDimensions) {
  EXPECT_THROW(from_xtensor(xt::ones<float>({1, 1, 1, 1, 1, 1, 1, 1, 1})), RuntimeError);
}

TEST(FromXtensor, TheResultEntersGraphs) {
  Tensor w = from_xtensor(xt::xarray<float>{1, 2, 3}).requires_grad_();
  (w * w).sum().backward();
  const Tensor grad = w.grad();
  EXPECT_EQ((xt::xarray<float>(as_xtensor<float>(grad))), (xt::xarray<float>{2, 4, 6}));
}

}  // namespace
}  // namespace gradus
