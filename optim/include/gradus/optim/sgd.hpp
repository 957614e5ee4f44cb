// Stochastic gradient descent.
#pragma once

#include <gradus/optim/optimizer_with.hpp>

namespace gradus::optim {

struct SGDOptions {
  double lr = required;
  double momentum = 0;      ///< mu
  double dampening = 0;     ///< d, how much of a new gradient is kept out of the momentum
  double weight_decay = 0;  ///< w, an L2 penalty of w/2 |p|^2
  bool nesterov = false;
  bool maximize = false;  ///< climb instead of descend

  void check() const;
  void list(FieldList& list) {
    list("lr", lr)("momentum", momentum)("dampening", dampening)("weight_decay", weight_decay)("nesterov", nesterov);
    list("maximize", maximize).unused("foreach").unused("differentiable", false);
  }
};

struct SGDState {
  Tensor momentum_buffer;  ///< b
  void list(FieldList& list) { list.optional("momentum_buffer", momentum_buffer); }
};

/// Gradient descent with momentum, for a parameter p with the gradient g:
///
///   g = g + w p
///   b = mu b + (1 - d) g,  b = g in the first step
///   p = p - lr b,  with nesterov: p - lr (g + mu b)
///
/// float32 and float64, to the bit as PyTorch. Throws ValueError for a missing or negative lr, a negative momentum or
/// weight_decay, and for nesterov without momentum or with dampening.
/// Source: Sutskever, Martens, Dahl, Hinton (2013), "On the importance of initialization and momentum in deep
/// learning"; as in PyTorch the rate scales the momentum as a whole, so that a new rate acts at once.
class SGD final : public OptimizerWith<SGDOptions, SGDState> {
 public:
  using OptimizerWith::OptimizerWith;
  const char* name() const override { return "SGD"; }
  void step() override;
};

}  // namespace gradus::optim
