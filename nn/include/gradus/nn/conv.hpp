// Conv1d: a small linear layer that slides along the last dimension.
#pragma once

#include <gradus/core/random.hpp>
#include <gradus/nn/module.hpp>

namespace gradus::nn {

class BatchNorm1d;

/// Zeros put before and after the last dimension: a number, "valid" for none, or "same" for as many as leave the length
/// as it is with a stride of 1; an odd one goes behind.
class Padding {
 public:
  template <std::integral I>
  Padding(I size) : size_(size) {}
  Padding(const char* kind);  ///< Throws ValueError for another word.
  bool same() const { return kind_ == Kind::same; }
  std::int64_t size() const { return size_; }
  std::string text() const;  ///< as PyTorch prints it: "(2,)", "same", "valid"

 private:
  enum class Kind { size, same, valid } kind_ = Kind::size;
  std::int64_t size_ = 0;
};

struct Conv1dOptions {
  std::int64_t stride = 1;
  Padding padding = 0;
  std::int64_t dilation = 1;  ///< distance of the elements that one output sums over
  std::int64_t groups = 1;    ///< the channels fall into so many parts that do not see each other
  bool bias = true;
  Dtype dtype = float32;
};

namespace functional {

struct Conv1dCall {
  std::int64_t stride = 1;
  Padding padding = 0;
  std::int64_t dilation = 1, groups = 1;
};

/// y[n, o, l] = bias[o] + sum over c, k of weight[o, c, k] x[n, c, l stride + k dilation - padding], zero outside x.
/// x (N, C, L) or (C, L), weight (O, C / groups, K), bias (O) or undefined, one floating dtype; y (N, O, L') or (O, L')
/// with L' = (L + 2 padding - dilation (K - 1) - 1) / stride + 1. Saves x and weight.
/// Throws RuntimeError for shapes, sizes or dtypes that do not fit. As PyTorch.
Tensor conv1d(const Tensor& x, const Tensor& weight, const Tensor& bias = {}, const Conv1dCall& call = {});

}  // namespace functional

/// functional::conv1d with a weight (out_channels, in_channels / groups, kernel_size) and bias of its own, both uniform
/// in ±1/sqrt(in_channels / groups * kernel_size), drawn from the generator, the weight first.
/// Throws ValueError when groups do not divide both numbers of channels and for "same" with a stride.
class Conv1d : public Module {
 public:
  Conv1d(std::int64_t in_channels, std::int64_t out_channels, std::int64_t kernel_size,
         const Conv1dOptions& options = {}, Generator& generator = default_generator());

  void state(StateList& list) override { list("weight", weight)("bias", bias); }
  Tensor forward(const Tensor& x) const override;
  std::string extra_repr() const override;
  const Conv1dOptions& options() const { return options_; }
  /// Whether it came out of `fuse` and so takes batches (N, C, L) alone: else ValueError.
  bool batches_only() const { return batches_only_; }

  Parameter weight;
  Parameter bias;  ///< undefined without bias

 private:
  friend Conv1d fuse(const Conv1d& conv, const BatchNorm1d& bn);
  Conv1dOptions options_;
  bool batches_only_ = false;
};

}  // namespace gradus::nn
