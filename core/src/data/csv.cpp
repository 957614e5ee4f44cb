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
  FirstRecords(const std::string& path, const CsvDialect& dialect) : CsvReader(path, dialect) { read_records(); }

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
  void field(std::string_view text, std::int64_t column) override {
    if (column == 0) records_.emplace_back();
    records_.back().emplace_back(trimmed(text));
  }
  void end_of_record(std::int64_t) override { ++complete_; }
  bool wants_more() const override { return complete_ < 2; }

  std::vector<std::vector<std::string>> records_;
  int complete_ = 0;
};

template <class T>
class NumberReader : public CsvReader {
 public:
  NumberReader(const std::string& path, const CsvOptions& options)
      : CsvReader(path, {options.separator, options.quote, options.comment, options.skip}), options_(options) {}

  Tensor read() {
    read_records();
    if (numbers_.empty()) fail("there are no numbers in it");
    const auto count = static_cast<std::int64_t>(numbers_.size()), columns = static_cast<std::int64_t>(row_.size());
    return from_span(std::span<const T>(numbers_), {count / columns, columns});
  }

 private:
  bool in_header() const { return options_.header && !header_read_; }

  void field(std::string_view text, std::int64_t column) override {
    if (in_header()) return static_cast<void>(names_.emplace_back(trimmed(text)));
    const auto position = static_cast<std::size_t>(column);
    if (first_) {
      if (options_.columns.empty()) return row_.push_back(number(trimmed(text), column));
      return static_cast<void>(waiting_.emplace_back(text));  // which are wanted is clear when all are there
    }
    if (places_.empty() && position < row_.size()) row_[position] = number(trimmed(text), column);
    if (position < places_.size()) {
      for (const std::size_t place : places_[position]) row_[place] = number(trimmed(text), column);
    }
  }

  void end_of_record(std::int64_t columns) override {
    if (in_header()) {
      header_read_ = true;
      return;
    }
    if (first_) choose_columns(static_cast<std::size_t>(columns));
    const std::size_t before = options_.header || numbers_.empty() ? 0 : numbers_.size() / row_.size();
    check_columns(columns, columns_, static_cast<std::int64_t>(before), "lines before it");
    numbers_.insert(numbers_.end(), row_.begin(), row_.end());
  }

  void choose_columns(std::size_t columns) {
    first_ = false;
    columns_ = static_cast<std::int64_t>(columns);
    if (options_.columns.empty()) return;
    places_.resize(columns);
    names_.resize(columns);
    const auto positions = column_positions(options_.columns, names_, options_.header);
    row_.resize(positions.size());
    for (std::size_t i = 0; i < positions.size(); ++i) {
      places_[positions[i]].push_back(i);
      row_[i] = number(trimmed(waiting_[positions[i]]), static_cast<std::int64_t>(positions[i]));
    }
    waiting_.clear();
  }

  T number(std::string_view text, std::int64_t column) const {
    T value{};
    const bool is_missing = std::ranges::find(options_.missing, text) != options_.missing.end();
    if (is_missing && std::floating_point<T>) return std::numeric_limits<T>::quiet_NaN();
    const NumberText kind = parse_number(text, value);
    if (kind == NumberText::number && !is_missing) return value;
    if (is_missing) fail_here(text, column, "a number is missing, and int64 has no NaN\nSay {.dtype = float64}.");
    const std::string begin = shown(text.substr(0, 40));
    if (kind == NumberText::too_large) {
      fail_here(text, column, message("'", begin, "' is beyond the range of ", options_.dtype));
    }
    const std::string problem =
        text.empty() ? "a number is missing"
                     : message("expected ", std::integral<T> ? "an integer" : "a number", ", got '", begin, "'");
    fail_here(text, column, problem + advice(text));
  }

  std::string advice(std::string_view text) const {
    const CsvDialect& way = dialect();
    if (numbers_.empty() && !options_.header && FirstRecords(path(), way).begin_with_names()) {
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

  const CsvOptions& options_;
  bool header_read_ = false, first_ = true;
  std::vector<std::string> names_, waiting_;
  std::vector<std::vector<std::size_t>>
      places_;  // of each column of the file: where it goes in a row, if some are chosen
  std::int64_t columns_ = 0;
  std::vector<T> row_;
  std::vector<T> numbers_;
};

}  // namespace

Tensor read_csv(const std::string& path, const CsvOptions& options) {
  if (options.dtype == float64) return NumberReader<double>(path, options).read();
  if (options.dtype == int64) return NumberReader<std::int64_t>(path, options).read();
  if (options.dtype == float32) return NumberReader<float>(path, options).read();
  throw ValueError(message("read_csv: expected the dtype float32, float64 or int64, got ", options.dtype));
}

}  // namespace gradus
