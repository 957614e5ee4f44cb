#pragma once

#include <gradus/nn/batch_norm.hpp>

namespace gradus::nn::functional {

struct BatchNormResult {
  Tensor y;
  bool counted;  // the batch entered the running buffers
};

/// functional::batch_norm, which also says whether the buffers were written to.
BatchNormResult batch_norm_counted(const Tensor& x, const BatchNormState& state, const BatchNormCall& call);

}  // namespace gradus::nn::functional
