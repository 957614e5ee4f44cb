// Whether the derivatives of a module are right.
#pragma once

#include <gradus/core/gradcheck.hpp>
#include <gradus/nn/module.hpp>

namespace gradus::nn {

/// gradcheck of the module's output with respect to x, if that wants a gradient, and to every parameter, which are the
/// inputs 1, 2, … in the order of `parameters()`. Module and x must be float64. The module is as before afterwards, but
/// for buffers that its forward pass moves. Throws as gradus::gradcheck.
bool gradcheck(Module& module, const Tensor& x, const GradcheckOptions& options = {});

}  // namespace gradus::nn
