#include "errors.hpp"
#include "tensors.hpp"

#include <gradus/core/create.hpp>

namespace gradus::test {
namespace {

constexpr Dtype dtypes[] = {boolean, int64, float32, float64};

TEST(Create, ATensorHasTheKindOfItsNumbers) {
  EXPECT_EQ(tensor({true, false}).dtype(), boolean);
  EXPECT_EQ(tensor({true, 2}).dtype(), int64);
  EXPECT_EQ(tensor({1, 2.5}).dtype(), float32);
  EXPECT_EQ(tensor({{1, 2}, {3, 4.f}}).dtype(), float32);
  EXPECT_EQ(tensor({1, 2}, float64).dtype(), float64);
  EXPECT_EQ(tensor(3).dtype(), int64);
  EXPECT_EQ(tensor({2.75, -2.75}, int64).to_vector<std::int64_t>()[1], -2);
}

TEST(Create, ATensorHasTheShapeOfItsLists) {
  EXPECT_EQ(tensor(3).shape(), Shape());
  EXPECT_EQ(tensor({3}).shape(), Shape{1});
  const Tensor x = tensor({{{1, 2, 3}, {4, 5, 6}}});
  EXPECT_EQ(x.shape(), (Shape{1, 2, 3}));
  for (int i = 0; i < 6; ++i) EXPECT_EQ(x.data<std::int64_t>()[static_cast<std::size_t>(i)], i + 1);
}

TEST(Create, WithoutNumbersItIsFloat32) {
  const Tensor x = tensor(std::initializer_list<Nested>{}), y = tensor({Nested({}), Nested({})});
  expect_tensor(x, zeros({0}));
  expect_tensor(y, zeros({2, 0}));
}

TEST(Create, RefusesRaggedLists) {
  expect_error<ValueError>("expected sequence of length 2 at dim 1 (got 1)", [] { tensor({{1, 2}, {3}}); });
  expect_error<ValueError>("expected sequence of length 1 at dim 1 (got 2)", [] { tensor({{1}, {2, 3}}); });
  expect_error<ValueError>("tensor: numbers and lists are mixed at dim 1", [] { tensor({1, {2}}); });
  expect_error<ValueError>("tensor: numbers and lists are mixed at dim 1", [] { tensor({{1}, 2}); });
}

TEST(Create, FromSpanCopies) {
  std::vector<double> values{1, 2, 3, 4, 5, 6};
  const Tensor x = from_span(values, {2, 3});
  values[0] = 7;
  expect_tensor(x, tensor({{1, 2, 3}, {4, 5, 6}}, float64));
  const bool flags[] = {true, false};
  expect_tensor(from_span(std::span<const bool>(flags), 2), tensor({true, false}));
  expect_error<RuntimeError>("shape '[4]' is invalid for input of size 6", [&] { from_span(values, 4); });
}

TEST(Create, Fills) {
  for (const Dtype dtype : dtypes) {
    expect_tensor(zeros({2, 1}, dtype), tensor({{0}, {0}}, dtype));
    expect_tensor(ones({}, dtype), tensor(1, dtype));
    expect_tensor(eye(2, dtype), tensor({{1, 0}, {0, 1}}, dtype));
    const Tensor like = zeros({1, 3}, dtype);
    expect_tensor(ones_like(like), ones({1, 3}, dtype));
    expect_tensor(zeros_like(ones_like(like)), like);
    expect_tensor(full_like(like, 1.5), full({1, 3}, 1.5, dtype));
    EXPECT_EQ(empty_like(like).shape(), like.shape());
    EXPECT_EQ(empty({0, 3}, dtype).numel(), 0);
  }
  expect_tensor(eye(0), zeros({0, 0}));
}

TEST(Create, FullHasTheKindOfItsNumber) {
  EXPECT_EQ(full(2, true).dtype(), boolean);
  EXPECT_EQ(full({}, 2).dtype(), int64);
  EXPECT_EQ(full({}, 2.).dtype(), float32);
  expect_tensor(full(2, 1.5, int64), tensor({1, 1}));
}

TEST(Create, RefusesNumbersThatTheDtypeCannotHold) {  // texts and exceptions from PyTorch
  const Tensor mask = tensor({true});
  for (const double value : {double{nan}, double{inf}, -1e30}) {
    const std::string text = "value cannot be converted to type int64_t without overflow";
    expect_error<RuntimeError>(text, [&] { full({1}, value, int64); });
    expect_error<RuntimeError>(text, [&] { full_like(tensor({1}), value); });
    expect_error<RuntimeError>(text, [&] { static_cast<void>(tensor({1}).masked_fill(mask, value)); });
    expect_error<RuntimeError>(text, [&] { arange(value, value, 1, int64); });
    expect_error<RuntimeError>(text, [&] { linspace(0, value, 3, int64); });
    expect_error<RuntimeError>("value cannot be converted to type int64 without overflow",
                               [&] { tensor({value}, int64); });
    expect_error<RuntimeError>("value cannot be converted to type int64 without overflow",
                               [&] { tensor(value, int64); });
    expect_tensor(full({1}, value, boolean), tensor({true}));
  }
  const std::string text = "value cannot be converted to type float without overflow";
  expect_error<RuntimeError>(text, [] { full({1}, 1e300); });
  expect_error<RuntimeError>(text, [] { full_like(ones({1}), -1e300); });
  expect_error<RuntimeError>(text, [&] { static_cast<void>(ones({1}).masked_fill(mask, 1e300)); });
  expect_error<RuntimeError>(text, [] { static_cast<void>(ones({1}).clamp(1e300)); });
  expect_error<RuntimeError>(text, [] { static_cast<void>(tensor({1}).clamp(std::nullopt, 1e300)); });
  expect_error<RuntimeError>(text, [] { leaky_relu(ones({1}), 1e300); });
  expect_error<RuntimeError>(text, [] { linspace(0, 1e300, 3); });
  expect_tensor(tensor({1e300}), tensor({inf}));
  expect_tensor(tensor(-1e300), tensor(-inf));
  expect_tensor(ones({1}) + 1e300, tensor({inf}));
  expect_tensor(tensor({1}) < 1e300, tensor({true}));
  expect_tensor(full({1}, 1e300, float64), tensor({1e300}, float64));
}

TEST(Create, RefusesUnsignedIntegersThatHaveNoSignedOne) {
  const std::uint64_t large = std::uint64_t{1} << 63;
  const std::string text = "Overflow when unpacking long";
  expect_error<RuntimeError>(text, [&] { tensor({large}); });
  expect_error<RuntimeError>(text, [&] { tensor(large, int64); });
  expect_error<RuntimeError>(text, [&] { full({1}, large); });
  expect_error<RuntimeError>(text, [&] { tensor({1}) + large; });
  expect_error<RuntimeError>(text, [&] { static_cast<void>(tensor({1}) == large); });
  expect_error<RuntimeError>(text, [&] { arange(large); });
  expect_tensor(tensor({large}, float32), tensor({0x1p63}));
  expect_tensor(tensor({large - 1}), tensor({INT64_MAX}));
}

TEST(Create, RefusesSizesThatCannotBe) {
  expect_error<RuntimeError>("Trying to create tensor with negative dimension -1: [2, -1]", [] { zeros({2, -1}); });
  expect_error<RuntimeError>("n must be greater or equal to 0, got -1", [] { eye(-1); });
  expect_error<RuntimeError>("a tensor of shape [1099511627776, 1024] and dtype float32 does not fit in memory", [] {
    empty({std::int64_t{1} << 40, 1024});
  });
}

TEST(Arange, CountsAsPyTorch) {
  expect_tensor(arange(5), tensor({0, 1, 2, 3, 4}));
  expect_tensor(arange(5, 0, -2), tensor({5, 3, 1}));
  expect_tensor(arange(2.5), tensor({0., 1., 2.}));
  expect_tensor(arange(1, 2, 0.25), tensor({1., 1.25, 1.5, 1.75}));
  expect_tensor(arange(0, 3, 1, float64), tensor({0, 1, 2}, float64));
  expect_tensor(arange(true), tensor({0}));
  expect_tensor(arange(0), zeros({0}, int64));
  expect_tensor(arange(0.5, 3, 1, int64), tensor({0, 1, 2}));
  expect_tensor(arange(0.5, 3.9, 1.9, int64), tensor({0, 1, 2}));
  expect_tensor(arange(-1.5, 3.9, 1, int64), tensor({-1, 0, 1, 2}));
}

TEST(Arange, IsExactWhereDoublesAreNot) {
  constexpr std::int64_t large = std::int64_t{1} << 53;
  expect_tensor(arange(large, large + 3), tensor({large, large + 1, large + 2}));
}

TEST(Arange, RefusesWhatHasNoEnd) {
  expect_error<RuntimeError>("step must be nonzero", [] { arange(0, 1, 0); });
  expect_error<RuntimeError>("step must be nonzero", [] { arange(0, 1, std::nan("")); });
  expect_error<RuntimeError>("upper bound and larger bound inconsistent with step sign", [] { arange(0, 1, -1); });
  expect_error<RuntimeError>("upper bound and larger bound inconsistent with step sign", [] { arange(1, 0); });
  expect_error<RuntimeError>("unsupported range: 0", [] { arange(INFINITY); });
  expect_error<RuntimeError>("\"arange_cpu\" not implemented for 'Bool'", [] { arange(0, 2, 1, boolean); });
  expect_error<RuntimeError>("invalid size, possible overflow?", [] { arange(0, 1e30); });
  expect_error<RuntimeError>("invalid size, possible overflow?", [] { arange(INT64_MIN, INT64_MAX); });
}

TEST(Linspace, EndsWhereItShould) {
  expect_tensor(linspace(0, 1, 5), tensor({0., .25, .5, .75, 1.}));
  expect_tensor(linspace(3, -1, 3, float64), tensor({3, 1, -1}, float64));
  EXPECT_EQ(linspace(0, 0.7, 7, float64).to_vector<double>()[6], 0.7);
  expect_tensor(linspace(2, 1, 1), tensor({2.}));
  expect_tensor(linspace(0, 1, 0), zeros({0}));
  expect_error<RuntimeError>("number of steps must be non-negative", [] { linspace(0, 1, -1); });
}

}  // namespace
}  // namespace gradus::test
