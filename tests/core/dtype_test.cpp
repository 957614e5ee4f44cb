#include "errors.hpp"

#include <gradus/core/dtype.hpp>

#include <cmath>
#include <limits>

namespace gradus::test {
namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN(), inf = std::numeric_limits<double>::infinity();
constexpr float most_float = std::numeric_limits<float>::max();

TEST(Scalar, KeepsItsKindAndValue) {
  EXPECT_EQ(Scalar(true).kind(), boolean);
  EXPECT_EQ(Scalar(3u).kind(), int64);
  EXPECT_EQ(Scalar(3.f).kind(), float32);
  EXPECT_EQ(Scalar(std::numeric_limits<std::int64_t>::max()).to<std::int64_t>(),
            std::numeric_limits<std::int64_t>::max());
  EXPECT_EQ(Scalar(-2.75).to<std::int64_t>(), -2);
  EXPECT_EQ(Scalar(0.1).to<float>(), 0.1f);
  static_assert(Scalar(7).to<int>() == 7);
}

TEST(Scalar, IsTrueUnlessItIsZero) {
  EXPECT_TRUE(Scalar(0.5).to<bool>());
  EXPECT_TRUE(Scalar(nan).to<bool>());
  EXPECT_TRUE(Scalar(std::int64_t{1} << 40).to<bool>());
  EXPECT_FALSE(Scalar(-0.0).to<bool>());
}

TEST(Scalar, RefusesWhatAnIntegerCannotHold) {
  const std::string text = "value cannot be converted to type int64_t without overflow";
  for (const double value : {nan, inf, -inf, 1e30, -1e30, 0x1p63, -0x1.0000000000001p63}) {
    expect_error<RuntimeError>(text, [&] { static_cast<void>(Scalar(value).to<std::int64_t>()); });
    expect_error<RuntimeError>(text, [&] { static_cast<void>(Scalar(value).rounded<std::int64_t>()); });
  }
  EXPECT_EQ(Scalar(-0x1p63).to<std::int64_t>(), std::numeric_limits<std::int64_t>::min());
  EXPECT_EQ(Scalar(0x1.fffffffffffffp62).to<std::int64_t>(), std::int64_t{0x7ffffffffffffc00});
  expect_error<RuntimeError>("value cannot be converted to type int without overflow",
                             [] { static_cast<void>(Scalar(std::int64_t{1} << 31).to<int>()); });
  expect_error<RuntimeError>("value cannot be converted to type int without overflow",
                             [] { static_cast<void>(Scalar(-2147483649.0).to<int>()); });
  EXPECT_EQ(Scalar(-2147483648.9).to<int>(), std::numeric_limits<int>::min());
  expect_error<RuntimeError>("value cannot be converted to type uint64_t without overflow",
                             [] { static_cast<void>(Scalar(-1).to<std::uint64_t>()); });
  EXPECT_EQ(Scalar(-0.5).to<std::uint64_t>(), 0u);
}

TEST(Scalar, RefusesAnUnsignedIntegerThatHasNoSignedOne) {
  const Scalar large = std::uint64_t{1} << 63;
  expect_error<RuntimeError>("Overflow when unpacking long", [&] { static_cast<void>(large.to<std::int64_t>()); });
  EXPECT_EQ(large.to<double>(), 0x1p63);
  EXPECT_TRUE(large.to<bool>());
  EXPECT_EQ(Scalar((std::uint64_t{1} << 63) - 1).to<std::int64_t>(), std::numeric_limits<std::int64_t>::max());
}

TEST(Scalar, RefusesWhatAFloatCannotHold) {
  const std::string text = "value cannot be converted to type float without overflow";
  for (const double value : {1e300, -1e300, 3.4028235e38}) {
    expect_error<RuntimeError>(text, [&] { static_cast<void>(Scalar(value).to<float>()); });
  }
  EXPECT_EQ(Scalar(double{most_float}).to<float>(), most_float);
  EXPECT_EQ(Scalar(-inf).to<float>(), -inf);
  EXPECT_TRUE(std::isnan(Scalar(nan).to<float>()));
  EXPECT_EQ(Scalar(1e300).rounded<float>(), inf) << "as in arithmetic";
  EXPECT_EQ(Scalar(1e-300).to<float>(), 0);
}

}  // namespace
}  // namespace gradus::test
