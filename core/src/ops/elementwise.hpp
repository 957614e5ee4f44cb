// Loops over elements, for one and two operands, with broadcasting. Long float32 runs go to a kernel where one is
// given.
#pragma once

#include "autograd/record.hpp"
#include "tensor/message.hpp"

namespace gradus::detail {

using UnaryKernel = void (*)(float* y, const float* x, std::int64_t n);
using BinaryKernel = void (*)(float* y, const float* a, const float* b, std::int64_t n);
using ScalarKernel = void (*)(float* y, const float* x, float s, std::int64_t n);

inline constexpr std::int64_t worth_a_kernel = 16;  // shorter runs are done before a kernel is chosen

/// What T is added and multiplied in: an int64 that overflows wraps around, as PyTorch, which C++ has for unsigned
/// only.
template <class T>
using Wrapping = std::conditional_t<std::same_as<T, std::int64_t>, std::uint64_t, T>;

inline constexpr auto plus = []<class T>(T p, T q) { return static_cast<T>(Wrapping<T>(p) + Wrapping<T>(q)); };
inline constexpr auto minus = []<class T>(T p, T q) { return static_cast<T>(Wrapping<T>(p) - Wrapping<T>(q)); };
inline constexpr auto times = []<class T>(T p, T q) { return static_cast<T>(Wrapping<T>(p) * Wrapping<T>(q)); };

/// y[i] = f(x[i]) with elements of T, results of R; x must have the dtype of T already.
template <class T, class R, class F>
Tensor map(const Tensor& x, F f) {
  Tensor y = make_tensor(x.shape(), dtype_of<R>);
  const T* from = elements<T>(x);
  R* to = elements<R>(y);
  const std::int64_t n = x.numel();
  for (std::int64_t i = 0; i < n; ++i) to[i] = f(from[i]);
  return y;
}

/// The same for a floating x of either width; `kernel`, if given, does the float32 case.
template <class F>
Tensor map_floating(const Tensor& x, F f, UnaryKernel kernel = nullptr) {
  if (x.dtype() == float64) return map<double, double>(x, f);
  if (!kernel || x.numel() < worth_a_kernel) return map<float, float>(x, f);
  Tensor y = make_tensor(x.shape(), float32);
  kernel(elements<float>(y), elements<float>(x), x.numel());
  return y;
}

/// The same for functions that are computed in double and rounded once, as the kernels of exp and its relatives do:
/// what becomes of an element does not depend on how many there are.
template <class F>
Tensor map_wide(const Tensor& x, F f, UnaryKernel kernel) {
  return map_floating(
      x, [f]<class T>(T p) { return static_cast<T>(f(static_cast<double>(p))); }, kernel);
}

/// How two operands of different shapes are walked: `outer` runs of `n` elements in which each operand stands still
/// (step 0) or advances (step 1).
class Runs {
 public:
  Runs(const Shape& y, const Shape& a, const Shape& b);

  /// Calls f(offset in a, offset in b) for every run, in the order of y.
  template <class F>
  void for_each(F f) const {
    std::int64_t index[Shape::max_rank] = {};
    std::int64_t at_a = 0, at_b = 0;
    for (std::int64_t run = 0; run < count; ++run) {
      f(at_a, at_b);
      for (int d = outer_rank_ - 1; d >= 0; --d) {
        at_a += stride_a_[d];
        at_b += stride_b_[d];
        if (++index[d] < extent_[d]) break;
        at_a -= extent_[d] * stride_a_[d];
        at_b -= extent_[d] * stride_b_[d];
        index[d] = 0;
      }
    }
  }

  std::int64_t n = 1, count = 1;
  std::int64_t step_a = 0, step_b = 0;

 private:
  int outer_rank_ = 0;
  std::int64_t extent_[Shape::max_rank] = {}, stride_a_[Shape::max_rank] = {}, stride_b_[Shape::max_rank] = {};
};

template <class T, class R, class F>
void run(R* y, const T* a, const T* b, const Runs& runs, F f) {
  const std::int64_t n = runs.n;
  if (runs.step_a && runs.step_b) {
    for (std::int64_t i = 0; i < n; ++i) y[i] = f(a[i], b[i]);
  } else if (runs.step_a) {
    for (std::int64_t i = 0; i < n; ++i) y[i] = f(a[i], *b);
  } else if (runs.step_b) {
    for (std::int64_t i = 0; i < n; ++i) y[i] = f(*a, b[i]);
  } else {
    for (std::int64_t i = 0; i < n; ++i) y[i] = f(*a, *b);
  }
}

/// y = f(a, b) with elements of T, results of R; both operands must have the dtype of T already.
template <class T, class R, class F>
Tensor zip(const Tensor& a, const Tensor& b, F f, [[maybe_unused]] BinaryKernel kernel = nullptr) {
  Tensor y = make_tensor(broadcast_shapes(a.shape(), b.shape()), dtype_of<R>);
  R* to = elements<R>(y);
  const T *from_a = elements<T>(a), *from_b = elements<T>(b);
  if constexpr (std::same_as<T, float> && std::same_as<R, float>) {
    if (kernel && a.shape() == b.shape() && y.numel() >= worth_a_kernel) {
      kernel(to, from_a, from_b, y.numel());
      return y;
    }
  }
  const Runs runs(y.shape(), a.shape(), b.shape());
  runs.for_each([&](std::int64_t at_a, std::int64_t at_b) {
    if constexpr (std::same_as<T, float> && std::same_as<R, float>) {
      if (kernel && runs.step_a && runs.step_b && runs.n >= worth_a_kernel) {
        kernel(to, from_a + at_a, from_b + at_b, runs.n);
        to += runs.n;
        return;
      }
    }
    run(to, from_a + at_a, from_b + at_b, runs, f);
    to += runs.n;
  });
  return y;
}

/// The dtype in which two tensors meet: a 0-d tensor only matters when its kind (boolean, integer, floating) is higher.
Dtype result_type(const Tensor& a, const Tensor& b);

/// The number as a 0-d tensor, in the dtype in which it meets x.
inline Tensor number_like(const Tensor& x, Scalar number) {
  return full({}, number, promote(x.dtype(), number.kind()));
}

/// x as floating: float32 for integers and booleans.
inline Tensor floating(const Tensor& x) { return is_floating(x.dtype()) ? x : x.to(float32); }

}  // namespace gradus::detail
