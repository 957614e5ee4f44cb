// What the steps of all optimisers have in common.
#pragma once

#include "tensor/tensor_impl.hpp"

#include <gradus/optim/optimizer.hpp>

namespace gradus::optim {

/// A running average, made of zeros at its first use; it follows a parameter that was converted to another dtype.
inline void prepare(Tensor& buffer, const Tensor& parameter) {
  if (!buffer.defined()) {
    buffer = zeros(parameter.shape(), parameter.dtype());
  } else if (impl_of(buffer)->dtype != impl_of(parameter)->dtype) {
    buffer = buffer.to(parameter.dtype());
  }
}

/// The elements, or null where the buffer is not in use.
template <class T>
T* elements_if(bool used, const Tensor& buffer) {
  return used ? gradus::detail::elements<T>(buffer) : nullptr;
}

}  // namespace gradus::optim
