// add, sub, mul, div, pow, maximum, minimum: each with its derivative. A broadcast operand enters the graph through
// broadcast_input(x, y.shape()), which sums its gradient back to its shape.
#include "ops/elementwise.hpp"

#include <cmath>

namespace gradus {

using namespace detail;

namespace {

/// f over two tensors in the dtype they meet in.
template <class F>
Tensor zip_promoted(const Tensor& a, const Tensor& b, F f, BinaryLoop kernel = {}) {
  return visit(a.dtype(), [&]<class T>(T*) {
    return zip<T, T>(
        a, b, [f](T p, T q) { return static_cast<T>(f(p, q)); }, kernel);
  });
}

enum class Order { tensor_first, number_first };

/// f(x, s), or f(s, x), in the dtype that x and the number meet in.
template <class F>
Tensor map_scalar(const Tensor& x_, Scalar scalar, F f, BinaryLoop kernel, Order order = Order::tensor_first,
                  const char* op = __builtin_FUNCTION()) {
  check_defined(x_, op);
  const Tensor x = x_.to(promote(x_.dtype(), scalar.kind()));
  return visit(x.dtype(), [&]<class T>(T*) {
    const T s = scalar.rounded<T>();
    if constexpr (std::floating_point<T>) {
      if (x.numel() >= worth_a_kernel) {
        Tensor y = make_tensor(x.shape(), x.dtype());
        const kernels::Operand<T> tensor{elements<T>(x), 0, 1}, number{&s, 0, 0};
        const bool swapped = order == Order::number_first;
        kernel(elements<T>(y), swapped ? number : tensor, swapped ? tensor : number, 1, x.numel());
        return y;
      }
    }
    return map<T, T>(x, [=](T p) { return static_cast<T>(order == Order::tensor_first ? f(p, s) : f(s, p)); });
  });
}

/// An operation of two tensors, of these in the dtype that they meet in.
Tensor in_one_dtype(Tensor (*operation)(const Tensor&, const Tensor&), const Tensor& a, const Tensor& b) {
  const Dtype dtype = result_type(a, b);
  return operation(a.to(dtype), b.to(dtype));
}

template <class T>
T power(T base, T exponent) {
  if constexpr (std::is_floating_point_v<T>) {
    if (exponent == 2) return base * base;
    return std::pow(base, exponent);
  } else {
    auto square = static_cast<std::uint64_t>(base), result = std::uint64_t{1};  // wraps around where it overflows
    for (auto e = static_cast<std::uint64_t>(exponent); e > 0; e /= 2, square *= square) {
      if (e % 2) result *= square;
    }
    return static_cast<T>(result);
  }
}

/// For exponents that need no logarithm, as in PyTorch.
UnaryLoop power_kernel(double exponent) {
  if (exponent == 2) return loop<Unary::square>;
  if (exponent == 3) return loop<Unary::cube>;
  if (exponent == 0.5) return loop<Unary::sqrt>;
  if (exponent == -0.5) return loop<Unary::rsqrt>;
  if (exponent == -1) return loop<Unary::reciprocal>;
  return {};
}

Tensor power_of(const Tensor& x, Scalar exponent) {
  const auto kernel = power_kernel(exponent.to<double>());
  if (kernel && is_floating(x.dtype())) return map_floating(x, kernel);
  return visit(x.dtype(),
               [&]<class T>(T*) { return map<T, T>(x, [e = exponent.rounded<T>()](T p) { return power(p, e); }); });
}

void refuse_subtraction(Dtype a, Dtype b) {
  if (a != boolean && b != boolean) return;
  fail<RuntimeError>("Subtraction, the `-` operator, with ",
                     a == b ? "two bool tensors is not supported. Use the `^` or `logical_xor()` operator instead."
                            : "a bool tensor is not supported. If you are trying to invert a mask, use the `~` or "
                              "`logical_not()` operator instead.",
                     "\nin gradus: a != b, logical_not(a), or convert with to(dtype)");
}

void refuse_integer_power(bool is_negative) {
  throw_if<RuntimeError>(is_negative, "Integers to negative integer powers are not allowed.");
}

}  // namespace

Tensor add(const Tensor& a, const Tensor& b) {
  check_defined(a, b);
  if (a.dtype() != b.dtype()) return in_one_dtype(add, a, b);
  Tensor y = zip_promoted(a, b, plus, loop<Binary::add>);
  return recorded(y, "AddBackward0", {broadcast_input(a, y.shape()), broadcast_input(b, y.shape())},
                  Elementwise([](const Tensor& dy, InputGradients& dx) {
                    dx[0] = dy;
                    dx[1] = dy;
                  }));
}

Tensor sub(const Tensor& a, const Tensor& b) {
  check_defined(a, b);
  refuse_subtraction(a.dtype(), b.dtype());
  if (a.dtype() != b.dtype()) return in_one_dtype(sub, a, b);
  Tensor y = zip_promoted(a, b, minus, loop<Binary::sub>);
  return recorded(y, "SubBackward0", {broadcast_input(a, y.shape()), broadcast_input(b, y.shape())},
                  Elementwise([](const Tensor& dy, InputGradients& dx) {
                    dx[0] = dy;
                    if (dx.needs(1)) dx[1] = -dy;
                  }));
}

Tensor mul(const Tensor& a, const Tensor& b) {
  check_defined(a, b);
  if (a.dtype() != b.dtype()) return in_one_dtype(mul, a, b);
  Tensor y = zip_promoted(a, b, times, loop<Binary::mul>);
  return recorded(y, "MulBackward0", {broadcast_input(a, y.shape()), broadcast_input(b, y.shape())},
                  keep(only_if(tracks(b), a), only_if(tracks(a), b)),
                  Elementwise([](const Tensor& dy, const Tensor& a, const Tensor& b, InputGradients& dx) {
                    if (dx.needs(0)) dx[0] = dy * b;
                    if (dx.needs(1)) dx[1] = dy * a;
                  }));
}

Tensor div(const Tensor& a, const Tensor& b) {
  check_defined(a, b);
  if (a.dtype() != b.dtype()) return in_one_dtype(div, a, b);
  if (!is_floating(a.dtype())) return div(a.to(float32), b.to(float32));
  Tensor y = zip_promoted(
      a, b, [](auto p, auto q) { return p / q; }, loop<Binary::div>);
  return recorded(y, "DivBackward0", {broadcast_input(a, y.shape()), broadcast_input(b, y.shape())},
                  keep(only_if(tracks(b), a), b),
                  Elementwise([](const Tensor& dy, const Tensor& a, const Tensor& b, InputGradients& dx) {
                    if (dx.needs(0)) dx[0] = dy / b;
                    if (dx.needs(1)) dx[1] = -dy * ((a / b) / b);
                  }));
}

Tensor add(const Tensor& a, Scalar b) {
  Tensor y = map_scalar(a, b, plus, loop<Binary::add>);
  return recorded(y, "AddBackward0", {a}, Elementwise([](const Tensor& dy) { return dy; }));
}

Tensor sub(const Tensor& a, Scalar b) {
  check_defined(a);
  refuse_subtraction(a.dtype(), b.kind());
  Tensor y = map_scalar(a, b, minus, loop<Binary::sub>);
  return recorded(y, "SubBackward0", {a}, Elementwise([](const Tensor& dy) { return dy; }));
}

Tensor rsub(Scalar a, const Tensor& b) {
  check_defined(b);
  refuse_subtraction(a.kind(), b.dtype());
  Tensor y = map_scalar(b, a, minus, loop<Binary::sub>, Order::number_first);
  return recorded(y, "RsubBackward1", {b}, Elementwise([](const Tensor& dy) { return -dy; }));
}

Tensor mul(const Tensor& a, Scalar b) {
  Tensor y = map_scalar(a, b, times, loop<Binary::mul>);
  return recorded(y, "MulBackward0", {a}, Elementwise([b](const Tensor& dy) { return dy * b; }));
}

Tensor div(const Tensor& a, Scalar b) {
  Tensor y = map_scalar(
      floating(a), b, [](auto p, auto s) { return p / s; }, loop<Binary::div>);
  return recorded(y, "DivBackward0", {a}, Elementwise([b](const Tensor& dy) { return dy / b; }));
}

Tensor rdiv(Scalar a, const Tensor& b) {
  check_defined(b);
  if (tracks(b)) return reciprocal(b) * a;
  return map_scalar(
      floating(b), a, [](auto s, auto p) { return 1 / p * s; }, loop<Binary::reciprocal_times>, Order::number_first);
}

Tensor pow(const Tensor& a, Scalar exponent) {
  check_defined(a);
  const Dtype dtype = promote(a.dtype(), exponent.kind());
  refuse_integer_power(!is_floating(dtype) && exponent.to<std::int64_t>() < 0);
  Tensor y = power_of(a.to(dtype), exponent);
  return recorded(y, "PowBackward0", {a}, keep(a),
                  Elementwise([p = exponent.to<double>()](const Tensor& dy, const Tensor& a) {
                    return p == 0 ? dy * 0.0 : dy * (p == 2 ? a * 2.0 : pow(a, p - 1) * p);
                  }));
}

Tensor pow(const Tensor& a, const Tensor& b) {
  check_defined(a, b);
  if (a.dtype() != b.dtype()) return in_one_dtype(pow, a, b);
  refuse_integer_power(!is_floating(b.dtype()) && b.numel() > 0 && b.min().item<std::int64_t>() < 0);
  Tensor y = zip_promoted(a, b, [](auto p, auto q) { return power(p, q); });
  return recorded(
      y, "PowBackward1", {broadcast_input(a, y.shape()), broadcast_input(b, y.shape())}, keep(a, b, y),
      [](const Tensor& dy, const Tensor& base, const Tensor& exponent, const Tensor& y, InputGradients& dx) {
        if (dx.needs(0)) {
          const Tensor slope = exponent * pow(base, exponent - 1);
          dx[0] = dy * where(exponent == 0, zeros_like(slope), slope);
        }
        if (dx.needs(1)) {  // 0^b is 0 for every b > 0, so its slope is 0 where log would say -infinity
          const Tensor slope = y * log(base);
          dx[1] = dy * where((base == 0) * (exponent >= 0), zeros_like(slope), slope);
        }
      });
}

Tensor pow(Scalar base, const Tensor& exponent) {
  check_defined(exponent);
  const Dtype dtype = promote(exponent.dtype(), base.kind());
  return pow(visit(dtype, [&]<class T>(T*) { return full({}, base.rounded<T>(), dtype); }), exponent);
}

namespace {

/// max or min of two tensors; where they are equal each gets half of the gradient. NaN wins, and loses to none.
template <class F>
Tensor extremum(const Tensor& a_, const Tensor& b_, const char* name, F wins, BinaryLoop kernel,
                const char* op = __builtin_FUNCTION()) {
  check_defined(a_, b_, op);
  const Dtype dtype = result_type(a_, b_);
  const Tensor a = a_.to(dtype), b = b_.to(dtype);
  Tensor y = zip_promoted(
      a, b, [wins](auto p, auto q) { return p != p || wins(p, q) ? p : q; }, kernel);
  return recorded(y, name, {broadcast_input(a, y.shape()), broadcast_input(b, y.shape())}, keep(a, b),
                  [wins](const Tensor& dy, const Tensor& p, const Tensor& q, InputGradients& dx) {
                    const Tensor share = dy / (1 + (p == q).to(dy.dtype()));
                    if (dx.needs(0)) dx[0] = masked_fill(share, wins(q, p), 0);
                    if (dx.needs(1)) dx[1] = masked_fill(share, wins(p, q), 0);
                  });
}

}  // namespace

Tensor maximum(const Tensor& a, const Tensor& b) {
  return extremum(
      a, b, "MaximumBackward0", [](const auto& p, const auto& q) { return p > q; }, loop<Binary::maximum>);
}

Tensor minimum(const Tensor& a, const Tensor& b) {
  return extremum(
      a, b, "MinimumBackward0", [](const auto& p, const auto& q) { return p < q; }, loop<Binary::minimum>);
}

Tensor maximum(const Tensor& a, Scalar b) { return maximum(a, number_like(a, b)); }
Tensor maximum(Scalar a, const Tensor& b) { return maximum(number_like(b, a), b); }
Tensor minimum(const Tensor& a, Scalar b) { return minimum(a, number_like(a, b)); }
Tensor minimum(Scalar a, const Tensor& b) { return minimum(number_like(b, a), b); }

}  // namespace gradus
