#pragma once

#include <gradus/nn/parameter.hpp>

namespace gradus::nn {

/// A module has listed this Parameter in its state.
void mark_listed(Parameter& parameter);

}  // namespace gradus::nn
