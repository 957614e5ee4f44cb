// std::from_chars for floating-point numbers, which libc++ has from version 20 on.
#pragma once

#include <charconv>

#ifndef __cpp_lib_to_chars
#include <locale.h>  // NOLINT(modernize-deprecated-headers): newlocale is not of the C++ library
#include <stdlib.h>  // NOLINT(modernize-deprecated-headers): nor is strtod_l

#include <cerrno>
#include <cmath>
#include <string>
#ifdef __APPLE__
#include <xlocale.h>
#endif
#endif

namespace gradus::detail {

#ifdef __cpp_lib_to_chars

using std::from_chars;

#else

inline std::from_chars_result from_chars(const char* first, const char* last, double& value) {
  static const locale_t c_locale = newlocale(LC_ALL_MASK, "C", nullptr);
  const std::string text(first, last);
  // strtod also skips blanks, takes a plus sign and reads hexadecimal digits.
  const std::size_t digit = text.starts_with('-');
  const bool decimal = digit < text.size() && std::string_view(" \t\n\v\f\r+-").find(text[digit]) == text.npos &&
                       text.find_first_of("xX") == text.npos;
  if (!decimal) return {first, std::errc::invalid_argument};

  char* end = nullptr;
  errno = 0;
  const double number = strtod_l(text.c_str(), &end, c_locale);
  const char* const stop = first + (end - text.c_str());
  if (stop == first) return {first, std::errc::invalid_argument};
  if (errno == ERANGE && (number == 0 || std::isinf(number))) return {stop, std::errc::result_out_of_range};
  value = number;
  return {stop, {}};
}

#endif

}  // namespace gradus::detail
