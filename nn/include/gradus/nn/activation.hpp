// Activations as modules: the functions of the same names in nn::functional, which may be called just as well.
#pragma once

#include <gradus/nn/functional.hpp>
#include <gradus/nn/module.hpp>

namespace gradus::nn {

/// y = x.
struct Identity : Module {
  Tensor forward(const Tensor& x) const override { return x; }
};

/// y = max(x, 0).
struct ReLU : Module {
  Tensor forward(const Tensor& x) const override { return relu(x); }
};

/// y = 1 / (1 + exp(-x)).
struct Sigmoid : Module {
  Tensor forward(const Tensor& x) const override { return sigmoid(x); }
};

/// y = tanh(x).
struct Tanh : Module {
  Tensor forward(const Tensor& x) const override { return tanh(x); }
};

/// y = x Phi(x), Phi the normal distribution function; the exact form. Source: Hendrycks & Gimpel 2016, section 2.
struct GELU : Module {
  Tensor forward(const Tensor& x) const override { return gelu(x); }
  std::string extra_repr() const override { return "approximate='none'"; }
};

/// y = log(1 + exp(x)), and x above 20.
struct Softplus : Module {
  Tensor forward(const Tensor& x) const override { return softplus(x); }
  std::string extra_repr() const override { return "beta=1, threshold=20"; }
};

/// y = x where x > 0, else negative_slope x. Source: Maas et al. 2013, equation 2.
struct LeakyReLU : Module {
  explicit LeakyReLU(double slope = 0.01) : negative_slope(slope) {}
  Tensor forward(const Tensor& x) const override { return leaky_relu(x, negative_slope); }
  std::string extra_repr() const override;

  double negative_slope;
};

/// See functional::elu.
struct ELU : Module {
  explicit ELU(double alpha_ = 1) : alpha(alpha_) {}
  Tensor forward(const Tensor& x) const override { return functional::elu(x, alpha); }
  std::string extra_repr() const override;

  double alpha;
};

/// See functional::silu.
struct SiLU : Module {
  Tensor forward(const Tensor& x) const override { return functional::silu(x); }
};

/// See functional::hardtanh. Throws ValueError unless min_val is below max_val.
struct Hardtanh : Module {
  explicit Hardtanh(double min_val_ = -1, double max_val_ = 1);
  Tensor forward(const Tensor& x) const override { return functional::hardtanh(x, min_val, max_val); }
  std::string extra_repr() const override;

  double min_val, max_val;
};

/// y = exp(x) / sum(exp(x)), the sum over `dim`. Throws IndexError when x lacks that dimension.
struct Softmax : Module {
  explicit Softmax(std::int64_t along) : dim(along) {}
  Tensor forward(const Tensor& x) const override { return softmax(x, dim); }
  std::string extra_repr() const override { return "dim=" + std::to_string(dim); }

  std::int64_t dim;
};

/// y = x - log(sum(exp(x))), the sum over `dim`. Throws as Softmax.
struct LogSoftmax : Module {
  explicit LogSoftmax(std::int64_t along) : dim(along) {}
  Tensor forward(const Tensor& x) const override { return log_softmax(x, dim); }
  std::string extra_repr() const override { return "dim=" + std::to_string(dim); }

  std::int64_t dim;
};

}  // namespace gradus::nn
