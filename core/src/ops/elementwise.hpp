// Loops over elements, for one and two operands, with broadcasting. Floating elements go to a kernel where one is
// given.
#pragma once

#include "autograd/record.hpp"
#include "kernels/kernels.hpp"
#include "kernels/loops.hpp"
#include "kernels/targets.hpp"
#include "ops/groups.hpp"
#include "tensor/message.hpp"

namespace gradus::detail {

using kernels::Binary;
using kernels::BinaryLoop;
using kernels::loop;
using kernels::Unary;
using kernels::UnaryLoop;

/// What T is added and multiplied in: an int64 that overflows wraps around, as PyTorch, which C++ has for unsigned
/// only.
template <class T>
using Wrapping = std::conditional_t<std::same_as<T, std::int64_t>, std::uint64_t, T>;

inline constexpr auto plus = []<class T>(T p, T q) { return static_cast<T>(Wrapping<T>(p) + Wrapping<T>(q)); };
inline constexpr auto minus = []<class T>(T p, T q) { return static_cast<T>(Wrapping<T>(p) - Wrapping<T>(q)); };
inline constexpr auto times = []<class T>(T p, T q) { return static_cast<T>(Wrapping<T>(p) * Wrapping<T>(q)); };

/// y[i] = f(x[i]), and y[i] = f(a[i step_a], b[i step_b]), for i below n: a loop over elements of its own types.
using MapLoop = void(void* y, const void* x, std::int64_t n, const void* f);
using ZipLoop = void(void* y, const void* a, std::int64_t step_a, const void* b, std::int64_t step_b, std::int64_t n,
                     const void* f);

/// What a loop gives, run on several threads where there is much to do, as a tensor of dtype `result`; a and b are
/// broadcast against each other.
Tensor map(const Tensor& x, Dtype result, MapLoop* loop, const void* f);
Tensor zip(const Tensor& a, const Tensor& b, Dtype result, ZipLoop* loop, const void* f);

/// The same by a kernel, for a and b of one floating dtype; undefined for few elements.
Tensor zip(const Tensor& a, const Tensor& b, BinaryLoop kernel);
/// Into y, of the shape that a and b broadcast to; it may be a or b.
void zip_into(const Tensor& y, const Tensor& a, const Tensor& b, BinaryLoop kernel);

/// Whether to run a loop over elements of T with results of R vectorised. Floats that become floats mostly have
/// kernels; of the others, most are few, or wait for the standard library.
template <class T, class R>
inline constexpr bool is_worth_vectors = !(std::floating_point<T> && std::same_as<T, R>);

/// y[i] = f(x[i]) with elements of T, results of R; x must have the dtype of T already.
template <class T, class R, class F>
Tensor map(const Tensor& x, F f) {
  const auto loop = [](void* y, const void* from, std::int64_t n, const void* function) {
    kernels::run_vectorised<is_worth_vectors<T, R>>(
        [=, f = *static_cast<const F*>(function), p = static_cast<const T*>(from)] {
          for (std::int64_t i = 0; i < n; ++i) static_cast<R*>(y)[i] = f(kernels::element(p, i));
        });
  };
  return map(x, dtype_of<R>, loop, &f);
}

/// y = f(x) for a floating x of either width, by a kernel, also for few elements: what becomes of one must not depend
/// on how many there are.
inline Tensor map_floating(const Tensor& x, UnaryLoop kernel) {
  Tensor y = make_tensor(x.shape(), x.dtype());
  visit_floating(x.dtype(), [&]<class T>(T*) { kernel(elements<T>(y), elements<T>(x), x.numel()); });
  return y;
}

/// dx from dy and what was saved, by a kernel, in place of a dy that nobody else sees; undefined where it must be
/// differentiable itself: then it is composed.
Tensor fused_backward(const Tensor& dy, const Tensor& saved, BinaryLoop kernel);

/// dx of relu from dy and y, in place of a dy that nobody else sees.
Tensor relu_backward(const Tensor& dy, const Tensor& y);

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

/// An operand whose elements are read in blocks: of one whose step is 0, a block of copies.
template <class T>
class Repeated {
 public:
  static constexpr std::int64_t block = 256;
  Repeated(const void* x, std::int64_t step, std::int64_t n) : at_(static_cast<const T*>(x)), pace_(step * block) {
    if (step) return;
    std::fill_n(copies_, std::min(n, block), *at_);
    at_ = copies_;
  }
  Repeated(const Repeated&) = delete;
  Repeated& operator=(const Repeated&) = delete;
  const T* next() { return std::exchange(at_, at_ + pace_); }

 private:
  const T* at_;
  std::int64_t pace_;
  T copies_[block];
};

/// y[i] = f(a[i step_a], b[i step_b]) for steps of 0 or 1.
template <class T, class R, class F>
void zip_run(void* y, const void* a, std::int64_t step_a, const void* b, std::int64_t step_b, std::int64_t n, F f) {
  Repeated<T> in_a(a, step_a, n), in_b(b, step_b, n);
  for (auto* to = static_cast<R*>(y); n > 0; n -= in_a.block, to += in_a.block) {
    const T *const p = in_a.next(), *const q = in_b.next();
    for (std::int64_t i = 0, end = std::min(n, in_a.block); i < end; ++i) {
      to[i] = f(kernels::element(p, i), kernels::element(q, i));
    }
  }
}

/// y = f(a, b) with elements of T, results of R; both operands must have the dtype of T already.
template <class T, class R, bool vectorised = is_worth_vectors<T, R>, class F>
Tensor zip(const Tensor& a, const Tensor& b, F f, [[maybe_unused]] BinaryLoop kernel = {}) {
  if constexpr (std::floating_point<T> && std::same_as<T, R>) {
    if (kernel) {
      if (Tensor y = zip(a, b, kernel); y.defined()) return y;
    }
  }
  const auto loop = [](void* y, const void* p, std::int64_t step_p, const void* q, std::int64_t step_q, std::int64_t n,
                       const void* function) {
    kernels::run_vectorised<vectorised>(
        [=, f = *static_cast<const F*>(function)] { zip_run<T, R>(y, p, step_p, q, step_q, n, f); });
  };
  return zip(a, b, dtype_of<R>, loop, &f);
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
