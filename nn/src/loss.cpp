// binary_cross_entropy_with_logits. Losses of x - target are in distance_loss.cpp, those that need the classes together
// in cross_entropy.cpp.
#include "arguments.hpp"
#include "kernels/nn_table.hpp"
#include "kernels/split.hpp"

#include <gradus/nn/loss.hpp>

namespace gradus::nn {

using namespace gradus::detail;
using gradus::kernels::exponential, gradus::kernels::split;

namespace {

/// The loss of every logit; p, the weight of the answer 1, may be undefined.
Tensor binary_losses(const Tensor& x, const Tensor& target, const Tensor& p) {
  Tensor y = make_tensor(x.shape(), x.dtype());
  visit_floating(x.dtype(), [&]<class T>(T*) {
    const T* weights = elements_or_null<T>(p);
    split(x.numel(), exponential, 16, [&](std::int64_t i, std::int64_t end) {
      kernels::chosen<&kernels::Kernels<T>::binary_cross_entropy>()(
          elements<T>(y) + i, elements<T>(x) + i, elements<T>(target) + i, weights ? weights + i : nullptr, end - i);
    });
  });
  return y;
}

/// `weight` in the dtype and shape of x, which it must broadcast to; undefined stays undefined.
Tensor spread_over(const Tensor& x, const Tensor& weight) {
  if (!weight.defined()) return weight;
  const Shape shape = broadcast_shapes(x.shape(), weight.shape());
  throw_if<RuntimeError>(shape != x.shape(), "output with shape ", x.shape(), " doesn't match the broadcast shape ",
                         shape);
  return weight.to(x.dtype()).expand(x.shape());
}

/// dloss/dx = (1 - t + p t) sigmoid(x) - p t, with p undefined for 1.
Tensor slope_in_x(const Tensor& x, const Tensor& target, const Tensor& p) {
  if (!p.defined()) return sigmoid(x) - target;
  const Tensor positive = p * target;
  return (1 - target + positive) * sigmoid(x) - positive;
}

/// dloss/dt = (p - 1) softplus(-x) - x; softplus(-x) is the loss for the answer 1.
Tensor slope_in_target(const Tensor& x, const Tensor& p) {
  if (!p.defined()) return -x;
  return (p - 1) * functional::binary_cross_entropy_with_logits(x, ones_like(x), {.reduction = Reduction::none}) - x;
}

}  // namespace

Tensor functional::binary_cross_entropy_with_logits(const Tensor& x_, const Tensor& target_,
                                                    const BceOptions& options) {
  check_defined(x_, target_);
  if (x_.shape() != target_.shape()) {
    fail<ValueError>("Target size (", torch_size(target_.shape()), ") must be the same as input size (",
                     torch_size(x_.shape()), ")");
  }
  for (const Dtype dtype : {x_.dtype(), target_.dtype()}) {
    if (is_floating(dtype)) continue;
    fail<RuntimeError>("result type Float can't be cast to the desired output type ", type_name(dtype),
                       "\nbinary_cross_entropy_with_logits compares floating numbers: convert with to(float32)");
  }
  refuse_gradient("binary_cross_entropy_with_logits", "weight", options.weight);
  refuse_gradient("binary_cross_entropy_with_logits", "pos_weight", options.pos_weight);
  const Dtype dtype = promote(x_.dtype(), target_.dtype());
  const Tensor x = x_.to(dtype), target = target_.to(dtype);
  const Tensor weight = spread_over(x, options.weight), p = spread_over(x, options.pos_weight);
  Tensor y;
  {
    const NoGradGuard no_grad;
    y = binary_losses(x, target, p);
    if (weight.defined()) y = y * weight;
    y = reduced(y, options.reduction);
  }
  return recorded(
      y, "BinaryCrossEntropyWithLogitsBackward0", {x, target}, keep(x, target, weight, p),
      [scale = share(options.reduction, x.numel())](const Tensor& dy, const Tensor& x, const Tensor& target,
                                                    const Tensor& weight, const Tensor& p, InputGradients& dx) {
        const Tensor dlosses = weight.defined() ? weight * (dy * scale) : dy * scale;
        if (dx.needs(0)) dx[0] = slope_in_x(x, target, p) * dlosses;
        if (dx.needs(1)) dx[1] = slope_in_target(x, p) * dlosses;
      });
}

}  // namespace gradus::nn
