// Writes the steps of a program as functions of C++ or of C, and the arrays that they read.
#pragma once

#include "frozen/pattern.hpp"
#include "frozen/source.hpp"

#include <vector>

namespace gradus::nn::frozen {

constexpr const char* math_functions[] = {"exp", "log", "log1p", "expm1", "tanh", "erf", "sqrt"};

/// Outputs with those that fill the last register; their functions write as many.
std::int64_t padded(std::int64_t outputs);

class Writer {
 public:
  explicit Writer(const SourceOptions& options);

  /// The function "step" + `number`: y (out) from x (in).
  void step(const Step& step, std::size_t number);
  template <class T>
  void array(const std::string& own, std::span<const T> values);
  void emit(std::string_view pattern, const Fillings& own = {}) { text += filled(pattern, own, words); }

  std::string id(const std::string& own) const { return prefix_ + own; }  ///< a name as it is seen in the file

  std::string text;
  std::vector<std::string> arrays;  ///< in the order in which the checksum takes them
  std::uint32_t checksum = 2166136261u;
  bool needs_math = false;
  Fillings words;  ///< that differ between the languages

 private:
  void write(const Product& p, const Step& step);
  void write(const Patches& p, const Step& step);
  void write(const Norm& norm, const Step& step);
  void write(const RowNorm& norm, const Step& step);
  void write(const Activation& activation, const Step& step);
  void write(const Softmax& softmax, const Step& step);
  void write(const Pool& pool, const Step& step);
  void write(const Transpose& transpose, const Step& step);
  void write(const Pad& pad, const Step& step);

  void begin();  ///< of the function
  void numbers(const std::string& own, const std::vector<double>& values);
  std::string applied(const Activation& activation, const std::string& v);

  // writer_product.cpp
  void weights(const Product& p);
  void body(const Product& p);
  void columns(const Product& p, std::int64_t count);
  std::string of_group(const Product& p, const std::string& array, std::int64_t each) const;

  const bool int8_;
  const std::string prefix_;
};

}  // namespace gradus::nn::frozen
