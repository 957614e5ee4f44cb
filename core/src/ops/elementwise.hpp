// Loops over elements, for one and two operands, with broadcasting. Floating elements go to a kernel where one is
// given.
#pragma once

#include "autograd/record.hpp"
#include "kernels/kernels.hpp"
#include "ops/groups.hpp"
#include "tensor/message.hpp"

#include <optional>

namespace gradus::detail {

using kernels::Binary;
using kernels::Unary;

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

/// The same for a floating x of either width, which a kernel serves where one is given.
template <class F>
Tensor map_floating(const Tensor& x, F f, std::optional<Unary> kernel = {}) {
  return visit_floating(x.dtype(), [&]<class T>(T*) {
    if (!kernel || x.numel() < worth_a_kernel) return map<T, T>(x, f);
    Tensor y = make_tensor(x.shape(), x.dtype());
    kernels::map(*kernel, elements<T>(y), elements<T>(x), x.numel());
    return y;
  });
}
/// For functions that a kernel computes in another way than the standard library does: what becomes of an element must
/// not depend on how many there are.
inline Tensor map_floating(const Tensor& x, Unary kernel) {
  Tensor y = make_tensor(x.shape(), x.dtype());
  visit_floating(x.dtype(), [&]<class T>(T*) { kernels::map(kernel, elements<T>(y), elements<T>(x), x.numel()); });
  return y;
}

/// dx from dy and what was saved, by a kernel; undefined where it must be differentiable itself: then it is composed.
Tensor fused_backward(const Tensor& dy, const Tensor& saved, Binary kernel);

/// How operands of shapes that broadcast to `shape` are walked together.
template <std::size_t N>
Walk<N> broadcast_walk(const Shape& shape, const std::array<const Shape*, N>& operands) {
  Walk<N> walk;
  std::array<std::int64_t, N> pace;
  for (std::size_t i = 0; i < N; ++i) pace[i] = numel(*operands[i]);
  for (int d = 0; d < shape.rank(); ++d) {
    std::array<std::int64_t, N> stride{};
    for (std::size_t i = 0; i < N; ++i) {
      const int own = d - (shape.rank() - operands[i]->rank());
      if (own < 0 || (*operands[i])[own] == 1) continue;
      pace[i] /= (*operands[i])[own];
      stride[i] = pace[i];
    }
    walk.push(shape[d], stride);
  }
  return walk;
}

template <class T, class R, class F>
void run(R* y, const T* a, std::int64_t step_a, const T* b, std::int64_t step_b, std::int64_t n, F f) {
  if (step_a && step_b) {
    for (std::int64_t i = 0; i < n; ++i) y[i] = f(a[i], b[i]);
  } else if (step_a) {
    for (std::int64_t i = 0; i < n; ++i) y[i] = f(a[i], *b);
  } else if (step_b) {
    for (std::int64_t i = 0; i < n; ++i) y[i] = f(*a, b[i]);
  } else {
    for (std::int64_t i = 0; i < n; ++i) y[i] = f(*a, *b);
  }
}

/// y = f(a, b) with elements of T, results of R; both operands must have the dtype of T already.
template <class T, class R, class F>
Tensor zip(const Tensor& a, const Tensor& b, F f, [[maybe_unused]] std::optional<Binary> kernel = {}) {
  constexpr bool has_kernels = std::floating_point<T> && std::same_as<T, R>;
  const bool alike = a.shape() == b.shape();
  Tensor y = make_tensor(alike ? a.shape() : broadcast_shapes(a.shape(), b.shape()), dtype_of<R>);
  R* to = elements<R>(y);
  const T *from_a = elements<T>(a), *from_b = elements<T>(b);
  const std::int64_t count = y.numel();
  if constexpr (has_kernels) {
    if (kernel && alike && count >= worth_a_kernel) {
      kernels::zip<T>(*kernel, to, {from_a, 0, 1}, {from_b, 0, 1}, 1, count);
      return y;
    }
  }
  if (alike || count == 0) return run(to, from_a, 1, from_b, 1, count, f), y;

  Walk<2> walk = broadcast_walk<2>(y.shape(), {&a.shape(), &b.shape()});
  const Walk<2>::Dimension inner = walk.pop();
  const std::int64_t n = inner.extent;
  if constexpr (has_kernels) {
    if (kernel && count >= worth_a_kernel) {
      const Walk<2>::Dimension outer = walk.pop();
      walk.for_each(0, walk.count(), [&](auto, auto at) {
        kernels::zip<T>(*kernel, to, {from_a + at[0], outer.stride[0], inner.stride[0]},
                        {from_b + at[1], outer.stride[1], inner.stride[1]}, outer.extent, n);
        to += outer.extent * n;
      });
      return y;
    }
  }
  walk.for_each(0, walk.count(), [&](auto, auto at) {
    run(to, from_a + at[0], inner.stride[0], from_b + at[1], inner.stride[1], n, f);
    to += n;
  });
  return y;
}

/// a where `condition` is true, else b, all broadcast to `shape`, outside the graph; a and b have one dtype.
Tensor choose(const Shape& shape, const Tensor& condition, const Tensor& a, const Tensor& b);

/// The dtype in which two tensors meet: a 0-d tensor only matters when its kind (boolean, integer, floating) is higher.
Dtype result_type(const Tensor& a, const Tensor& b);

/// The number as a 0-d tensor, in the dtype in which it meets x.
inline Tensor number_like(const Tensor& x, Scalar number, const char* op = __builtin_FUNCTION()) {
  check_defined(x, op);
  return full({}, number, promote(x.dtype(), number.kind()));
}

/// x as floating: float32 for integers and booleans.
inline Tensor floating(const Tensor& x, const char* op = __builtin_FUNCTION()) {
  check_defined(x, op);
  return is_floating(x.dtype()) ? x : x.to(float32);
}

}  // namespace gradus::detail
