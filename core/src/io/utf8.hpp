// Text that has to be UTF-8.
#pragma once

#include <string>

namespace gradus::detail {

/// Throws ValueError for text that is not UTF-8: neither JSON nor Python can hold it.
void check_utf8(const std::string& text);

/// The text as a string of JSON, in quotes. Throws ValueError as check_utf8().
std::string json_quoted(const std::string& text);

}  // namespace gradus::detail
