// The words of C++ and of C, for source.cpp.
#pragma once

#include "frozen/source.hpp"
#include "tensor/message.hpp"

#include <charconv>

namespace gradus::nn::frozen {

using gradus::detail::message;

/// The shortest text that reads back as the same float.
inline std::string literal(float value) {
  char text[32];
  std::string shortest(text, std::to_chars(text, text + sizeof text, value).ptr);
  if (shortest.find_first_of(".e") == shortest.npos) shortest += ".0";
  return shortest + "f";
}

inline std::uint32_t fnv1a(std::uint32_t hash, const void* data, std::size_t size) {
  for (std::size_t i = 0; i < size; ++i) hash = (hash ^ static_cast<const unsigned char*>(data)[i]) * 16777619u;
  return hash;
}

/// What differs between the languages.
class Dialect {
 public:
  explicit Dialect(const SourceOptions& options) : cpp(options.cpp), name(options.name) {}
  std::string id(const std::string& own) const { return cpp ? own : name + "_" + own; }
  std::string size_type() const { return cpp ? "std::size_t" : "size_t"; }
  std::string math(const char* function) const { return cpp ? message("std::", function) : message(function, "f"); }
  std::string to_float(const std::string& x) const { return message(cpp ? "float(" : "(float)(", x, ")"); }
  std::string pointers() const {
    const char* restrict = cpp ? "__restrict" : "restrict";
    return message("(const float* ", restrict, " x, float* ", restrict, " y)", cpp ? " noexcept" : "");
  }
  std::string function(const std::string& result, const std::string& own) const {
    return message(cpp ? "inline " : "static inline ", result, " ", id(own));
  }
  std::string aligned() const { return cpp ? "alignas(64) " : upper() + "_ALIGNED "; }
  std::string loop(const char* i, std::int64_t end, std::int64_t step = 1) const {
    const std::string next = step == 1 ? message("++", i) : message(i, " += ", step);
    return message("for (", size_type(), " ", i, " = 0; ", i, " < ", end, "; ", next, ") ");
  }
  std::string upper() const {
    std::string text = name;
    for (char& c : text) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    return text;
  }
  const bool cpp;
  const std::string name;
};

}  // namespace gradus::nn::frozen
