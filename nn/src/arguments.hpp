// What functions of nn ask of their arguments alike.
#pragma once

#include "autograd/record.hpp"
#include "tensor/message.hpp"

namespace gradus::nn {

/// Refuses an argument that wants a gradient which `function` does not give.
inline void refuse_gradient(const char* function, const char* argument, const Tensor& x) {
  if (!detail::tracks(x)) return;
  detail::fail<RuntimeError>("The function '", function, "' is not differentiable with respect to argument '", argument,
                             "'. This input cannot have requires_grad True.\nhand over ", argument, ".detach()");
}

/// Refuses an x that is not floating. `kernel` is its name in PyTorch's text.
inline void require_floating(const char* kernel, Dtype dtype) {
  if (is_floating(dtype)) return;
  detail::fail<RuntimeError>("\"", kernel, "\" not implemented for '", detail::type_name(dtype),
                             "'\nconvert first: x.to(float32)");
}

}  // namespace gradus::nn
