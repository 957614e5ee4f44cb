// Losses as modules: what nn::functional computes, with options that stay. A weight belongs to the module's state.
#pragma once

#include <gradus/nn/functional.hpp>
#include <gradus/nn/module.hpp>

namespace gradus::nn {

/// Mean of (x - target)^2; see functional::mse_loss.
class MSELoss : public Module {
 public:
  explicit MSELoss(Reduction reduction = Reduction::mean) : reduction_(reduction) {}
  Tensor operator()(const Tensor& x, const Tensor& target) const { return functional::mse_loss(x, target, reduction_); }

 private:
  Reduction reduction_;
};

/// Mean of |x - target|; see functional::l1_loss.
class L1Loss : public Module {
 public:
  explicit L1Loss(Reduction reduction = Reduction::mean) : reduction_(reduction) {}
  Tensor operator()(const Tensor& x, const Tensor& target) const { return functional::l1_loss(x, target, reduction_); }

 private:
  Reduction reduction_;
};

/// Mean of -log softmax(x)[target] from logits; see functional::cross_entropy.
class CrossEntropyLoss : public Module {
 public:
  explicit CrossEntropyLoss(const CrossEntropyOptions& options = {});
  void state(StateList& list) override { list("weight", weight); }
  Tensor operator()(const Tensor& x, const Tensor& target) const;

  Buffer weight;  ///< (C), undefined: all 1

 private:
  CrossEntropyOptions options_;
};

/// Mean of -x[target] from log-probabilities; see functional::nll_loss.
class NLLLoss : public Module {
 public:
  explicit NLLLoss(const NllOptions& options = {});
  void state(StateList& list) override { list("weight", weight); }
  Tensor operator()(const Tensor& log_probabilities, const Tensor& target) const;

  Buffer weight;  ///< (C), undefined: all 1

 private:
  NllOptions options_;
};

/// Mean cross-entropy of yes/no answers, from logits; see functional::binary_cross_entropy_with_logits.
class BCEWithLogitsLoss : public Module {
 public:
  explicit BCEWithLogitsLoss(const BceOptions& options = {});
  void state(StateList& list) override { list("weight", weight)("pos_weight", pos_weight); }
  Tensor operator()(const Tensor& x, const Tensor& target) const;

  Buffer weight, pos_weight;

 private:
  Reduction reduction_;
};

}  // namespace gradus::nn
