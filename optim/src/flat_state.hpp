// A nested state as a StateDict, and back.
#pragma once

#include <gradus/core/value.hpp>

namespace gradus::optim {

/// Everything in a dict under the path of keys and positions that leads to it, joined by dots: "param_groups.0.lr".
/// Numbers become 0-d tensors and lists of numbers 1-d ones, float64, int64 or boolean; None is left out.
StateDict flatten(const Value& dict);

/// No state is nested deeper: "state.0.exp_avg". Further dots of a name are a part of its last key.
inline constexpr int max_path_length = 4;

/// The dict of these paths. Its leaves are tensors and a list has become a dict from position to element.
Value unflatten(const StateDict& state);

}  // namespace gradus::optim
