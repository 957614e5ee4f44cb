#include "tensor/message.hpp"

#include <gradus/core/print.hpp>

#include <cxxabi.h>

#include <cstdlib>

namespace gradus::detail {
namespace {

/// Bytes of the character of UTF-8 that the text begins with; 0 when it is none, or moves the cursor of a terminal.
std::size_t printable_size(std::string_view text) {
  const auto byte = [text](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return first >= 0x20 && first != 0x7f ? 1 : 0;
  const std::size_t size = first < 0xc2 || first > 0xf4 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  if (size > text.size()) return 0;
  for (std::size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  return first == 0xc2 && byte(1) < 0xa0 ? 0 : size;
}

}  // namespace

std::string joined(std::initializer_list<Part> parts) {
  std::string text;
  for (const Part& part : parts) part.append_to(text);
  return text;
}

std::string tuple_text(const Shape& shape) {
  std::string text = to_string(shape);
  text.front() = '(';
  text.back() = ')';
  if (shape.rank() == 1) text.insert(text.size() - 1, ",");
  return text;
}

std::string float_text(double value) {
  const std::string text = format_number(value);
  return text.find_first_not_of("-0123456789") == std::string::npos ? text + ".0" : text;
}

std::string shown(std::string_view text, std::size_t most) {
  std::string result;
  while (!text.empty()) {
    if (result.size() >= most) return result + "…";
    const std::size_t size = printable_size(text), taken = size == 0 ? 1 : size;
    if (size == 0) {
      char code[5];
      std::snprintf(code, sizeof code, "\\x%02x", static_cast<unsigned char>(text[0]));
      result += code;
    } else {
      result += text.substr(0, taken);
    }
    text.remove_prefix(taken);
  }
  return result;
}

std::string type_name_of(const std::type_info& type) {
  int status = 0;
  char* demangled = abi::__cxa_demangle(type.name(), nullptr, nullptr, &status);
  const std::string full = status == 0 ? demangled : type.name();
  std::free(demangled);
  std::size_t begin = full.size();
  for (int depth = 0; begin > 0 && (depth > 0 || full[begin - 1] != ':'); --begin) {
    depth += (full[begin - 1] == '>') - (full[begin - 1] == '<');  // a template's arguments keep their namespaces
  }
  return full.substr(begin);
}

}  // namespace gradus::detail
