#pragma once

#include <gradus/nn/batch_norm.hpp>

namespace gradus::nn::functional {

/// Throws ValueError unless eps is a number from 0 up and momentum one from 0 to 1.
void check_options(double eps, double momentum);

/// 1 / sqrt(var + eps), and 0 for a constant channel without eps: what the kernels take.
Tensor rstd_of(const Tensor& var, double eps);

struct BatchNormResult {
  Tensor y;
  bool counted;  // the batch entered the running buffers
};

/// functional::batch_norm, which also says whether the buffers were written to.
BatchNormResult batch_norm_counted(const Tensor& x, const BatchNormState& state, const BatchNormCall& call);

/// Batch norm in training, over the batches of all processes of `call.sync`. The arguments have been checked.
BatchNormResult sync_batch_norm(const Tensor& x, const BatchNormState& state, const BatchNormCall& call);

}  // namespace gradus::nn::functional
