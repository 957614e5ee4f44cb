// LayerNorm: every sample normalised over its own features.
#pragma once

#include <gradus/nn/module.hpp>

namespace gradus::nn {

struct LayerNormOptions {
  double eps = 1e-5;
  bool elementwise_affine = true;  ///< learn weight and bias
  Dtype dtype = float32;
};

namespace functional {

/// y = (x - mean) / sqrt(var + eps) * weight + bias, mean and biased var over the last dimensions, those of
/// `normalized_shape`; weight and bias, if defined, have its shape. Statistics are carried in double.
/// Saves x and weight. Throws RuntimeError for shapes and dtypes that do not fit.
/// Source: Ba, Kiros & Hinton 2016, equation 3; as PyTorch.
Tensor layer_norm(const Tensor& x, const Shape& normalized_shape, const Tensor& weight = {}, const Tensor& bias = {},
                  double eps = 1e-5);

}  // namespace functional

/// functional::layer_norm with a weight (ones) and a bias (zeros) of its own. In training and evaluation alike.
class LayerNorm : public Module {
 public:
  explicit LayerNorm(const Shape& normalized_shape, const LayerNormOptions& options = {});

  void state(StateList& list) override { list("weight", weight)("bias", bias); }
  Tensor forward(const Tensor& x) const override {
    return functional::layer_norm(x, normalized_shape_, weight, bias, options_.eps);
  }
  std::string extra_repr() const override;
  const Shape& normalized_shape() const { return normalized_shape_; }
  const LayerNormOptions& options() const { return options_; }

  Parameter weight, bias;  ///< undefined without elementwise_affine

 private:
  Shape normalized_shape_;
  LayerNormOptions options_;
};

}  // namespace gradus::nn
