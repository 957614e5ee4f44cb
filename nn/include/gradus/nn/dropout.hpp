// Dropout.
#pragma once

#include <gradus/nn/functional.hpp>
#include <gradus/nn/module.hpp>

namespace gradus::nn {

/// In training each element becomes 0 with probability p, else x / (1 - p); in eval() y is x itself.
/// Draws from the generator, which must live as long; copies share it. See functional::dropout.
class Dropout : public Module {
 public:
  /// Throws ValueError unless p is in [0, 1].
  explicit Dropout(double p = 0.5, Generator& generator = default_generator());

  Tensor forward(const Tensor& x) const override { return functional::dropout(x, p_, training(), *generator_); }
  std::string extra_repr() const override;

  double p() const { return p_; }

 private:
  double p_;
  Generator* generator_;
};

}  // namespace gradus::nn
