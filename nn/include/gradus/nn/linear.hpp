// Linear: y = x W^T + b.
#pragma once

#include <gradus/core/random.hpp>
#include <gradus/nn/module.hpp>

namespace gradus::nn {

class BatchNorm1d;

struct LinearOptions {
  bool bias = true;
  Dtype dtype = float32;
};

/// y = x weight^T + bias.
/// x (…, in_features), y (…, out_features), weight (out_features, in_features), bias (out_features), one floating
/// dtype. Both start uniform in ±1/sqrt(in_features), drawn from the generator, the weight first: as PyTorch
/// (He et al. 2015, equation 14, with gain for leaky_relu of slope sqrt(5)).
/// Throws RuntimeError for negative sizes and, called, when x does not end in `in_features`.
class Linear : public Module {
 public:
  Linear(std::int64_t in_features, std::int64_t out_features, const LinearOptions& options = {},
         Generator& generator = default_generator());

  void state(StateList& list) override { list("weight", weight)("bias", bias); }
  Tensor forward(const Tensor& x) const override;
  std::string extra_repr() const override;

  std::int64_t in_features() const { return weight.size(1); }
  std::int64_t out_features() const { return weight.size(0); }
  /// Whether it came out of `fuse` and so takes x (N, in_features) alone: else ValueError.
  bool rows_only() const { return rows_only_; }

  Parameter weight;
  Parameter bias;  ///< undefined without bias

 private:
  friend Linear fuse(const Linear& linear, const BatchNorm1d& bn);
  bool rows_only_ = false;
};

}  // namespace gradus::nn
