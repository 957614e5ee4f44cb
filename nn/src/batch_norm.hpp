#pragma once

#include "autograd/node.hpp"
#include "tensor/tensor_impl.hpp"

#include <gradus/nn/batch_norm.hpp>

#include <functional>

namespace gradus::nn::functional {

/// Throws ValueError unless eps is a number from 0 up and momentum one from 0 to 1.
void check_options(double eps, double momentum);

/// 1 / sqrt(var + eps), and 0 for a constant channel without eps: what the kernels take.
Tensor rstd_of(const Tensor& var, double eps);

/// A BatchNormState that lies elsewhere.
struct NormTensors {
  const Tensor &running_mean, &running_var, &weight, &bias;
};

struct BatchNormResult {
  Tensor y;
  bool counted;  // the batch entered the running buffers
};

/// The statistics of a layer's running buffers, kept from one evaluation to the next: for a few rows 1 / sqrt(var +
/// eps) takes longer than all else. They hold as long as the buffers have the same bits. For any number of threads.
class EvaluationCache {
 public:
  Tensor find(const NormTensors& state, double eps) const;  ///< undefined: compute them
  void keep(const NormTensors& state, double eps, const Tensor& statistics);

 private:
  mutable gradus::detail::Lock lock_;
  Tensor running_mean_, running_var_, statistics_;
  double eps_ = 0;
};

/// functional::batch_norm, which also says whether the buffers were written to. With `then_relu` its result is relu(y),
/// by the same node: only for a batch that is not empty, of this process alone.
BatchNormResult batch_norm_counted(const Tensor& x, const NormTensors& state, const BatchNormCall& call,
                                   EvaluationCache* cache = nullptr, bool then_relu = false);

/// The dimensions of x, (N, C) or (N, C, L), that statistics are taken over.
inline Dims over_batch(const Tensor& x) { return x.dim() == 2 ? Dims{0} : Dims{0, 2}; }

/// (C), as it broadcasts against x.
inline Tensor per_channel(const Tensor& values, const Tensor& x) {
  return values.reshape(x.dim() == 2 ? Shape{1, -1} : Shape{1, -1, 1});
}

/// Moves the running buffers towards mean and biased var of a batch with M `values` a channel; each next value is
/// computed in double and rounded once. Where there are none, or the batch is not `finite`, or they would not be, they
/// stay as they are, and `call` says whether that is an error. Returns whether they moved.
bool move_buffers(const NormTensors& state, const BatchNormCall& call, const double* mean, const double* var,
                  double values, bool finite);

/// The mean over the batch, (1, C) or (1, C, 1), as an operation: of values that depend on x, and of gradients.
struct BatchMeans {
  std::function<Tensor(const Tensor&)> of_values, of_gradients;
};

/// The gradients with differentiable operations, for second derivatives: dx = rstd (dxhat - mean(dxhat) - xhat
/// mean(dxhat xhat)) with dxhat = dy weight, the means over the batch: nn/README.md. In double throughout, as the
/// kernels. Without `means`, mean and rstd are constants, rows 0 and 2 of `statistics`, and dx = rstd dxhat.
void composed_backward(const Tensor& dy, detail::InputGradients& dx, const Tensor& x, const Tensor& weight, double eps,
                       const BatchMeans* means, const Tensor& statistics = {});

/// Batch norm in training, over the batches of all processes of `call.sync`. The arguments have been checked.
BatchNormResult sync_batch_norm(const Tensor& x, const NormTensors& state, const BatchNormCall& call);

}  // namespace gradus::nn::functional
