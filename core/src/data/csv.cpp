#include <gradus/core/data.hpp>

#include "data/from_chars.hpp"
#include "io/file.hpp"
#include "tensor/message.hpp"

#include <cmath>

namespace gradus {
namespace {

using detail::message;

/// Reads lines of numbers one after the other and knows where it is when something is wrong.
class CsvReader {
 public:
  CsvReader(const std::string& path, const CsvOptions& options, std::string_view text)
      : path_(path), options_(options), text_(text) {
    if (text_.starts_with("\xEF\xBB\xBF")) text_.remove_prefix(3);  // the byte order mark of UTF-8
  }

  Tensor read() {
    if (options_.header) next_line();
    while (!text_.empty()) {
      const std::string_view line = next_line();
      if (!trimmed(line).empty()) read_line(line);
    }
    if (numbers_.empty()) fail("there are no numbers in it");
    const auto count = static_cast<std::int64_t>(numbers_.size());
    return from_span(numbers_, {count / columns_, columns_});
  }

 private:
  std::string_view next_line() {
    const std::string_view line = text_.substr(0, text_.find('\n'));
    text_.remove_prefix(std::min(line.size() + 1, text_.size()));
    ++line_;
    return line;
  }

  void read_line(std::string_view line) {
    std::int64_t column = 0;
    for (bool more = true; more; ++column) {
      const std::size_t end = line.find(options_.separator);
      more = end != std::string_view::npos;
      numbers_.push_back(number(trimmed(line.substr(0, end)), column + 1));
      if (more) line.remove_prefix(end + 1);
    }
    if (columns_ == 0) columns_ = column;
    if (column != columns_) {
      fail(message("line ", line_, ": expected ", columns_, " columns as in the lines before it, got ", column));
    }
  }

  float number(std::string_view text, std::int64_t column) const {
    const auto fail_here = [&](std::string_view problem) {
      const std::string_view remedy =
          numbers_.empty() && !options_.header ? "\nif the first line holds names, say {.header = true}" : "";
      fail(message("line ", line_, ", column ", column, ": ", problem, remedy));
    };
    if (text.empty()) fail_here("a number is missing");
    double value = 0;
    const std::size_t sign = text.size() > 1 && text[0] == '+' && text[1] != '-';
    const auto [end, error] = detail::from_chars(text.data() + sign, text.data() + text.size(), value);
    if (error == std::errc::invalid_argument || end != text.data() + text.size()) {
      fail_here(message("expected a number, got '", text.substr(0, 40), "'"));
    }
    const auto rounded = static_cast<float>(value);
    if (error == std::errc::result_out_of_range || std::isinf(rounded) != std::isinf(value)) {
      fail_here(message("'", text.substr(0, 40), "' is beyond the range of float32"));
    }
    return rounded;
  }

  static std::string_view trimmed(std::string_view text) {
    constexpr std::string_view blanks = " \t\r";
    const std::size_t first = text.find_first_not_of(blanks);
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(blanks) + 1 - first);
  }

  [[noreturn]] void fail(std::string_view problem) const {
    throw FileError(message("cannot read '", path_, "' as CSV: ", problem));
  }

  const std::string& path_;
  const CsvOptions& options_;
  std::string_view text_;
  std::int64_t line_ = 0;
  std::int64_t columns_ = 0;
  std::vector<float> numbers_;
};

}  // namespace

Tensor read_csv(const std::string& path, CsvOptions options) {
  const detail::Buffer file = detail::read_file(path);
  const detail::Bytes bytes = file;
  return CsvReader(path, options, {reinterpret_cast<const char*>(bytes.data()), bytes.size()}).read();
}

}  // namespace gradus
