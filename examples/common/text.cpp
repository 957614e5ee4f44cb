#include "text.hpp"

#include <algorithm>
#include <cmath>
#include <cstdarg>
#include <cstdio>

namespace {

std::string without_minus_of_zero(const std::string& number) {
  const bool is_zero = number.find_first_not_of("-0.") == std::string::npos;
  return is_zero && number.front() == '-' ? number.substr(1) : number;
}

}  // namespace

std::string formatted(const char* format, ...) {
  char text[400];
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  return text;
}

std::string fixed(double value, int digits) { return without_minus_of_zero(formatted("%.*f", digits, value)); }
std::string scientific(double value, int digits) { return without_minus_of_zero(formatted("%.*e", digits, value)); }
std::string short_number(double value, int digits) { return without_minus_of_zero(formatted("%.*g", digits, value)); }
std::string percent(double share, int digits) { return std::isinf(share) ? "all" : fixed(100 * share, digits) + " %"; }

std::string csv_rows(const gradus::Tensor& table) {
  std::string text;
  for (std::int64_t i = 0; i < table.size(0); ++i) {
    for (const double value : table[i].to_vector<double>()) text += formatted("%.9g,", value);
    text.back() = '\n';
  }
  return text;
}

std::size_t width(const std::string& text) {
  return static_cast<std::size_t>(std::ranges::count_if(text, [](char c) { return (c & 0xC0) != 0x80; }));
}

std::string printable(const std::string& text) {
  std::string shown;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    shown += byte < 0x20 || byte == 0x7f ? formatted("\\x%02x", byte) : std::string(1, c);
  }
  return shown;
}

std::string one_line(std::string text) {
  for (std::size_t at; (at = text.find('\n')) != std::string::npos;) {
    text.replace(at, text[at + 1] == '\t' ? 2 : 1, "; ");
  }
  return text;
}
