// Losses as modules: what nn::functional computes, with options that stay. A weight belongs to the module's state.
#pragma once

#include <gradus/nn/functional.hpp>
#include <gradus/nn/module.hpp>

namespace gradus::nn {

/// Base of the losses: modules of two inputs, `loss(x, target)`.
class Loss : public Module {
 public:
  virtual Tensor forward(const Tensor& x, const Tensor& target) const = 0;
  Tensor operator()(const Tensor& x, const Tensor& target) const { return forward(x, target); }

 protected:
  explicit Loss(Reduction reduction = Reduction::mean) : reduction_(reduction) {}
  Reduction reduction_;

 private:
  using Module::forward;  // of one input: there is none
};

/// Mean of (x - target)^2; see functional::mse_loss.
class MSELoss : public Loss {
 public:
  explicit MSELoss(Reduction reduction = Reduction::mean) : Loss(reduction) {}
  Tensor forward(const Tensor& x, const Tensor& target) const override {
    return functional::mse_loss(x, target, reduction_);
  }
};

/// Mean of |x - target|; see functional::l1_loss.
class L1Loss : public Loss {
 public:
  explicit L1Loss(Reduction reduction = Reduction::mean) : Loss(reduction) {}
  Tensor forward(const Tensor& x, const Tensor& target) const override {
    return functional::l1_loss(x, target, reduction_);
  }
};

/// See functional::huber_loss.
class HuberLoss : public Loss {
 public:
  explicit HuberLoss(Reduction reduction = Reduction::mean, double delta = 1) : Loss(reduction), delta_(delta) {}
  Tensor forward(const Tensor& x, const Tensor& target) const override {
    return functional::huber_loss(x, target, reduction_, delta_);
  }

 private:
  double delta_;
};

/// See functional::smooth_l1_loss.
class SmoothL1Loss : public Loss {
 public:
  explicit SmoothL1Loss(Reduction reduction = Reduction::mean, double beta = 1) : Loss(reduction), beta_(beta) {}
  Tensor forward(const Tensor& x, const Tensor& target) const override {
    return functional::smooth_l1_loss(x, target, reduction_, beta_);
  }

 private:
  double beta_;
};

/// See functional::kl_div.
class KLDivLoss : public Loss {
 public:
  explicit KLDivLoss(const KlDivOptions& options = {}) : options_(options) {}
  Tensor forward(const Tensor& x, const Tensor& target) const override {
    return functional::kl_div(x, target, options_);
  }

 private:
  KlDivOptions options_;
};

/// See functional::binary_cross_entropy.
class BCELoss : public Loss {
 public:
  explicit BCELoss(const Tensor& weight_ = {}, Reduction reduction = Reduction::mean)
      : Loss(reduction), weight(weight_) {}
  void state(StateList& list) override { list("weight", weight); }
  Tensor forward(const Tensor& x, const Tensor& target) const override {
    return functional::binary_cross_entropy(x, target, weight, reduction_);
  }

  Buffer weight;
};

/// Mean of -log softmax(x)[target] from logits; see functional::cross_entropy.
class CrossEntropyLoss : public Loss {
 public:
  explicit CrossEntropyLoss(const CrossEntropyOptions& options = {})
      : Loss(options.reduction),
        weight(options.weight),
        ignore_index_(options.ignore_index),
        label_smoothing_(options.label_smoothing) {}
  void state(StateList& list) override { list("weight", weight); }
  Tensor forward(const Tensor& x, const Tensor& target) const override {
    return functional::cross_entropy(x, target, {weight, ignore_index_, reduction_, label_smoothing_});
  }

  Buffer weight;  ///< (C), undefined: all 1

 private:
  std::int64_t ignore_index_;
  double label_smoothing_;
};

/// Mean of -x[target] from log-probabilities; see functional::nll_loss.
class NLLLoss : public Loss {
 public:
  explicit NLLLoss(const NllOptions& options = {})
      : Loss(options.reduction), weight(options.weight), ignore_index_(options.ignore_index) {}
  void state(StateList& list) override { list("weight", weight); }
  Tensor forward(const Tensor& log_probabilities, const Tensor& target) const override {
    return functional::nll_loss(log_probabilities, target, {weight, ignore_index_, reduction_});
  }

  Buffer weight;  ///< (C), undefined: all 1

 private:
  std::int64_t ignore_index_;
};

/// Mean cross-entropy of yes/no answers, from logits; see functional::binary_cross_entropy_with_logits.
class BCEWithLogitsLoss : public Loss {
 public:
  explicit BCEWithLogitsLoss(const BceOptions& options = {})
      : Loss(options.reduction), weight(options.weight), pos_weight(options.pos_weight) {}
  void state(StateList& list) override { list("weight", weight)("pos_weight", pos_weight); }
  Tensor forward(const Tensor& x, const Tensor& target) const override {
    return functional::binary_cross_entropy_with_logits(x, target, {weight, reduction_, pos_weight});
  }

  Buffer weight, pos_weight;
};

}  // namespace gradus::nn
