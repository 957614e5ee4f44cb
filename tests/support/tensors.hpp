// Making and comparing tensors in tests of operations.
#pragma once

#include "near.hpp"

#include <gradus/core/gradcheck.hpp>
#include <gradus/core/print.hpp>
#include <gradus/core/random.hpp>

#include <gtest/gtest.h>

namespace gradus::test {

inline constexpr float nan = std::numeric_limits<float>::quiet_NaN();
inline constexpr float inf = std::numeric_limits<float>::infinity();

/// Expects this shape, this dtype and, within `tolerance`, these elements. NaN equals NaN.
inline void expect_tensor(const Tensor& got, const Tensor& expected, double tolerance = 0) {
  EXPECT_EQ(got.shape(), expected.shape());
  EXPECT_EQ(got.dtype(), expected.dtype());
  EXPECT_LE(max_distance(got, expected), tolerance) << to_string(got) << "\ninstead of\n" << to_string(expected);
}

/// A float64 tensor that wants a gradient. Its elements are evenly spaced between low and high, in random order, so
/// that no two are equal; 0 is not among them for limits of opposite sign and equal size.
inline Tensor leaf(const Shape& shape, double low = -1, double high = 1) {
  const std::int64_t n = numel(shape);
  Generator generator(static_cast<std::uint64_t>(n));
  const Tensor steps = (randperm(n, generator).to(float64) + 0.37) * ((high - low) / static_cast<double>(n)) + low;
  return steps.reshape(shape).clone().requires_grad_();
}

/// Checks the first and second derivatives of f at these inputs.
template <class F>
void expect_derivatives(F f, const std::vector<Tensor>& inputs) {
  EXPECT_NO_THROW(gradcheck(f, inputs));
  EXPECT_NO_THROW(gradgradcheck(f, inputs));
}

/// The same for functions of one and of two tensors.
template <class F>
void expect_derivative(F f, const Tensor& x) {
  expect_derivatives([&](const std::vector<Tensor>& in) { return f(in[0]); }, {x});
}
template <class F>
void expect_derivative(F f, const Tensor& a, const Tensor& b) {
  expect_derivatives([&](const std::vector<Tensor>& in) { return f(in[0], in[1]); }, {a, b});
}

/// The gradient of sum(f(x)) at x, which is made a leaf of the same elements.
template <class F>
Tensor gradient(F f, const Tensor& x) {
  const Tensor input = x.detach().requires_grad_();
  return grad({sum(f(input))}, {input})[0];
}

}  // namespace gradus::test
