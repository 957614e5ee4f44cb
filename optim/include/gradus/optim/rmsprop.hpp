// RMSprop.
#pragma once

#include <gradus/optim/optimizer_with.hpp>

namespace gradus::optim {

struct RMSpropOptions {
  double lr = 1e-2;
  double alpha = 0.99;  ///< decay of the averages
  double eps = 1e-8;
  double weight_decay = 0;  ///< w, an L2 penalty of w/2 |p|^2
  double momentum = 0;      ///< mu
  bool centered = false;    ///< divide by the standard deviation instead of the root mean square
  bool maximize = false;    ///< climb instead of descend

  void check() const;
  void list(FieldList& list) {
    list("lr", lr)("momentum", momentum)("alpha", alpha)("eps", eps)("centered", centered)("weight_decay",
                                                                                           weight_decay);
    list.unused("foreach")("maximize", maximize).unused("differentiable", false);
  }
};

struct RMSpropState {
  std::int64_t step = 0;
  Tensor square_avg, momentum_buffer, grad_avg;  ///< v, b and, when centered, a
  void list(FieldList& list) {
    list("step", step)("square_avg", square_avg);
    list.optional("momentum_buffer", momentum_buffer).optional("grad_avg", grad_avg);
  }
};

/// For a parameter p with the gradient g:
///
///   g = g + w p
///   v = alpha v + (1 - alpha) g^2
///   r = sqrt(v) + eps,  centered: a = alpha a + (1 - alpha) g,  r = sqrt(v - a^2) + eps
///   p = p - lr g / r,   with momentum: b = mu b + g / r,  p = p - lr b
///
/// float32 and float64, to the bit as PyTorch. Throws ValueError for a negative option.
/// Source: Tieleman, Hinton (2012), "Neural networks for machine learning", lecture 6.5; centered: Graves (2013),
/// "Generating sequences with recurrent neural networks".
class RMSprop final : public OptimizerWith<RMSpropOptions, RMSpropState> {
 public:
  using OptimizerWith::OptimizerWith;
  const char* name() const override { return "RMSprop"; }
  void step() override;
};

}  // namespace gradus::optim
