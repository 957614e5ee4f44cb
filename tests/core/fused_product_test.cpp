#include "kernels/fused_product.hpp"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <random>
#include <type_traits>
#include <vector>

namespace gradus::detail {
namespace {

#if defined(__SIZEOF_FLOAT128__) && defined(__SIZEOF_INT128__)

template <class T>
class FusedProduct : public testing::Test {
 protected:
  using Bits = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;

  void compare(T a, T b, T c) {
    const T expected = std::fma(a, b, c), got = fused_in_software(a, b, c);
    if (std::isnan(expected)) {
      EXPECT_TRUE(std::isnan(got)) << a << " * " << b << " + " << c;
    } else {
      EXPECT_EQ(std::bit_cast<Bits>(got), std::bit_cast<Bits>(expected)) << a << " * " << b << " + " << c;
    }
  }
};
using Elements = testing::Types<float, double>;
TYPED_TEST_SUITE(FusedProduct, Elements);

TYPED_TEST(FusedProduct, OfAnyBitsIsTheProcessors) {
  using Word = typename TestFixture::Bits;
  std::mt19937_64 random(1);
  const auto any = [&] { return std::bit_cast<TypeParam>(static_cast<Word>(random())); };
  for (int i = 0; i < 100'000; ++i) this->compare(any(), any(), any());
}

TYPED_TEST(FusedProduct, NearACancellationIsTheProcessors) {
  std::mt19937_64 random(2);
  std::uniform_real_distribution<TypeParam> uniform(1, 2);
  const TypeParam eps = std::numeric_limits<TypeParam>::epsilon();
  for (int i = 0; i < 100'000; ++i) {
    const TypeParam a = uniform(random), b = uniform(random), product = a * b;
    this->compare(a, b, -product);
    this->compare(a, b, product * eps);
    this->compare(a, b, -product * eps / 2);
    this->compare(a, b, product / eps);
  }
}

TYPED_TEST(FusedProduct, OfSpecialValuesIsTheProcessors) {
  using Limits = std::numeric_limits<TypeParam>;
  const std::vector<TypeParam> values = {
      TypeParam(0),       TypeParam(-0.0),     TypeParam(1),         TypeParam(-3),         Limits::max(),
      Limits::lowest(),   Limits::min(),       Limits::denorm_min(), -Limits::denorm_min(), Limits::epsilon(),
      Limits::infinity(), -Limits::infinity(), Limits::quiet_NaN()};
  for (const TypeParam a : values) {
    for (const TypeParam b : values) {
      for (const TypeParam c : values) this->compare(a, b, c);
    }
  }
}

#endif

}  // namespace
}  // namespace gradus::detail
