// binary_cross_entropy_with_logits, and the modules of all losses with weights. Losses of x - target are in
// distance_loss.cpp, those that need the classes together in cross_entropy.cpp.
#include "arguments.hpp"

#include <gradus/nn/loss.hpp>

#include <cmath>

namespace gradus::nn {

using namespace gradus::detail;

namespace {

/// max(x, 0) - x t + log(1 + exp(-|x|)) for weight 1: nothing overflows and nothing cancels, however sure the logit.
template <class T>
Tensor binary_losses(const Tensor& x, const Tensor& target, const Tensor& pos_weight) {
  Tensor y = make_tensor(x.shape(), dtype_of<T>);
  const T *logit = elements<T>(x), *answer = elements<T>(target);
  const T* positive = elements_or_null<T>(pos_weight);
  for (std::int64_t i = 0, n = x.numel(); i < n; ++i) {
    const double v = logit[i], t = answer[i], p = positive ? positive[i] : 1;
    const double linear = v > 0 ? (1 - t) * v : -p * t * v;
    elements<T>(y)[i] = static_cast<T>(linear + (1 - t + p * t) * std::log1p(std::exp(-std::abs(v))));
  }
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
    y = dtype == float32 ? binary_losses<float>(x, target, p) : binary_losses<double>(x, target, p);
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

// --- modules: the options without the weights, which are state

CrossEntropyLoss::CrossEntropyLoss(const CrossEntropyOptions& options) : weight(options.weight), options_(options) {
  options_.weight = {};
}

Tensor CrossEntropyLoss::forward(const Tensor& x, const Tensor& target) const {
  CrossEntropyOptions options = options_;
  options.weight = weight;
  return functional::cross_entropy(x, target, options);
}

NLLLoss::NLLLoss(const NllOptions& options) : weight(options.weight), options_(options) { options_.weight = {}; }

Tensor NLLLoss::forward(const Tensor& log_probabilities, const Tensor& target) const {
  NllOptions options = options_;
  options.weight = weight;
  return functional::nll_loss(log_probabilities, target, options);
}

BCEWithLogitsLoss::BCEWithLogitsLoss(const BceOptions& options)
    : weight(options.weight), pos_weight(options.pos_weight), reduction_(options.reduction) {}

Tensor BCEWithLogitsLoss::forward(const Tensor& x, const Tensor& target) const {
  const BceOptions options{.weight = weight, .reduction = reduction_, .pos_weight = pos_weight};
  return functional::binary_cross_entropy_with_logits(x, target, options);
}

}  // namespace gradus::nn
