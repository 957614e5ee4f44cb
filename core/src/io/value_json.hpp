// Everything of a value but its tensors, as JSON: the form in which a safetensors file holds a checkpoint.
#pragma once

#include <gradus/core/value.hpp>

namespace gradus::detail {

/// Throws ValueError for a value that no file can hold: an object of Python, and one nested too deep.
void check_writable(const Value& value, int depth);

/// `tensors` are value.tensors(); a tensor becomes its name there.
std::string value_to_json(const Value& value, const StateDict& tensors);

/// The value again. Throws FileError for text that value_to_json() did not write, and for a tensor that is not there.
Value value_from_json(const std::string& json, const StateDict& tensors);

}  // namespace gradus::detail
