#include "data/csv_records.hpp"
#include "tensor/message.hpp"

#include <gradus/core/table.hpp>

#include <algorithm>
#include <limits>
#include <unordered_map>

namespace gradus {
namespace {

using namespace detail;

/// Reads a file with columns of text twice: whether a column holds numbers alone is known at its end only, and texts
/// are not kept until then.
class TableReader : public CsvReader {
 public:
  TableReader(const std::string& path, const TableOptions& options)
      : CsvReader(path, {options.separator, options.quote, options.comment, options.skip}), options_(options) {}

  Table read() {
    read_records();
    if (!chosen_)
      fail(options_.header && !names_.empty() ? "there are names, but no rows in it" : "there are no rows in it");
    second_ = std::ranges::any_of(table_, [](const Building& column) { return column.is_text; });
    if (second_) {
      header_read_ = false;
      records_ = 0;
      read_records();
    }
    std::vector<Table::Column> columns;
    for (Building& column : table_) columns.push_back(std::move(column));
    return Table(std::move(columns));
  }

 private:
  struct Building : Table::Column {
    bool must_be_numbers = false;
    std::unordered_map<std::string, std::int32_t> known = {};  // code of a text
  };
  static constexpr std::size_t most_columns = 100'000;
  static constexpr std::size_t none = std::numeric_limits<std::size_t>::max();

  bool in_header() const { return options_.header && !header_read_; }

  void field(std::string_view text, std::int64_t column) override {
    if (in_header()) {
      if (!second_) names_.emplace_back(trimmed(text));
      return;
    }
    if (!chosen_) return static_cast<void>(waiting_.emplace_back(text));
    const auto position = static_cast<std::size_t>(column);
    if (position < places_.size() && places_[position] != none) put(table_[places_[position]], trimmed(text), column);
  }

  void end_of_record(std::int64_t columns) override {
    const std::int64_t before = records_++;
    if (in_header()) {
      header_read_ = true;
      return;
    }
    for (std::int64_t i = 0; before == 0 && !second_ && i < columns; ++i) names_.push_back(std::to_string(i));
    check_columns(columns, static_cast<std::int64_t>(names_.size()), before, options_.header ? "header" : "first line");
    if (!chosen_) choose_columns();
  }

  void choose_columns() {
    if (names_.size() > most_columns) {
      fail(message("there are ", names_.size(), " columns, a table has at most ", most_columns,
                   "\nread_csv() reads matrices of any width."));
    }
    check_names();
    std::vector<std::size_t> positions = column_positions(options_.columns, names_, options_.header);
    for (std::size_t i = 0; options_.columns.empty() && i < names_.size(); ++i) positions.push_back(i);
    places_.assign(names_.size(), none);
    for (std::size_t i = 0; i < positions.size(); ++i) {
      places_[positions[i]] = i;
      table_.emplace_back().name = names_[positions[i]];
    }
    for (const std::size_t at : column_positions(options_.text, names_, options_.header)) {
      if (places_[at] != none) table_[places_[at]].is_text = true;
    }
    for (const std::size_t at : column_positions(options_.numbers, names_, options_.header)) {
      if (places_[at] != none) table_[places_[at]].must_be_numbers = true;
    }
    chosen_ = true;
    const std::vector<std::string> first = std::move(waiting_);
    for (std::size_t i = 0; i < first.size(); ++i) field(first[i], static_cast<std::int64_t>(i));
  }

  void check_names() {
    std::unordered_map<std::string_view, std::size_t> seen;
    for (std::size_t i = 0; i < names_.size(); ++i) {
      if (names_[i].empty()) names_[i] = std::to_string(i);  // as of the numbers of rows that some programs write
      const auto [other, is_new] = seen.emplace(names_[i], i);
      if (is_new) continue;
      fail(message("the columns ", other->second + 1, " and ", i + 1, " have one name, '", shown(names_[i]),
                   "'\nif the first line holds no names, say {.header = false}"));
    }
  }

  void put(Building& column, std::string_view text, std::int64_t position) {
    const bool missing = std::ranges::find(options_.missing, text) != options_.missing.end();
    if (column.is_text) {
      if (second_) put_text(column, text, missing, position);
      return;
    }
    if (second_) return;
    double number = std::numeric_limits<double>::quiet_NaN();
    const NumberText kind = missing ? NumberText::number : parse_number(text, number);
    if (kind == NumberText::number) return column.numbers.push_back(number);
    const std::string begin = shown(text.substr(0, 40));
    if (kind == NumberText::too_large)
      fail_here(text, position, message("'", begin, "' is beyond the range of float64"));
    if (column.must_be_numbers) fail_here(text, position, message("expected a number, got '", begin, "'"));
    column.is_text = true;
    column.numbers = {};
  }

  void put_text(Building& column, std::string_view text, bool missing, std::int64_t position) {
    if (missing) return column.codes.push_back(-1);
    if (text.find('\0') != text.npos) fail_here(text, position, "there is a zero byte in it");
    const auto next = static_cast<std::int32_t>(column.texts.size());
    const auto [found, is_new] = column.known.emplace(text, next);
    if (is_new) column.texts.emplace_back(text);
    column.codes.push_back(found->second);
  }

  const TableOptions& options_;
  bool header_read_ = false, chosen_ = false, second_ = false;
  std::int64_t records_ = 0;
  std::vector<std::string> names_, waiting_;
  std::vector<std::size_t> places_;  // of each column of the file: where it is in the table
  std::vector<Building> table_;
};

}  // namespace

Table read_table(const std::string& path, const TableOptions& options) { return TableReader(path, options).read(); }

}  // namespace gradus
