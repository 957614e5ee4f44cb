// Lists of names in the texts of errors.
#pragma once

#include <string>

namespace gradus::detail {

/// "a, b, c", cut off with "…" where it gets long; "none" of nothing. `name_of` makes the name of an element of
/// `range`.
template <class Range, class NameOf>
std::string listed(const Range& range, NameOf name_of) {
  constexpr std::size_t long_enough = 200;
  std::string text;
  for (const auto& element : range) {
    text += text.empty() ? "" : ", ";
    if (text.size() > long_enough) return text + "…";
    text += name_of(element);
  }
  return text.empty() ? "none" : text;
}

}  // namespace gradus::detail
