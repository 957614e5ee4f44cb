// Dropout.
#pragma once

#include <gradus/nn/functional.hpp>
#include <gradus/nn/module.hpp>

namespace gradus::nn {

/// In training each element becomes 0 with probability p, else x / (1 - p); in eval() y is x itself.
/// Draws from the default generator. See functional::dropout.
class Dropout : public Module {
 public:
  explicit Dropout(double p = 0.5);  ///< Throws ValueError unless p is in [0, 1].

  Tensor forward(const Tensor& x) override { return functional::dropout(x, p_, training()); }
  std::string extra_repr() const override;

  double p() const { return p_; }

 private:
  double p_;
};

}  // namespace gradus::nn
