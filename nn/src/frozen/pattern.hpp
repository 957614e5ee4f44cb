// Text with gaps: "y[j] = x[$first + j];"
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace gradus::nn::frozen {

/// What comes into a gap.
struct Filling {
  Filling(std::string words) : text(std::move(words)) {}
  Filling(const char* words) : text(words) {}
  Filling(std::int64_t number) : text(std::to_string(number)) {}
  Filling(std::size_t number) : text(std::to_string(number)) {}
  std::string text;
};
using Fillings = std::map<std::string, Filling, std::less<>>;

/// `pattern` with `$name` replaced by what one of the two lists has for it, the first one first, and `@` by what they
/// have for "@".
inline std::string filled(std::string_view pattern, const Fillings& own, const Fillings& common = {}) {
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; };
  std::string text;
  while (!pattern.empty()) {
    const std::size_t gap = std::min(pattern.find_first_of("$@"), pattern.size());
    text += pattern.substr(0, gap);
    pattern.remove_prefix(gap);
    if (pattern.empty()) break;
    std::size_t end = 1;
    while (pattern[0] == '$' && end < pattern.size() && letter(pattern[end])) ++end;
    const std::string_view name = pattern[0] == '$' ? pattern.substr(1, end - 1) : "@";
    const auto found = own.find(name);
    text += found == own.end() ? common.find(name)->second.text : found->second.text;
    pattern.remove_prefix(end);
  }
  return text;
}

}  // namespace gradus::nn::frozen
