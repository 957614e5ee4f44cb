#include "text/format.hpp"

#include "tensor/tensor_impl.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>

namespace gradus {
namespace {

/// As printf with %.*f or %.*e would write it, whatever the locale.
std::string digits(double value, std::chars_format format, int precision) {
  if (std::isnan(value)) return "nan";
  constexpr std::size_t longest_integer = 312;  // 1.8e308 with its sign and point
  std::string text(longest_integer + static_cast<std::size_t>(precision), '\0');
  const auto [end, error] = std::to_chars(text.data(), text.data() + text.size(), value, format, precision);
  text.resize(static_cast<std::size_t>(end - text.data()));
  return text;
}

enum class Style { whole, fixed, scientific };

std::string number_text(double value, Style style, int precision) {
  switch (style) {
    case Style::whole: return digits(value, std::chars_format::fixed, 0) + (std::isfinite(value) ? "." : "");
    case Style::fixed: return digits(value, std::chars_format::fixed, precision);
    case Style::scientific: break;
  }
  return digits(value, std::chars_format::scientific, precision);
}

/// The style for these numbers, finite and not zero, when the user leaves it to us.
Style choose_style(const std::vector<double>& values, bool all_whole) {
  const auto magnitude = [](double value) { return std::abs(value); };
  const double smallest = std::abs(std::ranges::min(values, {}, magnitude));
  const double largest = std::abs(std::ranges::max(values, {}, magnitude));
  if (largest / smallest > 1000 || largest > 1e8 || (!all_whole && smallest < 1e-4)) return Style::scientific;
  return all_whole ? Style::whole : Style::fixed;
}

template <class Text>
std::int64_t longest(const std::vector<double>& values, Text text) {
  std::size_t length = 1;
  for (double value : values) length = std::max(length, text(value).size());
  return static_cast<std::int64_t>(length);
}

detail::ElementTexts floating_texts(const std::vector<double>& values, const PrintOptions& options) {
  std::vector<double> deciding;
  std::ranges::copy_if(values, std::back_inserter(deciding),
                       [](double value) { return std::isfinite(value) && value != 0; });
  const bool all_whole = std::ranges::all_of(deciding, [](double value) { return value == std::ceil(value); });

  detail::ElementTexts result;
  Style style = Style::whole;
  if (!deciding.empty()) {
    style = choose_style(deciding, all_whole);
    result.width = longest(deciding, [&](double value) { return number_text(value, style, options.precision); });
    // As in PyTorch the user's wish comes after the width was found.
    if (options.sci_mode) style = *options.sci_mode ? Style::scientific : all_whole ? Style::whole : Style::fixed;
  }
  for (double value : values) result.texts.push_back(number_text(value, style, options.precision));
  return result;
}

std::string plain_text(bool value) { return value ? "True" : "False"; }
std::string plain_text(std::int64_t value) { return std::to_string(value); }

template <class T>
detail::ElementTexts texts_of(const T* elements, std::span<const std::int64_t> positions, const PrintOptions& options) {
  if constexpr (std::is_floating_point_v<T>) {
    std::vector<double> values;
    for (std::int64_t position : positions) values.push_back(elements[position]);
    return floating_texts(values, options);
  } else {
    detail::ElementTexts result;
    for (std::int64_t position : positions) {
      result.texts.push_back(plain_text(elements[position]));
      result.width = std::max(result.width, static_cast<std::int64_t>(result.texts.back().size()));
    }
    return result;
  }
}

}  // namespace

detail::ElementTexts detail::element_texts(const Tensor& x, std::span<const std::int64_t> positions,
                                           const PrintOptions& options) {
  ElementTexts result = visit(x.dtype(), [&]<class T>(T*) { return texts_of(elements<T>(x), positions, options); });
  const auto width = static_cast<std::size_t>(result.width);
  for (std::string& text : result.texts) {
    if (text.size() < width) text.insert(0, width - text.size(), ' ');
  }
  return result;
}

namespace {

/// The fewest digits that read back as `value`, in scientific notation. Every program has printf and strtod; for
/// std::to_chars it would have 130 kB of tables more.
std::string shortest(double value) {
  // The numbers below a power of two are nearer than those above it, so what reads back as it has another middle.
  const long double middle = value * (1 + 0x1p-55L);
  char text[48];
  for (int precision = 0; precision < 16; ++precision) {
    for (const long double v : {static_cast<long double>(value), middle}) {
      std::snprintf(text, sizeof text, "%.*Le", precision, v);
      if (std::strtod(text, nullptr) == value) return text;
    }
  }
  std::snprintf(text, sizeof text, "%.16e", value);
  return text;
}

}  // namespace

std::string format_number(double value) {
  if (std::isnan(value)) return "nan";
  const std::string sign = std::signbit(value) ? "-" : "";
  const double magnitude = std::abs(value);
  if (std::isinf(value)) return sign + "inf";
  const std::string text = shortest(magnitude);
  const std::size_t end = text.find('e');
  const int exponent = std::atoi(text.c_str() + end + 1);
  std::string digits;  // without the point of the locale
  std::ranges::copy_if(text.substr(0, end), std::back_inserter(digits), [](char c) { return c >= '0' && c <= '9'; });
  const bool plain = magnitude == 0 || (magnitude >= 1e-4 && magnitude < 1e16);
  if (plain && exponent < 0) digits.insert(0, static_cast<std::size_t>(-exponent), '0');
  const std::size_t whole = plain && exponent > 0 ? static_cast<std::size_t>(exponent) + 1 : 1;  // before the point
  if (digits.size() < whole) digits.resize(whole, '0');
  if (digits.size() > whole) digits.insert(whole, ".");
  return sign + digits + (plain ? "" : text.substr(end));
}

}  // namespace gradus
