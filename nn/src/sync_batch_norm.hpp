#pragma once

#include "batch_norm.hpp"

namespace gradus::nn::functional {

/// Batch norm in training, over the batches of all processes of `call.sync`. The arguments have been checked.
BatchNormResult sync_batch_norm(const Tensor& x, const BatchNormState& state, const BatchNormCall& call);

}  // namespace gradus::nn::functional
