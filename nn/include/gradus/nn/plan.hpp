// Plan: a trained net, frozen to answer fast and without surprises.
#pragma once

#include <gradus/nn/module.hpp>

#include <memory>
#include <span>

/// What clang 20 and later check calls for, by -Wfunction-effects and the RealtimeSanitizer.
#if __has_cpp_attribute(clang::nonblocking)
#define GRADUS_NONBLOCKING [[clang::nonblocking]]
#else
#define GRADUS_NONBLOCKING
#endif

namespace gradus::nn {

struct PlanOptions {
  bool half_weights = false;  ///< keep weights as IEEE half: half the memory to read, products and sums in float32
};

/// What `net` computes in eval(), for rows of one shape, without tensors: BatchNorm1d is folded into the product before
/// or behind it, activations end the products, Dropout is gone, weights are packed for the processor at hand.
///
///   nn::Plan plan(net.eval(), {64});
///   std::array<float, 10> scores;
///   plan(pixels, scores);
///
/// A call allocates nothing, takes no lock, makes no system call and throws nothing; any number of threads may call one
/// Plan at the same time. What lies between the layers is on the stack of the caller, or in memory that the caller
/// hands over. A row gives the same bits alone and among others. Copies share the weights, which never change: train
/// the net on, and make a new Plan.
///
/// Takes Linear, Conv1d, MaxPool1d, AvgPool1d, AdaptiveAvgPool1d, BatchNorm1d, LayerNorm, the activations, Softmax and
/// LogSoftmax (not over the batch), Dropout, Flatten, Unflatten, Identity, and Sequential of these. A module of your
/// own is seen through by one forward pass, if it calls such layers, as layer(x), one behind the other; between them
/// may stand relu, sigmoid, tanh, gelu, softplus, silu, and reshapes that keep the batch. No other thread may call it
/// then.
///
/// Against net(x) in float32 outputs differ by rounding, some 1e-7 of their size; with half_weights by some 1e-4.
/// Weights of float64 nets are rounded to float32. Source for folding: Jacob et al. 2018, section 3.2.
class Plan {
 public:
  /// `row`: the shape of one input without the batch, {64} or {C, L}.
  /// Throws ValueError for a net in training mode, for a layer that a plan cannot take or that has hooks, by its name,
  /// for a running_var that is negative or NaN, weights that are not finite, or too large for half_weights, and rows
  /// that do not fit.
  Plan(const Module& net, const Shape& row, const PlanOptions& options = {});

  const Shape& input_shape() const noexcept;  ///< of a row
  const Shape& output_shape() const noexcept;
  std::size_t inputs() const noexcept;  ///< floats a row
  std::size_t outputs() const noexcept;
  std::size_t weight_bytes() const noexcept;
  /// Floats that lie between the layers of one row.
  std::size_t scratch_size() const noexcept;

  /// `in` holds whole rows, `out` as many, one behind the other; they do not overlap. Wrong sizes are an assertion in
  /// debug builds, else out becomes NaN. Uses 64 KiB of the stack; for a plan with more than 16384 floats of scratch,
  /// call the other one.
  void operator()(std::span<const float> in, std::span<float> out) const noexcept GRADUS_NONBLOCKING;
  /// The same with `scratch` in place of the stack: scratch_size() floats or more, which let it take more rows at once.
  void operator()(std::span<const float> in, std::span<float> out,
                  std::span<float> scratch) const noexcept GRADUS_NONBLOCKING;

  /// The same, throwing ValueError where sizes are wrong or spans overlap.
  void run(std::span<const float> in, std::span<float> out) const;
  void run(std::span<const float> in, std::span<float> out, std::span<float> scratch) const;
  /// x (N, row…) float32, y (N, …). Throws ValueError for another shape, TypeError for another dtype.
  Tensor operator()(const Tensor& x) const;

 private:
  struct Impl;
  std::shared_ptr<const Impl> impl_;
};

}  // namespace gradus::nn
