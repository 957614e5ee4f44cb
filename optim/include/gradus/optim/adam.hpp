// Adam and AdamW.
#pragma once

#include <gradus/optim/optimizer_with.hpp>

namespace gradus::optim {

struct AdamOptions {
  double lr = 1e-3;
  std::array<double, 2> betas = {0.9, 0.999};  ///< decay of the averages of g and of g^2
  double eps = 1e-8;
  double weight_decay = 0;  ///< w, an L2 penalty of w/2 |p|^2
  bool amsgrad = false;     ///< divide by the largest average of g^2 so far
  bool maximize = false;    ///< climb instead of descend

  void check() const;
  void list(FieldList& list) {
    list("lr", lr)("betas", betas)("eps", eps)("weight_decay", weight_decay)("amsgrad", amsgrad)("maximize", maximize);
    list.unused("foreach").unused("capturable", false).unused("differentiable", false).unused("fused", false);
  }
};

struct AdamState {
  std::int64_t step = 0;
  Tensor exp_avg, exp_avg_sq, max_exp_avg_sq;  ///< m, v and, for amsgrad, the maximum of v
  void list(FieldList& list) {
    list.tensor("step", step)("exp_avg", exp_avg)("exp_avg_sq", exp_avg_sq).optional("max_exp_avg_sq", max_exp_avg_sq);
  }
};

/// For a parameter p with the gradient g, in step t = 1, 2, …:
///
///   g = g + w p
///   m = beta1 m + (1 - beta1) g
///   v = beta2 v + (1 - beta2) g^2
///   p = p - lr / (1 - beta1^t) m / (sqrt(s / (1 - beta2^t)) + eps)
///
/// with s = v or, for amsgrad, the maximum of v over all steps.
/// float32 and float64, to the bit as PyTorch. Throws ValueError for a negative lr, eps or weight_decay and for betas
/// outside [0, 1).
/// Source: Kingma, Ba (2015), "Adam: a method for stochastic optimization", algorithm 1; amsgrad: Reddi, Kale, Kumar
/// (2018), "On the convergence of Adam and beyond", algorithm 2.
class Adam final : public OptimizerWith<AdamOptions, AdamState> {
 public:
  using OptimizerWith::OptimizerWith;
  const char* name() const override { return "Adam"; }
  void step() override;
};

struct AdamWOptions {
  double lr = 1e-3;
  std::array<double, 2> betas = {0.9, 0.999};  ///< decay of the averages of g and of g^2
  double eps = 1e-8;
  double weight_decay = 1e-2;  ///< w, the share of p that goes with every step at rate 1
  bool amsgrad = false;        ///< divide by the largest average of g^2 so far
  bool maximize = false;       ///< climb instead of descend

  void check() const;
  void list(FieldList& list) {
    list("lr", lr)("betas", betas)("eps", eps)("weight_decay", weight_decay)("amsgrad", amsgrad);
    list.unused("foreach")("maximize", maximize).unused("capturable", false);
  }
};

/// Adam whose weight decay takes no part in the averages: p = p - lr w p comes first, then Adam's step with w = 0.
/// Source: Loshchilov, Hutter (2019), "Decoupled weight decay regularization", algorithm 2.
class AdamW final : public OptimizerWith<AdamWOptions, AdamState> {
 public:
  using OptimizerWith::OptimizerWith;
  const char* name() const override { return "AdamW"; }
  void step() override;
};

}  // namespace gradus::optim
