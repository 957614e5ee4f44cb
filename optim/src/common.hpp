// What optimisers and schedules have in common: options that make no sense are refused, buffers made ready.
#pragma once

#include "kernels/split.hpp"
#include "tensor/message.hpp"
#include "tensor/tensor_impl.hpp"

#include <gradus/optim/optimizer.hpp>

#include <array>
#include <cmath>

namespace gradus::optim {

using gradus::detail::bump_version, gradus::detail::elements, gradus::detail::fail, gradus::detail::PythonFloat;
using gradus::detail::throw_if;

/// Throws ValueError unless 0 <= value < infinity. `what` is e.g. "learning rate".
inline void require_non_negative(const char* what, double value) {
  throw_if<ValueError>(!(value >= 0) || std::isinf(value), "Invalid ", what, ": ", PythonFloat{value});
}

/// Throws ValueError unless both decays are in [0, 1).
inline void require_betas(const std::array<double, 2>& betas) {
  for (std::size_t i = 0; i < 2; ++i) {
    throw_if<ValueError>(!(0 <= betas[i] && betas[i] < 1), "Invalid beta parameter at index ", i, ": ",
                         PythonFloat{betas[i]});
  }
}

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
  return used ? elements<T>(buffer) : nullptr;
}

/// Calls kernel(the arrays from element i on…, how many, step) for parts of n elements, on several threads. An array
/// that is null stays so. `cost`: as of split().
template <class Kernel, class Step, class... T>
void step_in_parts(Kernel* kernel, const Step& step, std::int64_t n, std::int64_t cost, T*... arrays) {
  gradus::kernels::split(n, cost, 16, [&](std::int64_t i, std::int64_t end) {
    kernel((arrays ? arrays + i : nullptr)..., end - i, step);
  });
}

}  // namespace gradus::optim
