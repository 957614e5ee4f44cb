#include "arguments.hpp"
#include "ops/elementwise.hpp"

#include <gradus/core/print.hpp>
#include <gradus/nn/activation.hpp>

namespace gradus::nn {

using namespace gradus::detail;

namespace {

/// Refuses a number that the dtype of x cannot hold.
void check_number(const Tensor& x, Scalar number) {
  visit_floating(x.dtype(), [number]<class T>(T*) { static_cast<void>(number.to<T>()); });
}

}  // namespace

Tensor functional::elu(const Tensor& x, double alpha) {
  check_defined(x);
  require_floating("elu_cpu", x.dtype());
  check_number(x, alpha);
  Tensor y = make_tensor(x.shape(), x.dtype());
  visit_floating(x.dtype(), [&]<class T>(T*) { kernels::elu(elements<T>(y), elements<T>(x), alpha, x.numel()); });
  return recorded(y, "EluBackward0", {x}, keep(x), [alpha](const Tensor& dy, const Tensor& x, InputGradients& dx) {
    if (!grad_enabled()) {
      dx[0] = make_tensor(x.shape(), x.dtype());
      visit_floating(x.dtype(), [&]<class T>(T*) {
        kernels::elu_backward(elements<T>(dx[0]), elements<T>(dy), elements<T>(x), alpha, x.numel());
      });
      return;
    }
    const Tensor positive = x > 0;
    dx[0] = dy * where(positive, ones_like(x), exp(masked_fill(x, positive, 0)) * alpha);
  });
}

Tensor functional::silu(const Tensor& x) {
  check_defined(x);
  require_floating("silu_cpu", x.dtype());
  Tensor y = map_floating(x, loop<Unary::silu>);
  return recorded(y, "SiluBackward0", {x}, keep(x), [](const Tensor& dy, const Tensor& x, InputGradients& dx) {
    dx[0] = fused_backward(dy, x, loop<Binary::silu_backward>);
    if (dx[0].defined()) return;
    const Tensor s = sigmoid(x);
    dx[0] = dy * (s * (1 + x * (1 - s)));
  });
}

namespace {

/// dy where x is between the limits, else 0: the derivative of hardtanh. The gradient of x is zeros, as in PyTorch.
Tensor where_inside(const Tensor& dy, const Tensor& x, double min, double max) {
  Tensor dx = visit_floating(x.dtype(), [&]<class T>(T*) {
    const T low = static_cast<T>(min), high = static_cast<T>(max);
    return zip<T, T>(dy, x, [low, high](T d, T v) { return ((v <= low) | (v >= high)) ? T(0) : d; });
  });
  return recorded(dx, "HardtanhBackwardBackward0", {dy, x}, keep(x),
                  [min, max](const Tensor& ddx, const Tensor& x, InputGradients& dx) {
                    if (dx.needs(0)) dx[0] = where_inside(ddx, x, min, max);
                    if (dx.needs(1)) dx[1] = zeros_like(x);
                  });
}

}  // namespace

Tensor functional::hardtanh(const Tensor& x, double min, double max) {
  check_defined(x);
  require_floating("hardtanh_cpu", x.dtype());
  check_number(x, min);
  check_number(x, max);
  Tensor y = make_tensor(x.shape(), x.dtype());
  visit_floating(x.dtype(), [&]<class T>(T*) {
    kernels::clamp(elements<T>(y), elements<T>(x), static_cast<T>(min), static_cast<T>(max), x.numel());
  });
  return recorded(y, "HardtanhBackward0", {x}, keep(x),
                  [min, max](const Tensor& dy, const Tensor& x) { return where_inside(dy, x, min, max); });
}

std::string LeakyReLU::extra_repr() const { return "negative_slope=" + format_number(negative_slope); }

std::string ELU::extra_repr() const { return "alpha=" + float_text(alpha); }

Hardtanh::Hardtanh(double min_val_, double max_val_) : min_val(min_val_), max_val(max_val_) {
  throw_if<ValueError>(!(min_val < max_val), "Hardtanh: expected min_val below max_val, got ", min_val, " and ",
                       max_val);
}

std::string Hardtanh::extra_repr() const {
  return "min_val=" + float_text(min_val) + ", max_val=" + float_text(max_val);
}

}  // namespace gradus::nn
