// Comparing tensors to the last bit.
#pragma once

#include <gradus/core/tensor.hpp>

#include <gtest/gtest.h>

#include <cmath>

namespace gradus::test {

/// Expects the same shape, dtype and elements; -0 is not 0, and NaN equals nothing.
inline void expect_same(const Tensor& actual, const Tensor& expected) {
  ASSERT_EQ(actual.shape(), expected.shape());
  ASSERT_EQ(actual.dtype(), expected.dtype());
  visit(actual.dtype(), [&]<class T>(T*) {
    const auto a = actual.data<T>();
    const auto e = expected.data<T>();
    for (std::size_t i = 0; i < a.size(); ++i) {
      ASSERT_EQ(a[i], e[i]) << "element " << i;
      if constexpr (std::is_floating_point_v<T>) {
        ASSERT_EQ(std::signbit(a[i]), std::signbit(e[i])) << "element " << i;
      }
    }
  });
}

template <class T>
void expect_elements(const Tensor& actual, const std::vector<T>& expected) {
  expect_same(actual, from_span(expected, actual.shape()));
}

/// FNV-1a of the bytes: what is too long for a test's text is compared with PyTorch's by this number.
inline std::uint64_t hash(const void* memory, std::size_t size) {
  std::uint64_t h = 0xCBF2'9CE4'8422'2325;
  const auto* bytes = static_cast<const unsigned char*>(memory);
  for (std::size_t i = 0; i < size; ++i) h = (h ^ bytes[i]) * 0x100'0000'01B3;
  return h;
}

template <class T>
std::uint64_t hash(const Tensor& x) {
  return hash(x.data<T>().data(), x.data<T>().size_bytes());
}

}  // namespace gradus::test
