// Losses of the difference x - target, and those of probabilities.
#include "arguments.hpp"
#include "ops/elementwise.hpp"

#include <gradus/nn/loss.hpp>

#include <algorithm>
#include <cfloat>
#include <cmath>

namespace gradus::nn {

using namespace gradus::detail;

namespace {

Tensor limited(const Tensor& d, double most) { return clamp(d, -most, most); }
template <std::floating_point T>
T limited(T d, double most) {
  const T high = static_cast<T>(most), below = high < d ? high : d;
  return below < -high ? -high : below;
}

/// slope(x - target) * factor, a 0-d tensor.
template <class Slope>
Tensor scaled_slope(const Tensor& x, const Tensor& target, const Tensor& factor, Slope slope) {
  if (grad_enabled() || factor.dim() > 0) return slope(x - target) * factor;
  return visit_floating(x.dtype(), [&]<class T>(T*) {
    return zip<T, T, true>(x, target, [slope, scale = factor.item<T>()](T p, T t) { return slope(p - t) * scale; });
  });
}

/// The loss whose value is `value(x - target)`, of numbers, and whose derivative by x - target is `slope(x - target)`,
/// of numbers or tensors, times `factor`.
template <class Value, class Slope>
Tensor difference_loss(const char* node, const Tensor& x, const Tensor& target, Reduction reduction, Value value,
                       Slope slope, double factor = 1) {
  Tensor y;
  {
    const NoGradGuard no_grad;
    const Tensor losses = visit_floating(
        x.dtype(), [&]<class T>(T*) { return zip<T, T, true>(x, target, [value](T p, T t) { return value(p - t); }); });
    y = reduced(losses, reduction);
  }
  return recorded(y, node, {x, target}, keep(x, target),
                  [slope, scale = factor * share(reduction, x.numel())](const Tensor& dy, const Tensor& x,
                                                                        const Tensor& target, InputGradients& dx) {
                    const Tensor d = scaled_slope(x, target, dy * scale, slope);
                    dx[0] = d;
                    if (dx.needs(1)) dx[1] = -d;
                  });
}

}  // namespace

Tensor functional::mse_loss(const Tensor& x, const Tensor& target, Reduction reduction) {
  check_defined(x, target);
  const Dtype dtype = common_dtype("mse_cpu", x, target);
  const auto value = [](auto d) { return d * d; };
  const auto slope = [](const auto& d) { return d; };
  return difference_loss("MseLossBackward0", x.to(dtype), target.to(dtype), reduction, value, slope, 2);
}

Tensor functional::l1_loss(const Tensor& x, const Tensor& target, Reduction reduction) {
  check_defined(x, target);
  check_same_size(x, target);
  return reduced(abs(x - target), reduction);
}

Tensor functional::huber_loss(const Tensor& x, const Tensor& target, Reduction reduction, double delta) {
  check_defined(x, target);
  throw_if<RuntimeError>(!(delta > 0), "huber_loss does not support non-positive values for delta.\ngot ", delta);
  const Dtype dtype = common_dtype("huber_cpu", x, target);
  const auto value = [delta]<class T>(T d) {
    const T limit = static_cast<T>(delta), low = d < -limit ? -limit : d, near = limit < low ? limit : low;
    return near * (d - near * T(0.5));  // d^2 / 2 where near is d, else limit (|d| - limit / 2)
  };
  const auto slope = [bound = std::min(delta, dtype == float32 ? FLT_MAX : DBL_MAX)](const auto& d) {
    return limited(d, bound);
  };
  return difference_loss("HuberLossBackward0", x.to(dtype), target.to(dtype), reduction, value, slope);
}

Tensor functional::smooth_l1_loss(const Tensor& x, const Tensor& target, Reduction reduction, double beta) {
  check_defined(x, target);
  throw_if<RuntimeError>(!(beta >= 0), "smooth_l1_loss does not support negative values for beta.\ngot ", beta);
  if (beta == 0) return l1_loss(x, target, reduction);
  const Dtype dtype = common_dtype("smooth_l1_cpu", x, target);
  const auto value = [beta]<class T>(T d) {
    const T distance = std::abs(d);
    return distance < static_cast<T>(beta) ? d * d * static_cast<T>(0.5 / beta) : distance - static_cast<T>(0.5 * beta);
  };
  const auto slope = [beta]<class D>(const D& d) {
    if constexpr (std::same_as<D, Tensor>) {
      return limited(d / beta, 1);
    } else {
      return limited(d / static_cast<D>(beta), 1);
    }
  };
  return difference_loss("SmoothL1LossBackward0", x.to(dtype), target.to(dtype), reduction, value, slope);
}

Tensor functional::kl_div(const Tensor& x, const Tensor& target, const KlDivOptions& options) {
  check_defined(x, target);
  common_dtype("kl_div", x, target);
  Tensor losses;
  if (options.log_target) {
    losses = exp(target) * (target - x);
  } else {
    const Tensor none = target <= 0;  // 0 log 0 = 0, also in the gradient
    losses = masked_fill(target * log(masked_fill(target, none, 1)), none, 0) - target * x;
  }
  if (!options.batch_mean) return reduced(losses, options.reduction);
  const double batch = x.dim() == 0 ? 1 : static_cast<double>(x.size(0));
  return losses.sum() / batch;
}

Tensor functional::binary_cross_entropy(const Tensor& x, const Tensor& target, const Tensor& weight,
                                        Reduction reduction) {
  check_defined(x, target);
  if (x.shape() != target.shape()) {
    fail<ValueError>("Using a target size (", torch_size(target.shape()), ") that is different to the input size (",
                     torch_size(x.shape()), ") is deprecated. Please ensure they have the same size.");
  }
  throw_if<RuntimeError>(!is_floating(x.dtype()) || target.dtype() != x.dtype(), "Found dtype ",
                         type_name(target.dtype()), " but expected ", type_name(x.dtype()),
                         "\nbinary_cross_entropy compares floating numbers of one dtype: convert with to()");
  refuse_gradient("binary_cross_entropy", "weight", weight);
  throw_if<RuntimeError>(
      !((x >= 0) == (x <= 1)).all().item<bool>() || isnan(x).any().item<bool>(),
      "all elements of input should be between 0 and 1\nbinary_cross_entropy takes probabilities; for "
      "logits there is binary_cross_entropy_with_logits");
  const Tensor w = weight.defined() ? weight.to(x.dtype()).expand(x.shape()) : ones_like(x);
  Tensor y;
  {
    const NoGradGuard no_grad;
    const Tensor yes = clamp(log(x), -100), no = clamp(log(1 - x), -100);
    y = reduced((target * yes + (1 - target) * no) * -w, reduction);
  }
  return recorded(y, "BinaryCrossEntropyBackward0", {x, target}, keep(x, target, w),
                  [scale = share(reduction, x.numel())](const Tensor& dy, const Tensor& x, const Tensor& target,
                                                        const Tensor& w, InputGradients& dx) {
                    const Tensor dlosses = w * (dy * scale);
                    if (dx.needs(0)) dx[0] = dlosses * (x - target) / clamp(x * (1 - x), 1e-12F);
                    if (dx.needs(1)) dx[1] = dlosses * (clamp(log(1 - x), -100) - clamp(log(x), -100));
                  });
}

}  // namespace gradus::nn
