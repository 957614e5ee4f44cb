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
  TableReader(const std::string& path, const TableOptions& options) : CsvReader(path, options), options_(options) {}

  Table read() {
    read_records();
    if (!chosen_)
      fail(options_.header && !names_.empty() ? "there are names, but no rows in it" : "there are no rows in it");
    second_ = std::ranges::any_of(table_, [](const Building& column) { return column.is_text; });
    records_ = 0;
    if (second_) read_records();
    std::vector<Table::Column> columns;
    for (Building& column : table_) columns.push_back(std::move(column));
    return Table(std::move(columns));
  }

 private:
  struct Building : Table::Column {
    std::size_t position = 0;  // in the file
    bool must_be_numbers = false;
    std::unordered_map<std::string, std::int32_t> known = {};  // code of a text
  };
  static constexpr std::size_t most_columns = 100'000;

  void record(CsvRecord fields) override {
    const std::size_t before = records_++;
    for (std::size_t i = 0; before == 0 && !second_ && i < fields.size(); ++i) {
      names_.push_back(options_.header ? std::string(fields[i].text) : std::to_string(i));
    }
    if (before == 0 && options_.header) return;
    check_columns(fields.size(), names_.size(), before, options_.header ? "header" : "first line");
    if (!std::exchange(chosen_, true)) choose_columns();
    for (Building& column : table_) put(column, fields[column.position]);
  }

  void choose_columns() {
    if (names_.size() > most_columns) {
      fail(message("there are ", names_.size(), " columns, a table has at most ", most_columns,
                   "\nread_csv() reads matrices of any width."));
    }
    check_names();
    const std::vector<std::size_t> positions = chosen_positions(names_);
    std::vector<bool> text(names_.size()), numbers(names_.size());
    for (const std::size_t at : positions_of(options_.text, names_)) text[at] = true;
    for (const std::size_t at : positions_of(options_.numbers, names_)) numbers[at] = true;
    for (const std::size_t at : positions) {
      Building& column = table_.emplace_back();
      column.name = names_[at];
      column.is_text = text[at];
      column.position = at;
      column.must_be_numbers = numbers[at];
    }
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

  void put(Building& column, const CsvField& field) {
    const std::string_view text = field.text;
    const bool missing = is_missing(text);
    if (column.is_text) {
      if (second_) put_text(column, field, missing);
      return;
    }
    if (second_) return;
    double number = std::numeric_limits<double>::quiet_NaN();
    const NumberText kind = missing ? NumberText::number : parse_number(text, number);
    if (kind == NumberText::number) return column.numbers.push_back(number);
    const std::string begin = shown(text.substr(0, 40));
    if (kind == NumberText::too_large)
      fail_here(field, column.position, message("'", begin, "' is beyond the range of float64"));
    if (column.must_be_numbers) fail_here(field, column.position, message("expected a number, got '", begin, "'"));
    column.is_text = true;
    column.numbers = {};
  }

  void put_text(Building& column, const CsvField& field, bool missing) {
    if (missing) return column.codes.push_back(-1);
    const std::string_view text = field.text;
    if (text.find('\0') != text.npos) fail_here(field, column.position, "there is a zero byte in it");
    const auto next = static_cast<std::int32_t>(column.texts.size());
    const auto [found, is_new] = column.known.emplace(text, next);
    if (is_new) column.texts.emplace_back(text);
    column.codes.push_back(found->second);
  }

  const TableOptions& options_;
  bool chosen_ = false, second_ = false;
  std::size_t records_ = 0;
  std::vector<std::string> names_;
  std::vector<Building> table_;
};

}  // namespace

Table read_table(const std::string& path, const TableOptions& options) { return TableReader(path, options).read(); }

}  // namespace gradus
