#pragma once

#include "tensor/tensor_impl.hpp"

#include <gradus/nn/batch_norm.hpp>

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

/// functional::batch_norm, which also says whether the buffers were written to.
BatchNormResult batch_norm_counted(const Tensor& x, const NormTensors& state, const BatchNormCall& call,
                                   EvaluationCache* cache = nullptr);

/// Batch norm in training, over the batches of all processes of `call.sync`. The arguments have been checked.
BatchNormResult sync_batch_norm(const Tensor& x, const NormTensors& state, const BatchNormCall& call);

}  // namespace gradus::nn::functional
