// Refusing options that make no sense.
#pragma once

#include "tensor/message.hpp"

#include <gradus/core/error.hpp>

#include <array>
#include <cmath>

namespace gradus::optim {

using gradus::detail::fail;
using gradus::detail::PythonFloat;
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

}  // namespace gradus::optim
