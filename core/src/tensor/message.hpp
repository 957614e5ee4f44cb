// Texts of errors.
#pragma once

#include <gradus/core/dtype.hpp>
#include <gradus/core/shape.hpp>

#include <concepts>
#include <cstdio>
#include <initializer_list>
#include <string>
#include <string_view>
#include <typeinfo>

namespace gradus::detail {

inline void append(std::string& text, std::string_view part) { text += part; }
inline void append(std::string& text, char character) { text += character; }
inline void append(std::string& text, const Shape& shape) { text += to_string(shape); }
inline void append(std::string& text, Dtype dtype) { text += to_string(dtype); }
template <std::integral T>
void append(std::string& text, T number) {
  text += std::to_string(number);
}
inline void append(std::string& text, Integer number) { text += std::to_string(std::int64_t{number}); }
inline void append(std::string& text, double number) {  // 1.5, 0.1, 1e-07: as PyTorch writes numbers in messages
  char digits[32];
  text.append(digits, static_cast<std::size_t>(std::snprintf(digits, sizeof digits, "%g", number)));
}

/// A number as Python writes a float: "1.0", "1e-05", "nan".
struct PythonFloat {
  double value;
};
std::string float_text(double value);
inline void append(std::string& text, PythonFloat number) { text += float_text(number.value); }

/// A part of a message, by reference: what an append() takes.
class Part {
 public:
  template <class T>
  Part(const T& part)
      : part_(&part), append_([](std::string& text, const void* p) { append(text, *static_cast<const T*>(p)); }) {}
  Part(const char* part)
      : part_(part), append_([](std::string& text, const void* p) { text += static_cast<const char*>(p); }) {}
  void append_to(std::string& text) const { append_(text, part_); }

 private:
  const void* part_;
  void (*append_)(std::string& text, const void* part);
};

/// The parts one after the other.
std::string joined(std::initializer_list<Part> parts);
template <class... Parts>
std::string message(const Parts&... parts) {
  return joined({Part(parts)...});
}

template <class E>
[[noreturn, gnu::cold, gnu::noinline]] void throw_joined(std::initializer_list<Part> parts) {
  throw E(joined(parts));
}
/// Throws an E that says this.
template <class E, class... Parts>
[[noreturn, gnu::cold, gnu::noinline]] void fail(const Parts&... parts) {
  throw_joined<E>({Part(parts)...});
}

/// The same, if `mistake` is true. What has to be computed for the text alone belongs into an if before `fail`.
template <class E, class... Parts>
[[gnu::always_inline]] inline void throw_if(bool mistake, const Parts&... parts) {
  if (mistake) [[unlikely]]
    fail<E>(parts...);
}

/// "torch.Size([2, 3])", as PyTorch writes a shape in some of its messages.
inline std::string torch_size(const Shape& shape) { return message("torch.Size(", shape, ")"); }

/// "(2, 3)", "(2,)": a shape as Python writes a tuple.
std::string tuple_text(const Shape& shape);

/// "Float", "Long", …: PyTorch's other names of the dtypes.
inline std::string_view type_name(Dtype dtype) {
  constexpr std::string_view names[] = {"Bool", "Long", "Float", "Double"};
  return names[static_cast<int>(dtype)];
}

/// Text of a file as a message may hold it: what a terminal would obey, and what is not UTF-8, becomes \x1b. Cut off
/// with "…" where it gets longer than `most` bytes.
std::string shown(std::string_view text, std::size_t most = 200);

/// "a, b, c", each as shown(), cut off with "…" where it gets long; "none" of nothing. `name_of` makes the name of an
/// element of `range`.
template <class Range, class NameOf>
std::string listed(const Range& range, NameOf name_of) {
  constexpr std::size_t long_enough = 200;
  std::string text;
  for (const auto& element : range) {
    text += text.empty() ? "" : ", ";
    if (text.size() > long_enough) return text + "…";
    text += shown(name_of(element));
  }
  return text.empty() ? "none" : text;
}

/// The name of a type as its author wrote it, without the namespaces, classes or functions that it is declared in:
/// "MyLayer".
std::string type_name_of(const std::type_info& type);

}  // namespace gradus::detail
