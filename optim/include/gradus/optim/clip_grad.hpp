// Keeping gradients in bounds.
#pragma once

#include <gradus/core/tensor.hpp>

#include <vector>

namespace gradus::optim {

/// Scales all gradients together, in place, so that their norm as one long vector is at most `max_norm`:
///
///   norm = (sum |g|^norm_type)^(1 / norm_type),  for infinity: max |g|
///   g = g min(1, max_norm / (norm + 1e-6))
///
/// and returns the norm before that, 0 when no parameter has a gradient. The norm is computed in double. When it is not
/// finite the gradients become 0 or NaN, unless `error_if_nonfinite`: then RuntimeError, and they stay as they are.
/// Throws ValueError for a negative max_norm and for a norm_type that is not positive. As PyTorch.
/// Source: Pascanu, Mikolov, Bengio (2013), "On the difficulty of training recurrent neural networks", algorithm 1.
double clip_grad_norm_(const std::vector<Tensor>& parameters, double max_norm, double norm_type = 2,
                       bool error_if_nonfinite = false);

}  // namespace gradus::optim
