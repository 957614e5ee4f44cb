// Functions of one operand: each with its derivative.
#include "ops/elementwise.hpp"

#include <cmath>
#include <functional>
#include <limits>
#include <numbers>

namespace gradus {

using namespace detail;

Tensor detail::fused_backward(const Tensor& dy, const Tensor& saved, Binary kernel) {
  if (grad_enabled()) return {};
  Tensor dx = make_tensor(dy.shape(), dy.dtype());
  visit_floating(dy.dtype(), [&]<class T>(T*) {
    kernels::zip<T>(kernel, elements<T>(dx), {elements<T>(dy), 0, 1}, {elements<T>(saved), 0, 1}, 1, dy.numel());
  });
  return dx;
}

namespace {

std::int64_t negative(std::int64_t p) { return minus(std::int64_t{0}, p); }

}  // namespace

Tensor neg(const Tensor& x) {
  check_defined(x);
  if (x.dtype() == boolean) throw RuntimeError("Negation, the `-` operator, on a bool tensor is not supported.");
  Tensor y =
      x.dtype() == int64 ? map<std::int64_t, std::int64_t>(x, negative) : map_floating(x, std::negate<>(), Unary::neg);
  if (tracks(x)) record(y, "NegBackward0", {x}, [](const Tensor& dy, InputGradients& dx) { dx[0] = -dy; });
  return y;
}

Tensor abs(const Tensor& x) {
  check_defined(x);
  if (x.dtype() == boolean) return x;
  Tensor y = x.dtype() == int64
                 ? map<std::int64_t, std::int64_t>(x, [](std::int64_t p) { return p < 0 ? negative(p) : p; })
                 : map_floating(x, Unary::abs);
  if (tracks(x)) {
    record(y, "AbsBackward0", {x}, keep(x),
           [](const Tensor& dy, const Tensor& x, InputGradients& dx) { dx[0] = dy * sign(x.detach()); });
  }
  return y;
}

Tensor square(const Tensor& x) {
  check_defined(x);
  return pow(x, 2);
}

Tensor sqrt(const Tensor& x_) {
  const Tensor x = floating(x_);
  Tensor y = map_floating(
      x, [](auto p) { return std::sqrt(p); }, Unary::sqrt);
  if (tracks(x)) {
    record(y, "SqrtBackward0", {x}, keep(y),
           [](const Tensor& dy, const Tensor& y, InputGradients& dx) { dx[0] = dy / (y * 2); });
  }
  return y;
}

Tensor rsqrt(const Tensor& x_) {
  const Tensor x = floating(x_);
  Tensor y = map_floating(
      x, [](auto p) { return 1 / std::sqrt(p); }, Unary::rsqrt);
  if (tracks(x)) {
    record(y, "RsqrtBackward0", {x}, keep(y),
           [](const Tensor& dy, const Tensor& y, InputGradients& dx) { dx[0] = dy * pow(y, 3) * -0.5; });
  }
  return y;
}

Tensor reciprocal(const Tensor& x_) {
  const Tensor x = floating(x_);
  Tensor y = map_floating(x, Unary::reciprocal);
  if (tracks(x)) {
    record(y, "ReciprocalBackward0", {x}, keep(y),
           [](const Tensor& dy, const Tensor& y, InputGradients& dx) { dx[0] = -dy * square(y); });
  }
  return y;
}

Tensor exp(const Tensor& x_) {
  const Tensor x = floating(x_);
  Tensor y = map_floating(x, Unary::exp);
  if (tracks(x)) {
    record(y, "ExpBackward0", {x}, keep(y),
           [](const Tensor& dy, const Tensor& y, InputGradients& dx) { dx[0] = dy * y; });
  }
  return y;
}

Tensor log(const Tensor& x_) {
  const Tensor x = floating(x_);
  Tensor y = map_floating(x, Unary::log);
  if (tracks(x)) {
    record(y, "LogBackward0", {x}, keep(x),
           [](const Tensor& dy, const Tensor& x, InputGradients& dx) { dx[0] = dy / x; });
  }
  return y;
}

Tensor log1p(const Tensor& x_) {
  const Tensor x = floating(x_);
  Tensor y = map_floating(x, Unary::log1p);
  if (tracks(x)) {
    record(y, "Log1PBackward0", {x}, keep(x),
           [](const Tensor& dy, const Tensor& x, InputGradients& dx) { dx[0] = dy / (x + 1); });
  }
  return y;
}

Tensor expm1(const Tensor& x_) {
  const Tensor x = floating(x_);
  Tensor y = map_floating(x, Unary::expm1);
  if (tracks(x)) {
    record(y, "Expm1Backward0", {x}, keep(y),
           [](const Tensor& dy, const Tensor& y, InputGradients& dx) { dx[0] = dy * (y + 1); });
  }
  return y;
}

Tensor sin(const Tensor& x_) {
  const Tensor x = floating(x_);
  Tensor y = map_floating(x, [](auto p) { return std::sin(p); });
  if (tracks(x)) {
    record(y, "SinBackward0", {x}, keep(x),
           [](const Tensor& dy, const Tensor& x, InputGradients& dx) { dx[0] = dy * cos(x); });
  }
  return y;
}

Tensor cos(const Tensor& x_) {
  const Tensor x = floating(x_);
  Tensor y = map_floating(x, [](auto p) { return std::cos(p); });
  if (tracks(x)) {
    record(y, "CosBackward0", {x}, keep(x),
           [](const Tensor& dy, const Tensor& x, InputGradients& dx) { dx[0] = -dy * sin(x); });
  }
  return y;
}

Tensor erf(const Tensor& x_) {
  const Tensor x = floating(x_);
  Tensor y = map_floating(x, [](auto p) { return std::erf(p); });
  if (tracks(x)) {
    record(y, "ErfBackward0", {x}, keep(x), [](const Tensor& dy, const Tensor& x, InputGradients& dx) {
      dx[0] = dy * exp(-square(x)) * (2 * std::numbers::inv_sqrtpi);
    });
  }
  return y;
}

Tensor tanh(const Tensor& x_) {
  const Tensor x = floating(x_);
  Tensor y = map_floating(x, Unary::tanh);
  if (tracks(x)) {
    record(y, "TanhBackward0", {x}, keep(y), [](const Tensor& dy, const Tensor& y, InputGradients& dx) {
      dx[0] = fused_backward(dy, y, Binary::tanh_backward);
      if (!dx[0].defined()) dx[0] = dy * (1 - square(y));
    });
  }
  return y;
}

Tensor sigmoid(const Tensor& x_) {
  const Tensor x = floating(x_);
  Tensor y = map_floating(x, Unary::sigmoid);
  if (tracks(x)) {
    record(y, "SigmoidBackward0", {x}, keep(y), [](const Tensor& dy, const Tensor& s, InputGradients& dx) {
      dx[0] = fused_backward(dy, s, Binary::sigmoid_backward);
      if (!dx[0].defined()) dx[0] = dy * (s * (1 - s));
    });
  }
  return y;
}

namespace {

/// dy where y > 0, else slope * dy: the derivative of relu (slope 0), from the output, and leaky_relu. Linear in dy. As
/// in PyTorch, relu hands dy on where y is NaN.
Tensor where_positive(const Tensor& dy, const Tensor& y, double slope) {
  Tensor dx = visit(dy.dtype(), [&]<class T>(T*) {
    const T leak = static_cast<T>(slope);
    const auto kernel = slope == 0 ? std::optional(Binary::relu_backward) : std::nullopt;
    return zip<T, T>(
        dy, y,
        [leak](T d, T v) -> T {
          if (leak == 0) return v <= 0 ? T{0} : d;
          return v > 0 ? d : static_cast<T>(d * leak);
        },
        kernel);
  });
  if (tracks(dy)) {
    record(
        dx, "ThresholdBackwardBackward0", {dy}, keep(y),
        [slope](const Tensor& ddx, const Tensor& y, InputGradients& ddy) { ddy[0] = where_positive(ddx, y, slope); });
  }
  return dx;
}

}  // namespace

Tensor relu(const Tensor& x) {
  check_defined(x);
  if (x.dtype() == boolean) throw RuntimeError("Boolean inputs not supported for relu");
  const auto positive = []<class T>(T p) { return p < T{0} ? T{0} : p; };  // keeps NaN
  Tensor y = x.dtype() == int64 ? map<std::int64_t, std::int64_t>(x, positive) : map_floating(x, positive, Unary::relu);
  if (tracks(x)) {
    record(y, "ReluBackward0", {x}, keep(y),
           [](const Tensor& dy, const Tensor& y, InputGradients& dx) { dx[0] = where_positive(dy, y, 0); });
  }
  return y;
}

Tensor leaky_relu(const Tensor& x_, double negative_slope) {
  const Tensor x = floating(x_);
  Tensor y = visit_floating(x.dtype(), [&]<class T>(T*) {
    return map<T, T>(x, [slope = Scalar(negative_slope).to<T>()](T p) { return p > 0 ? p : p * slope; });
  });
  if (tracks(x)) {
    record(y, "LeakyReluBackward0", {x}, keep(x),
           [negative_slope](const Tensor& dy, const Tensor& x, InputGradients& dx) {
             dx[0] = where_positive(dy, x, negative_slope);
           });
  }
  return y;
}

Tensor gelu(const Tensor& x_) {
  const Tensor x = floating(x_);
  Tensor y = map_floating(x, Unary::gelu);
  if (tracks(x)) {
    record(y, "GeluBackward0", {x}, keep(x),
           [](const Tensor& dy, const Tensor& v, InputGradients& dx) {  // dx = dy (Phi(v) + v phi(v))
             dx[0] = fused_backward(dy, v, Binary::gelu_backward);
             if (dx[0].defined()) return;
             const Tensor cumulative = (erf(v * (1 / std::numbers::sqrt2)) + 1) * 0.5;
             const Tensor density = exp(square(v) * -0.5) * (std::numbers::inv_sqrtpi / std::numbers::sqrt2);
             dx[0] = dy * (cumulative + v * density);
           });
  }
  return y;
}

Tensor softplus(const Tensor& x_) {
  const Tensor x = floating(x_);
  Tensor y = map_floating(x, Unary::softplus);
  if (tracks(x)) {
    record(y, "SoftplusBackward0", {x}, keep(x), [](const Tensor& dy, const Tensor& x, InputGradients& dx) {
      dx[0] = fused_backward(dy, x, Binary::softplus_backward);
      if (!dx[0].defined()) dx[0] = dy * sigmoid(x);
    });
  }
  return y;
}

Tensor clamp(const Tensor& x, std::optional<Scalar> min, std::optional<Scalar> max) {
  check_defined(x);
  if (!min && !max) throw RuntimeError("torch.clamp: At least one of 'min' or 'max' must not be None");
  Dtype dtype = x.dtype();
  if (min) dtype = promote(dtype, min->kind());
  if (max) dtype = promote(dtype, max->kind());
  const Tensor from = x.to(dtype);
  Tensor y = visit(dtype, [&]<class T>(T*) {
    const T low = min ? min->to<T>() : T{}, high = max ? max->to<T>() : T{};
    if constexpr (std::floating_point<T>) {
      if (from.numel() >= worth_a_kernel) {
        constexpr T infinity = std::numeric_limits<T>::infinity();
        Tensor clamped = make_tensor(from.shape(), dtype);
        kernels::clamp(elements<T>(clamped), elements<T>(from), min ? low : -infinity, max ? high : infinity,
                       from.numel());
        return clamped;
      }
    }
    return map<T, T>(from, [&](T p) {
      if (min && p < low) p = low;
      if (max && p > high) p = high;
      return p;
    });
  });
  if (tracks(from)) {
    record(y, "ClampBackward1", {from}, keep(from), [min, max](const Tensor& dy, const Tensor& x, InputGradients& dx) {
      if (!grad_enabled()) {
        dx[0] = visit_floating(dy.dtype(), [&]<class T>(T*) {
          constexpr T infinity = std::numeric_limits<T>::infinity();
          const T low = min ? min->to<T>() : -infinity, high = max ? max->to<T>() : infinity;
          return zip<T, T>(dy, x, [low, high](T d, T v) { return d * static_cast<T>((v >= low) & (v <= high)); });
        });
        return;
      }
      Tensor inside = ones_like(dy);
      if (min) inside = inside * (x >= *min).to(dy.dtype());
      if (max) inside = inside * (x <= *max).to(dy.dtype());
      dx[0] = dy * inside;
    });
  }
  return y;
}

}  // namespace gradus
