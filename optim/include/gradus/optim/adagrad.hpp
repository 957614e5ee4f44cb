// Adagrad.
#pragma once

#include <gradus/optim/optimizer_with.hpp>

namespace gradus::optim {

struct AdagradOptions {
  double lr = 1e-2;
  double lr_decay = 0;      ///< the rate of step t is lr / (1 + (t - 1) lr_decay)
  double weight_decay = 0;  ///< w, an L2 penalty of w/2 |p|^2
  double initial_accumulator_value = 0;
  double eps = 1e-10;
  bool maximize = false;  ///< climb instead of descend

  void check() const;
  void list(FieldList& list) {
    list("lr", lr)("lr_decay", lr_decay)("eps", eps)("weight_decay", weight_decay);
    list("initial_accumulator_value", initial_accumulator_value).unused("foreach")("maximize", maximize);
  }
};

struct AdagradState {
  std::int64_t step = 0;
  Tensor sum;  ///< of the squares of all gradients
  void list(FieldList& list) { list.tensor("step", step)("sum", sum); }
};

/// For a parameter p with the gradient g, in step t = 1, 2, …:
///
///   g = g + w p
///   sum = sum + g^2,  at first initial_accumulator_value
///   p = p - lr / (1 + (t - 1) lr_decay) g / (sqrt(sum) + eps)
///
/// float32 and float64, to the bit as PyTorch, but a parameter has its state from its first gradient on. Throws
/// ValueError for a negative option. Source: Duchi, Hazan, Singer (2011), "Adaptive subgradient methods for online
/// learning and stochastic optimization".
class Adagrad final : public OptimizerWith<AdagradOptions, AdagradState> {
 public:
  using OptimizerWith::OptimizerWith;
  const char* name() const override { return "Adagrad"; }
  void step() override;
};

}  // namespace gradus::optim
