// What layers and losses compute, as functions without state. `namespace F = gradus::nn::functional;` if you like.
#pragma once

#include <gradus/core/random.hpp>

namespace gradus::nn {

/// What becomes of the losses of a batch. The mean of no losses is NaN.
enum class Reduction { none, mean, sum };

struct CrossEntropyOptions {
  Tensor weight = {};  ///< (C), importance of the classes; undefined: all 1. No gradient with class numbers
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
  Tensor weight = {};  ///< of each element; broadcasts to x. No gradient
  Reduction reduction = Reduction::mean;
  Tensor pos_weight = {};  ///< of the positive answer; broadcasts to x. No gradient
};

struct KlDivOptions {
  Reduction reduction = Reduction::mean;
  bool batch_mean =
      false;  ///< the sum by the size of the first dimension, as in mathematics; then reduction is not read
  bool log_target = false;
};

namespace functional {

using gradus::gelu, gradus::leaky_relu, gradus::linear, gradus::log_softmax, gradus::relu, gradus::sigmoid,
    gradus::softmax, gradus::softplus, gradus::tanh;

/// Training: each element is 0 with probability p, else x / (1 - p), so that its expectation stays. Otherwise x itself.
/// x floating. Draws in row-major order; nothing when p is 0 or 1. Saves the mask.
/// Throws ValueError unless p is in [0, 1]. Source: Srivastava et al. 2014, scaled in training as PyTorch.
Tensor dropout(const Tensor& x, double p = 0.5, bool training = true, Generator& generator = default_generator());

/// y = x where x > 0, else alpha (exp(x) - 1). Saves x. Source: Clevert et al. 2016, equation 16.
Tensor elu(const Tensor& x, double alpha = 1);
/// y = x sigmoid(x). Saves x. Source: Hendrycks & Gimpel 2016, section 2.
Tensor silu(const Tensor& x);
/// y = x between min and max, else the nearer of them; gradient 0 from there on. Saves x.
Tensor hardtanh(const Tensor& x, double min = -1, double max = 1);

// --- losses. Sums are carried in double. The dtype is what x and target promote to.

/// (x - target)^2. Saves both.
/// Throws RuntimeError unless floating, ValueError where the shapes differ: where PyTorch broadcasts, and warns.
Tensor mse_loss(const Tensor& x, const Tensor& target, Reduction reduction = Reduction::mean);

/// |x - target|, gradient 0 where they are equal. Throws as mse_loss.
Tensor l1_loss(const Tensor& x, const Tensor& target, Reduction reduction = Reduction::mean);

/// (x - target)^2 / 2 where |x - target| < delta, else delta (|x - target| - delta / 2). Saves both.
/// Throws as mse_loss, and RuntimeError unless delta is above 0. Source: Huber 1964.
Tensor huber_loss(const Tensor& x, const Tensor& target, Reduction reduction = Reduction::mean, double delta = 1);

/// (x - target)^2 / (2 beta) where |x - target| < beta, else |x - target| - beta / 2. Saves both.
/// Throws as mse_loss, and RuntimeError for a negative beta. Source: Girshick 2015, equation 3.
Tensor smooth_l1_loss(const Tensor& x, const Tensor& target, Reduction reduction = Reduction::mean, double beta = 1);

/// target (log target - x) from log-probabilities x and probabilities, 0 where the target is; with `log_target`, target
/// is a logarithm, too. Throws as mse_loss.
Tensor kl_div(const Tensor& x, const Tensor& target, const KlDivOptions& options = {});

/// -weight (target log x + (1 - target) log(1 - x)) from probabilities x, with logarithms of at least -100, as PyTorch.
/// Saves all. From logits, binary_cross_entropy_with_logits is exact.
/// Throws RuntimeError for an x outside [0, 1], a weight that does not broadcast or wants a gradient and other dtypes,
/// ValueError where the shapes differ.
Tensor binary_cross_entropy(const Tensor& x, const Tensor& target, const Tensor& weight = {},
                            Reduction reduction = Reduction::mean);

/// -log softmax(x)[target], from logits x (N, C), (C) or (N, C, d…) and class numbers target (N), () or (N, d…), int64.
/// Smoothing and weights, per sample: -weight[target] (1 - s) lp[target] - s / C sum_c weight[c] lp[c], lp = log
/// softmax(x), s = label_smoothing; the mean is over the sum of weight[target] of the samples that are not ignored.
///
/// With a floating target in the shape of x, probabilities q: -sum_c weight[c] (q[c] (1 - s) + s / C) lp[c]; the mean
/// is over their number, weighted or not. This form is differentiable in target and weight, too.
///
/// Saves x, target and logsumexp(x), or log softmax(x) when it cannot be had in one step.
/// Throws IndexError for a class out of [0, C), ValueError for another number of samples, RuntimeError for other shapes
/// or dtypes, for a smoothing out of [0, 1] and for a weight that wants a gradient it does not get. Source: Szegedy et
/// al. 2016, section 7, for smoothing; as PyTorch.
Tensor cross_entropy(const Tensor& x, const Tensor& target, const CrossEntropyOptions& options = {});

/// The same from log-probabilities, for class numbers: -weight[target] x[target].
Tensor nll_loss(const Tensor& log_probabilities, const Tensor& target, const NllOptions& options = {});

/// -weight (pos_weight target log sigmoid(x) + (1 - target) log(1 - sigmoid(x))), from logits x, without overflow.
/// target floating, in the shape of x. Saves both.
/// Throws ValueError where these shapes differ, RuntimeError for weights that do not broadcast or that want a gradient,
/// and for other dtypes.
Tensor binary_cross_entropy_with_logits(const Tensor& x, const Tensor& target, const BceOptions& options = {});

}  // namespace functional
}  // namespace gradus::nn
