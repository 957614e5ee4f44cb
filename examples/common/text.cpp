#include "text.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace {

std::string printed(const char* format, int digits, double value) {
  char text[400];
  std::snprintf(text, sizeof text, format, digits, value);
  const std::string number = text;
  const bool is_zero = number.find_first_not_of("-0.") == std::string::npos;
  return is_zero && number.front() == '-' ? number.substr(1) : number;
}

}  // namespace

std::string fixed(double value, int digits) { return printed("%.*f", digits, value); }
std::string scientific(double value, int digits) { return printed("%.*e", digits, value); }
std::string short_number(double value, int digits) { return printed("%.*g", digits, value); }
std::string percent(double share, int digits) { return std::isinf(share) ? "all" : fixed(100 * share, digits) + " %"; }

std::size_t width(const std::string& text) {
  return static_cast<std::size_t>(std::ranges::count_if(text, [](char c) { return (c & 0xC0) != 0x80; }));
}

std::string printable(const std::string& text) {
  std::string shown;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    char code[5];
    std::snprintf(code, sizeof code, "\\x%02x", byte);
    shown += byte < 0x20 || byte == 0x7f ? std::string(code) : std::string(1, c);
  }
  return shown;
}

std::string one_line(std::string text) {
  for (std::size_t at; (at = text.find('\n')) != std::string::npos;) {
    text.replace(at, text[at + 1] == '\t' ? 2 : 1, "; ");
  }
  return text;
}
