// NAdam.
#pragma once

#include <gradus/optim/optimizer_with.hpp>

namespace gradus::optim {

struct NAdamOptions {
  double lr = 2e-3;
  std::array<double, 2> betas = {0.9, 0.999};  ///< decay of the averages of g and of g^2
  double eps = 1e-8;
  double weight_decay = 0;       ///< w, an L2 penalty of w/2 |p|^2
  double momentum_decay = 4e-3;  ///< psi

  void check() const;
  void list(FieldList& list) {
    list("lr", lr)("betas", betas)("eps", eps)("weight_decay", weight_decay)("momentum_decay", momentum_decay);
    list.unused("foreach");
  }
};

struct NAdamState {
  std::int64_t step = 0;
  double mu_product = 1;       ///< of mu_1 … mu_t; PyTorch keeps it in float32
  Tensor exp_avg, exp_avg_sq;  ///< m and v
  void list(FieldList& list) {
    list.tensor("step", step).tensor("mu_product", mu_product)("exp_avg", exp_avg)("exp_avg_sq", exp_avg_sq);
  }
};

/// Adam with Nesterov momentum, for a parameter p with the gradient g, in step t = 1, 2, …:
///
///   g = g + w p
///   mu_t = beta1 (1 - 0.96^(t psi) / 2)
///   m = beta1 m + (1 - beta1) g
///   v = beta2 v + (1 - beta2) g^2
///   p = p - lr ((1 - mu_t) / (1 - mu_1 … mu_t) g + mu_(t+1) / (1 - mu_1 … mu_(t+1)) m) / (sqrt(v / (1 - beta2^t)) +
///   eps)
///
/// float32 and float64, to the bit as PyTorch. Throws ValueError for a negative lr, eps, weight_decay or momentum_decay
/// and for betas outside [0, 1). Source: Dozat (2016), "Incorporating Nesterov momentum into Adam".
class NAdam final : public OptimizerWith<NAdamOptions, NAdamState> {
 public:
  using OptimizerWith::OptimizerWith;
  const char* name() const override { return "NAdam"; }
  void step() override;
};

}  // namespace gradus::optim
