// Nets as training leaves them.
#pragma once

#include <gradus/core/autograd.hpp>
#include <gradus/core/random.hpp>
#include <gradus/nn/batch_norm.hpp>

namespace gradus::test {

/// Parameters and buffers of every BatchNorm1d as training leaves them, none 0, none 1; the net in evaluation.
inline void settle(nn::Module& net, double mean = 0.3) {
  const NoGradGuard no_grad;
  for (nn::Module* module : net.modules()) {
    auto* norm = dynamic_cast<nn::BatchNorm1d*>(module);
    if (!norm) continue;
    const Shape c{norm->num_features()};
    if (norm->weight.defined()) norm->weight.copy_(rand(c) + 0.5);
    if (norm->bias.defined()) norm->bias.copy_(rand(c) - 0.5);
    norm->running_mean.copy_(randn(c) * 0.3 + mean);
    norm->running_var.copy_(rand(c) + 0.2);
  }
  net.eval();
}

}  // namespace gradus::test
