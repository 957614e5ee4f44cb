// What layers and losses compute, as functions without state. `namespace F = gradus::nn::functional;` if you like.
#pragma once

#include <gradus/core/random.hpp>

namespace gradus::nn {

/// What becomes of the losses of a batch. The mean of no losses is NaN.
enum class Reduction { none, mean, sum };

struct CrossEntropyOptions {
  Tensor weight = {};                ///< (C), importance of the classes; undefined: all 1. A constant for the gradient
  std::int64_t ignore_index = -100;  ///< samples of this class take no part
  Reduction reduction = Reduction::mean;
  double label_smoothing = 0;  ///< share of the target, in [0, 1], that is spread evenly over all classes
};

struct NllOptions {
  Tensor weight = {};
  std::int64_t ignore_index = -100;
  Reduction reduction = Reduction::mean;
};

struct BceOptions {
  Tensor weight = {};  ///< of each element; broadcasts to x. A constant for the gradient
  Reduction reduction = Reduction::mean;
  Tensor pos_weight = {};  ///< of the positive answer; broadcasts to x. A constant for the gradient
};

namespace functional {

using gradus::gelu, gradus::leaky_relu, gradus::linear, gradus::log_softmax, gradus::relu, gradus::sigmoid,
    gradus::softmax, gradus::softplus, gradus::tanh;

/// Training: each element is 0 with probability p, else x / (1 - p), so that its expectation stays. Otherwise x itself.
/// x floating. Draws in row-major order; nothing when p is 0 or 1. Saves the mask.
/// Throws ValueError unless p is in [0, 1]. Source: Srivastava et al. 2014, scaled in training as PyTorch.
Tensor dropout(const Tensor& x, double p = 0.5, bool training = true, Generator& generator = default_generator());

// --- losses. Sums are carried in double. The dtype is what x and target promote to.

/// (x - target)^2. Saves both.
/// Throws RuntimeError unless floating, ValueError where the shapes differ: where PyTorch broadcasts, and warns.
Tensor mse_loss(const Tensor& x, const Tensor& target, Reduction reduction = Reduction::mean);

/// |x - target|, gradient 0 where they are equal. Throws as mse_loss.
Tensor l1_loss(const Tensor& x, const Tensor& target, Reduction reduction = Reduction::mean);

/// -log softmax(x)[target], from logits x (N, C), (C) or (N, C, d…) and class numbers target (N), () or (N, d…), int64.
/// Smoothing and weights, per sample: -weight[target] (1 - s) lp[target] - s / C sum_c weight[c] lp[c], lp = log
/// softmax(x), s = label_smoothing; the mean is over the sum of weight[target] of the samples that are not ignored.
///
/// With a floating target in the shape of x, probabilities q: -sum_c weight[c] (q[c] (1 - s) + s / C) lp[c]; the mean
/// is over their number, weighted or not. This form is differentiable in target, too.
///
/// Saves x, target and logsumexp(x), or log softmax(x) when it cannot be had in one step.
/// Throws IndexError for a class out of [0, C), ValueError for another number of samples, RuntimeError for other shapes
/// or dtypes and for a smoothing out of [0, 1]. Source: Szegedy et al. 2016, section 7, for smoothing; as PyTorch.
Tensor cross_entropy(const Tensor& x, const Tensor& target, const CrossEntropyOptions& options = {});

/// The same from log-probabilities, for class numbers: -weight[target] x[target].
Tensor nll_loss(const Tensor& log_probabilities, const Tensor& target, const NllOptions& options = {});

/// -weight (pos_weight target log sigmoid(x) + (1 - target) log(1 - sigmoid(x))), from logits x, without overflow.
/// target floating, in the shape of x. Saves both.
/// Throws ValueError where these shapes differ, RuntimeError for weights that do not broadcast or other dtypes.
Tensor binary_cross_entropy_with_logits(const Tensor& x, const Tensor& target, const BceOptions& options = {});

}  // namespace functional
}  // namespace gradus::nn
