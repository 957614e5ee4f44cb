#include "io/elements.hpp"

#include "files.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace gradus::test {
namespace {

using namespace detail;

const std::byte* start(const std::string& text) { return as_bytes(text).data(); }

float half(std::uint16_t bits) {
  const std::string file = bytes_of(bits);
  return tensor_from_stored(Stored::f16, start(file), {}, {}).item<float>();
}

TEST(Elements, WidensEveryHalf) {
  for (std::uint32_t bits = 0; bits < 0x8000; ++bits) {
    const int exponent = static_cast<int>(bits >> 10), fraction = static_cast<int>(bits & 0x3ff);
    const float positive = half(static_cast<std::uint16_t>(bits)),
                negative = half(static_cast<std::uint16_t>(bits | 0x8000));
    if (exponent == 31 && fraction != 0) {
      EXPECT_TRUE(std::isnan(positive) && std::isnan(negative));
      continue;
    }
    const double value = exponent == 31  ? std::numeric_limits<double>::infinity()
                         : exponent == 0 ? std::ldexp(fraction, -24)
                                         : std::ldexp(1024 + fraction, exponent - 25);
    ASSERT_EQ(positive, value) << bits;
    ASSERT_EQ(negative, -value) << bits;
    ASSERT_TRUE(std::signbit(negative)) << bits;
  }
}

TEST(Elements, FollowsStrides) {
  const std::string file =
      bytes_of(0.0f) + bytes_of(1.0f) + bytes_of(2.0f) + bytes_of(3.0f) + bytes_of(4.0f) + bytes_of(5.0f);
  const Tensor transposed = tensor_from_stored(Stored::f32, start(file), {3, 2}, {1, 3});
  const std::vector<float> expected{0, 3, 1, 4, 2, 5};
  EXPECT_TRUE(std::ranges::equal(transposed.data<float>(), expected));
  const Tensor repeated = tensor_from_stored(Stored::f32, start(file) + 4, {2, 3}, {0, 2});
  const std::vector<float> rows{1, 3, 5, 1, 3, 5};
  EXPECT_TRUE(std::ranges::equal(repeated.data<float>(), rows));
}

TEST(Elements, CountsBytesOrRefuses) {
  using Extents = std::vector<std::int64_t>;
  const auto bytes = [](const Extents& extents) { return checked_bytes(extents, 8); };
  EXPECT_EQ(bytes({}), 8);
  EXPECT_EQ(bytes({2, 3}), 48);
  EXPECT_EQ(bytes({2, 0, INT64_MAX / 16}), 0);
  EXPECT_EQ(bytes({INT64_MAX / 8}), INT64_MAX / 8 * 8);
  expect_error_with<FileError>([&] { bytes({INT64_MAX / 8 + 1}); }, "overflow");
  expect_error_with<FileError>([&] { bytes({0, INT64_MAX, INT64_MAX}); }, "overflow");
  expect_error_with<FileError>([&] { bytes({2, -1}); }, "its shape is [2, -1]");
  expect_error_with<FileError>([&] { bytes(Extents(9, 1)); }, "9 dimensions");
}

}  // namespace
}  // namespace gradus::test
