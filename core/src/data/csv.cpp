#include "data/csv_records.hpp"
#include "tensor/message.hpp"

#include <gradus/core/create.hpp>
#include <gradus/core/csv.hpp>

#include <algorithm>
#include <limits>

namespace gradus {
namespace {

using namespace detail;

constexpr std::string_view marks_of_missing[] = {"", "?", "NA", "N/A", "n/a", "NULL", "null", "-", "."};

bool is_mark_of_missing(std::string_view text) {
  return std::ranges::find(marks_of_missing, text) != std::end(marks_of_missing);
}

/// The first two records of a file, to see whether the first are names.
class FirstRecords : public CsvReader {
 public:
  FirstRecords(const std::string& path, const CsvOptions& options) : CsvReader(path, options) { read_records(); }

  /// All of the first is text, and below some of it is a number.
  bool begin_with_names() const {
    if (records_.size() < 2 || records_[0].size() != records_[1].size()) return false;
    bool number_below = false;
    double number;
    for (std::size_t i = 0; i < records_[0].size(); ++i) {
      const std::string& name = records_[0][i];
      if (parse_number(name, number) != NumberText::none || (!name.empty() && is_mark_of_missing(name))) return false;
      number_below = number_below || (!name.empty() && parse_number(records_[1][i], number) == NumberText::number);
    }
    return number_below;
  }

 private:
  void record(CsvRecord fields) override {
    auto& texts = records_.emplace_back();
    for (const CsvField& field : fields) texts.emplace_back(field.text);
  }
  bool wants_more() const override { return records_.size() < 2; }

  std::vector<std::vector<std::string>> records_;
};

template <class T>
class NumberReader : public CsvReader {
 public:
  using CsvReader::CsvReader;

  Tensor read() {
    read_records();
    if (numbers_.empty()) fail("there are no numbers in it");
    const auto count = static_cast<std::int64_t>(numbers_.size()), columns = static_cast<std::int64_t>(row_.size());
    return from_span(std::span<const T>(numbers_), {count / columns, columns});
  }

 private:
  void record(CsvRecord fields) override {
    if (options().header && !std::exchange(header_read_, true)) {
      for (const CsvField& name : fields) names_.emplace_back(name.text);
      return;
    }
    if (positions_.empty()) {
      names_.resize(fields.size());
      positions_ = chosen_positions(names_);
      row_.resize(positions_.size());
    }
    for (std::size_t i = 0; i < positions_.size(); ++i) {
      if (const std::size_t at = positions_[i]; at < fields.size()) row_[i] = number(fields[at], at);
    }
    const std::size_t before = options().header ? 0 : numbers_.size() / row_.size();
    check_columns(fields.size(), names_.size(), before, "lines before it");
    numbers_.insert(numbers_.end(), row_.begin(), row_.end());
  }

  T number(const CsvField& field, std::size_t column) const {
    const std::string_view text = field.text;
    T value{};
    const bool missing = is_missing(text);
    if (missing && std::floating_point<T>) return std::numeric_limits<T>::quiet_NaN();
    const NumberText kind = parse_number(text, value);
    if (kind == NumberText::number && !missing) return value;
    if (missing) fail_here(field, column, "a number is missing, and int64 has no NaN\nSay {.dtype = float64}.");
    const std::string begin = shown(text.substr(0, 40));
    if (kind == NumberText::too_large) {
      fail_here(field, column, message("'", begin, "' is beyond the range of ", dtype_of<T>));
    }
    const std::string problem =
        text.empty() ? "a number is missing"
                     : message("expected ", std::integral<T> ? "an integer" : "a number", ", got '", begin, "'");
    fail_here(field, column, problem + advice(text));
  }

  std::string advice(std::string_view text) const {
    if (numbers_.empty() && !options().header && FirstRecords(path(), options()).begin_with_names()) {
      return "\nif the first line holds names, say {.header = true}";
    }
    if (is_mark_of_missing(text)) return message("\nto read it as NaN, say {.missing = {\"", text, "\"}}");
    for (const char other : {';', '\t', ' '}) {
      const std::size_t end = text.find(other);
      double number;
      if (end == 0 || end == text.npos || parse_number(text.substr(0, end), number) == NumberText::none) continue;
      return message("\nif that separates the numbers, say {.separator = '",
                     other == '\t' ? "\\t" : std::string(1, other), "'}");
    }
    return "\nread_table() reads columns of text; {.columns = …} names those to be read";
  }

  bool header_read_ = false;
  std::vector<std::string> names_;      // of the columns of the file
  std::vector<std::size_t> positions_;  // of those in a row
  std::vector<T> row_, numbers_;
};

}  // namespace

Tensor read_csv(const std::string& path, const CsvOptions& options) {
  if (options.dtype == float64) return NumberReader<double>(path, options).read();
  if (options.dtype == int64) return NumberReader<std::int64_t>(path, options).read();
  if (options.dtype == float32) return NumberReader<float>(path, options).read();
  throw ValueError(message("read_csv: expected the dtype float32, float64 or int64, got ", options.dtype));
}

}  // namespace gradus
