// A program as source code: its steps as functions of C++ or of C, and the arrays that they read.
#pragma once

#include "frozen/program.hpp"

#include <map>
#include <string_view>

namespace gradus::nn::frozen {

struct SourceOptions {
  bool cpp = true;  ///< C++17, else C99
  std::string name;
  bool int8_weights = false;
};

/// One scale for each output: the largest weight of its row is 127 of them.
std::vector<double> int8_scales(const Product& product);
/// The weights as int8 holds them.
void round_to_int8(Program& program);

/// The text of a header. `x` and `y` are an example of a row and what the program makes of it.
std::string source(const Program& program, const SourceOptions& options, std::span<const float> x,
                   std::span<const float> y);

// --- text with gaps: "y[j] = x[$first + j];"

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

// --- functions and arrays

constexpr const char* math_functions[] = {"exp", "log", "log1p", "expm1", "tanh", "erf", "sqrt"};

class Writer {
 public:
  explicit Writer(const SourceOptions& options);

  /// The function "step" + `number`: y (out) from x (in).
  void step(const Step& step, std::size_t number);
  template <class T>
  void array(const std::string& own, std::span<const T> values);
  void emit(std::string_view pattern, const Fillings& own = {}) { text += filled(pattern, own, words); }

  std::string id(const std::string& own) const { return prefix_ + own; }  ///< a name as it is seen in the file

  // Of the step that is being written.
  void begin(std::string_view pattern = "", const Fillings& own = {});  ///< of the function
  void numbers(const std::string& own, const std::vector<double>& values);
  std::string applied(const Activation& activation, const std::string& v);

  std::string text;
  std::vector<std::string> arrays;  ///< in the order in which the checksum takes them
  std::uint32_t checksum = 2166136261u;
  bool needs_math = false;
  const bool int8;
  Fillings words;  ///< that differ between the languages

 private:
  const std::string prefix_;
};

/// The constants and the function of a product.
void write(Writer& to, const Product& p);

}  // namespace gradus::nn::frozen
