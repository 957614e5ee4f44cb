// Refusing options that make no sense.
#pragma once

#include "tensor/message.hpp"

#include <gradus/core/error.hpp>

#include <array>
#include <cmath>
#include <string>

namespace gradus::optim {

using gradus::detail::float_text;

/// Throws ValueError unless 0 <= value < infinity. `what` is e.g. "learning rate".
inline void require_non_negative(const char* what, double value) {
  if (!(value >= 0) || std::isinf(value)) throw ValueError(std::string("Invalid ") + what + ": " + float_text(value));
}

/// Throws ValueError unless both decays are in [0, 1).
inline void require_betas(const std::array<double, 2>& betas) {
  for (std::size_t i = 0; i < 2; ++i) {
    if (!(0 <= betas[i] && betas[i] < 1)) {
      throw ValueError("Invalid beta parameter at index " + std::to_string(i) + ": " + float_text(betas[i]));
    }
  }
}

}  // namespace gradus::optim
