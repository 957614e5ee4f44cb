#include "text/format.hpp"

#include "tensor/tensor_impl.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>

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
  double smallest = std::abs(values.front());
  double largest = smallest;
  for (double value : values) {
    smallest = std::min(smallest, std::abs(value));
    largest = std::max(largest, std::abs(value));
  }
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
  std::copy_if(values.begin(), values.end(), std::back_inserter(deciding),
               [](double value) { return std::isfinite(value) && value != 0; });
  const bool all_whole =
      std::all_of(deciding.begin(), deciding.end(), [](double value) { return value == std::ceil(value); });

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

std::string format_number(double value) {
  if (std::isnan(value)) return "nan";
  const double magnitude = std::abs(value);
  const bool plain = magnitude == 0 || (magnitude >= 1e-4 && magnitude < 1e16);
  char text[32];
  const auto end =
      std::to_chars(text, text + sizeof text, value, plain ? std::chars_format::fixed : std::chars_format::scientific)
          .ptr;
  return std::string(text, end);
}

}  // namespace gradus
