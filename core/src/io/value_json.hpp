// JSON: strings, and everything of a value but its tensors, the form in which a safetensors file holds a checkpoint.
#pragma once

#include <gradus/core/value.hpp>

namespace gradus::detail {

/// Throws ValueError for a value that no file can hold: an object of Python, and one nested too deep.
void check_writable(const Value& value, int depth);

/// `tensors` are value.tensors(); a tensor becomes its name there.
std::string value_to_json(const Value& value, const StateDict& tensors);

/// The value again. Throws FileError for text that value_to_json() did not write, and for a tensor that is not there.
Value value_from_json(const std::string& json, const StateDict& tensors);

/// Throws ValueError for text that is not UTF-8: neither JSON nor Python can hold it.
void check_utf8(const std::string& text);

/// The text as a string of JSON, in quotes. Throws ValueError as check_utf8().
std::string json_quoted(const std::string& text);

}  // namespace gradus::detail
