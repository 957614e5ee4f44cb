// What a field says, and what a user is told of one.
#include "data/csv_records.hpp"
#include "tensor/message.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <functional>
#include <numeric>

#ifndef __cpp_lib_to_chars
#include <locale.h>  // NOLINT(modernize-deprecated-headers): newlocale is not of the C++ library
#include <stdlib.h>  // NOLINT(modernize-deprecated-headers): nor is strtod_l

#include <cerrno>
#ifdef __APPLE__
#include <xlocale.h>
#endif
#endif

namespace gradus::detail {
namespace {

#ifdef __cpp_lib_to_chars

using std::from_chars;

#else

/// std::from_chars for floating-point numbers, which libc++ has from version 20 on.
std::from_chars_result from_chars(const char* first, const char* last, double& value) {
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

/// Of a number that is out of range: whether it is too large, and not too small.
bool is_large(std::string_view digits) {
  const std::size_t begin_of_exponent = digits.find_first_of("eE");
  std::string_view mantissa = digits.substr(0, begin_of_exponent);
  std::int64_t exponent = 0;
  if (begin_of_exponent != digits.npos) {
    std::string_view text = digits.substr(begin_of_exponent + 1);
    if (text.starts_with('+')) text.remove_prefix(1);
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), exponent);
    if (error == std::errc::result_out_of_range) return !text.starts_with('-');
  }
  const std::size_t point = std::min(mantissa.find('.'), mantissa.size());
  const std::size_t first = mantissa.find_first_of("123456789");
  if (first == mantissa.npos) return false;
  const auto place = static_cast<std::int64_t>(point) - static_cast<std::int64_t>(first);  // of the first digit
  return place + exponent > 0;
}

/// The text without a plus sign, which from_chars does not take.
std::string_view without_plus(std::string_view text) {
  return text.size() > 1 && text[0] == '+' && text[1] != '-' ? text.substr(1) : text;
}

}  // namespace

NumberText parse_number(std::string_view text, double& number) {
  const std::string_view digits = without_plus(text);
  const auto [end, error] = from_chars(digits.data(), digits.data() + digits.size(), number);
  if (error == std::errc::invalid_argument || end != digits.data() + digits.size()) return NumberText::none;
  if (error == std::errc()) return NumberText::number;
  number = digits[0] == '-' ? -0.0 : 0.0;
  return is_large(digits) ? NumberText::too_large : NumberText::number;
}

NumberText parse_number(std::string_view text, float& number) {
  double exact = 0;
  const NumberText result = parse_number(text, exact);
  number = static_cast<float>(exact);
  const bool too_large = result == NumberText::number && std::isinf(number) != std::isinf(exact);
  return too_large ? NumberText::too_large : result;
}

NumberText parse_number(std::string_view text, std::int64_t& number) {
  const std::string_view digits = without_plus(text);
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (error == std::errc::invalid_argument || end != digits.data() + digits.size()) return NumberText::none;
  return error == std::errc() ? NumberText::number : NumberText::too_large;
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view blanks = " \t\r";
  const std::size_t begin = std::min(text.find_first_not_of(blanks), text.size());
  return text.substr(begin, text.find_last_not_of(blanks) + 1 - begin);
}

void CsvReader::fail(std::string_view problem) const {
  throw FileError(message("cannot read '", path_, "' as CSV: ", problem));
}

void CsvReader::fail_here(std::string_view problem) const { fail(message("line ", line_, ": ", problem)); }

void CsvReader::fail_here(const CsvField& field, std::size_t column, std::string_view problem) const {
  fail(message("line ", field.line - std::ranges::count(field.text, '\n'), ", column ", column + 1, ": ", problem));
}

void CsvReader::take(std::string_view text) {
  texts_ += trimmed(text);
  ends_.push_back(texts_.size());
  fields_.push_back({{}, line_});
}

void CsvReader::finish_record() {
  if (fields_.empty()) return;
  std::size_t begin = 0;
  for (std::size_t i = 0; i < fields_.size(); begin = ends_[i++]) {
    fields_[i].text = std::string_view(texts_).substr(begin, ends_[i] - begin);
  }
  record(fields_);
  fields_.clear();
  ends_.clear();
  texts_.clear();
}

void CsvReader::check_columns(std::size_t columns, std::size_t expected, std::size_t before, const char* like) const {
  if (columns == expected) return;
  const std::string advice =
      message("\nif what is above that line is no part of the table, say {.skip = ", line_ - 1, "}");
  fail_here(message("expected ", expected, " columns as in the ", like, ", got ", columns, before == 1 ? advice : ""));
}

bool CsvReader::is_missing(std::string_view text) const {
  return std::ranges::find(options_.missing, text) != options_.missing.end();
}

std::vector<std::size_t> CsvReader::positions_of(const std::vector<ColumnKey>& keys,
                                                 const std::vector<std::string>& names) const {
  std::vector<std::size_t> positions;
  const auto count = static_cast<std::int64_t>(names.size());
  for (const ColumnKey& key : keys) {
    const std::int64_t position = key.by_name()        ? std::ranges::find(names, key.name()) - names.begin()
                                  : key.position() < 0 ? key.position() + count
                                                       : key.position();
    if (position >= 0 && position < count) {
      positions.push_back(static_cast<std::size_t>(position));
      continue;
    }
    if (!key.by_name()) throw IndexError(message("there is no column ", key.position(), ", there are ", count));
    const std::string there_are = message("\nThere are: ", listed(names, std::identity()));
    throw KeyError(message("there is no column '", shown(key.name()), "'",
                           options_.header ? there_are : "\nWithout a header columns have no names."));
  }
  return positions;
}

std::vector<std::size_t> CsvReader::chosen_positions(const std::vector<std::string>& names) const {
  if (!options_.columns.empty()) return positions_of(options_.columns, names);
  std::vector<std::size_t> all(names.size());
  std::iota(all.begin(), all.end(), 0u);
  return all;
}

}  // namespace gradus::detail
