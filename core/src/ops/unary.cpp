// Functions of one operand: each with its derivative.
#include "ops/elementwise.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

namespace gradus {

using namespace detail;

Tensor detail::fused_backward(const Tensor& dy, const Tensor& saved, BinaryLoop kernel) {
  if (grad_enabled()) return {};
  Tensor dx = owned_alone(dy) ? dy : make_tensor(dy.shape(), dy.dtype());
  visit_floating(dy.dtype(), [&]<class T>(T*) {
    kernel(elements<T>(dx), {elements<T>(dy), 0, 1}, {elements<T>(saved), 0, 1}, 1, dy.numel());
  });
  return dx;
}

constexpr auto negative = [](std::int64_t p) { return minus(std::int64_t{0}, p); };

Tensor neg(const Tensor& x) {
  check_defined(x);
  throw_if<RuntimeError>(x.dtype() == boolean, "Negation, the `-` operator, on a bool tensor is not supported.");
  Tensor y = x.dtype() == int64 ? map<std::int64_t, std::int64_t>(x, negative) : map_floating(x, loop<Unary::neg>);
  return recorded(y, "NegBackward0", {x}, [](const Tensor& dy) { return -dy; });
}

Tensor abs(const Tensor& x) {
  check_defined(x);
  if (x.dtype() == boolean) return x;
  Tensor y = x.dtype() == int64
                 ? map<std::int64_t, std::int64_t>(x, [](std::int64_t p) { return p < 0 ? negative(p) : p; })
                 : map_floating(x, loop<Unary::abs>);
  return recorded(y, "AbsBackward0", {x}, keep(x), [](const Tensor& dy, const Tensor& x) { return dy * sign(x); });
}

Tensor square(const Tensor& x) {
  check_defined(x);
  return pow(x, 2);
}

namespace {

enum class Saves { x, y };

/// What the kernel gives for an x that is made floating. dx = derivative(dy, x), or (dy, y).
template <Saves saves, class F>
Tensor smooth(const Tensor& x_, const char* name, UnaryLoop kernel, F derivative,
              const char* op = __builtin_FUNCTION()) {
  const Tensor x = floating(x_, op);
  Tensor y = map_floating(x, kernel);
  return recorded(y, name, {x}, keep(saves == Saves::x ? x : y), derivative);
}

}  // namespace

Tensor sqrt(const Tensor& x) {
  return smooth<Saves::y>(x, "SqrtBackward0", loop<Unary::sqrt>,
                          [](const Tensor& dy, const Tensor& y) { return dy / (y * 2); });
}

Tensor rsqrt(const Tensor& x) {
  return smooth<Saves::y>(x, "RsqrtBackward0", loop<Unary::rsqrt>,
                          [](const Tensor& dy, const Tensor& y) { return dy * pow(y, 3) * -0.5; });
}

Tensor reciprocal(const Tensor& x) {
  return smooth<Saves::y>(x, "ReciprocalBackward0", loop<Unary::reciprocal>,
                          [](const Tensor& dy, const Tensor& y) { return -dy * square(y); });
}

Tensor exp(const Tensor& x) {
  return smooth<Saves::y>(x, "ExpBackward0", loop<Unary::exp>,
                          [](const Tensor& dy, const Tensor& y) { return dy * y; });
}

Tensor log(const Tensor& x) {
  return smooth<Saves::x>(x, "LogBackward0", loop<Unary::log>,
                          [](const Tensor& dy, const Tensor& x) { return dy / x; });
}

Tensor log1p(const Tensor& x) {
  return smooth<Saves::x>(x, "Log1PBackward0", loop<Unary::log1p>,
                          [](const Tensor& dy, const Tensor& x) { return dy / (x + 1); });
}

Tensor expm1(const Tensor& x) {
  return smooth<Saves::y>(x, "Expm1Backward0", loop<Unary::expm1>,
                          [](const Tensor& dy, const Tensor& y) { return dy * (y + 1); });
}

Tensor sin(const Tensor& x) {
  return smooth<Saves::x>(x, "SinBackward0", loop<Unary::sin>,
                          [](const Tensor& dy, const Tensor& x) { return dy * cos(x); });
}

Tensor cos(const Tensor& x) {
  return smooth<Saves::x>(x, "CosBackward0", loop<Unary::cos>,
                          [](const Tensor& dy, const Tensor& x) { return -dy * sin(x); });
}

Tensor erf(const Tensor& x) {
  return smooth<Saves::x>(x, "ErfBackward0", loop<Unary::erf>, [](const Tensor& dy, const Tensor& x) {
    return dy * exp(-square(x)) * (2 * std::numbers::inv_sqrtpi);
  });
}

Tensor tanh(const Tensor& x) {
  return smooth<Saves::y>(x, "TanhBackward0", loop<Unary::tanh>, [](const Tensor& dy, const Tensor& y) {
    const Tensor dx = fused_backward(dy, y, loop<Binary::tanh_backward>);
    return dx.defined() ? dx : dy * (1 - square(y));
  });
}

Tensor sigmoid(const Tensor& x) {
  return smooth<Saves::y>(x, "SigmoidBackward0", loop<Unary::sigmoid>, [](const Tensor& dy, const Tensor& s) {
    const Tensor dx = fused_backward(dy, s, loop<Binary::sigmoid_backward>);
    return dx.defined() ? dx : dy * (s * (1 - s));
  });
}

namespace {

/// dy where y > 0, else slope * dy: the derivative of relu (slope 0), from the output, and leaky_relu. Linear in dy. As
/// in PyTorch, relu hands dy on where y is NaN, and the gradient of y is zeros, not missing.
Tensor where_positive(const Tensor& dy, const Tensor& y, double slope) {
  Tensor dx = visit_floating(dy.dtype(), [&]<class T>(T*) {
    const T leak = static_cast<T>(slope);
    return zip<T, T>(dy, y, [leak](T d, T v) -> T {
      if (leak == 0) return v <= 0 ? T{0} : d;
      return v > 0 ? d : static_cast<T>(d * leak);
    });
  });
  return recorded(dx, "ThresholdBackwardBackward0", {dy, y}, keep(y),
                  [slope](const Tensor& ddx, const Tensor& y, InputGradients& dx) {
                    if (dx.needs(0)) dx[0] = where_positive(ddx, y, slope);
                    if (dx.needs(1)) dx[1] = zeros_like(y);
                  });
}

}  // namespace

Tensor relu(const Tensor& x) {
  check_defined(x);
  throw_if<RuntimeError>(x.dtype() == boolean, "Boolean inputs not supported for relu");
  const auto positive = [](std::int64_t p) { return p < 0 ? 0 : p; };
  Tensor y = x.dtype() == int64 ? map<std::int64_t, std::int64_t>(x, positive) : map_floating(x, loop<Unary::relu>);
  return recorded(y, "ReluBackward0", {x}, keep(y), relu_backward);
}

Tensor detail::relu_backward(const Tensor& dy, const Tensor& y) {
  const Tensor dx = fused_backward(dy, y, loop<Binary::relu_backward>);
  return dx.defined() ? dx : where_positive(dy, y, 0);
}

Tensor leaky_relu(const Tensor& x_, double negative_slope) {
  const Tensor x = floating(x_);
  Tensor y = make_tensor(x.shape(), x.dtype());
  visit_floating(x.dtype(), [&]<class T>(T*) {
    const T slope = Scalar(negative_slope).to<T>();
    loop<Binary::leaky_relu>(elements<T>(y), {elements<T>(x), 0, 1}, {&slope, 0, 0}, 1, x.numel());
  });
  return recorded(y, "LeakyReluBackward0", {x}, keep(x), [negative_slope](const Tensor& dy, const Tensor& x) {
    return where_positive(dy, x, negative_slope);
  });
}

Tensor gelu(const Tensor& x) {
  return smooth<Saves::x>(x, "GeluBackward0", loop<Unary::gelu>, [](const Tensor& dy, const Tensor& v) {
    Tensor dx = fused_backward(dy, v, loop<Binary::gelu_backward>);
    if (dx.defined()) return dx;  // dy (Phi(v) + v phi(v))
    const Tensor cumulative = (erf(v * (1 / std::numbers::sqrt2)) + 1) * 0.5;
    const Tensor density = exp(square(v) * -0.5) * (std::numbers::inv_sqrtpi / std::numbers::sqrt2);
    return dy * (cumulative + v * density);
  });
}

Tensor softplus(const Tensor& x) {
  return smooth<Saves::x>(x, "SoftplusBackward0", loop<Unary::softplus>, [](const Tensor& dy, const Tensor& x) {
    const Tensor dx = fused_backward(dy, x, loop<Binary::softplus_backward>);
    return dx.defined() ? dx : dy * sigmoid(x);
  });
}

namespace {

/// The limits of clamp in T. Where one is left out: what no number is beyond.
template <class T>
struct Limits {
  using Of = std::numeric_limits<T>;
  static constexpr T least = Of::has_infinity ? -Of::infinity() : Of::lowest();
  static constexpr T most = Of::has_infinity ? Of::infinity() : Of::max();
  Limits(const std::optional<Scalar>& min, const std::optional<Scalar>& max)
      : low(min ? min->to<T>() : least), high(max ? max->to<T>() : most) {}
  T low, high;
};

}  // namespace

Tensor clamp(const Tensor& x, std::optional<Scalar> min, std::optional<Scalar> max) {
  check_defined(x);
  throw_if<RuntimeError>(!min && !max, "torch.clamp: At least one of 'min' or 'max' must not be None");
  Dtype dtype = x.dtype();
  if (min) dtype = promote(dtype, min->kind());
  if (max) dtype = promote(dtype, max->kind());
  const Tensor from = x.to(dtype);
  // As in PyTorch, where one limit alone, if NaN, limits nothing.
  const bool is_nan = min && max && (std::isnan(min->to<double>()) || std::isnan(max->to<double>()));
  Tensor y = is_nan ? full_like(from, NAN) : visit(dtype, [&]<class T>(T*) {
    const Limits<T> limits(min, max);
    if constexpr (std::floating_point<T>) {
      Tensor clamped = make_tensor(from.shape(), dtype);
      kernels::clamp(elements<T>(clamped), elements<T>(from), limits.low, limits.high, from.numel());
      return clamped;
    } else {
      return map<T, T>(from, [limits](T p) { return std::min(std::max(p, limits.low), limits.high); });
    }
  });
  return recorded(y, "ClampBackward1", {from}, keep(from),
                  [min, max](const Tensor& dy, const Tensor& x, InputGradients& dx) {
                    if (!grad_enabled()) {
                      dx[0] = visit_floating(dy.dtype(), [&]<class T>(T*) {
                        return zip<T, T>(dy, x, [limits = Limits<T>(min, max)](T d, T v) {
                          return d * static_cast<T>((v >= limits.low) & (v <= limits.high));
                        });
                      });
                      return;
                    }
                    Tensor inside = ones_like(dy);
                    if (min) inside = inside * (x >= *min).to(dy.dtype());
                    if (max) inside = inside * (x <= *max).to(dy.dtype());
                    dx[0] = dy * inside;
                  });
}

}  // namespace gradus
