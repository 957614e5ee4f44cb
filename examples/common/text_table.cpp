#include "text_table.hpp"

#include "text.hpp"

#include <algorithm>
#include <cstdlib>

using namespace gradus;

namespace {

constexpr std::size_t gap = 2;  // between columns

bool is_number(const std::string& text) {
  char* end = nullptr;
  std::strtod(text.c_str(), &end);
  return end != text.c_str() && (*end == '\0' || std::string(end) == " %");
}

/// The decimals, at most `most`, after which only zeros follow.
int decimals_of(double value, int most) {
  const std::string text = fixed(value, most);
  const auto point = text.find('.');
  return point == std::string::npos ? 0 : static_cast<int>(text.find_last_not_of('0') - point);
}

std::string padded(const std::string& text, std::size_t columns, bool right) {
  const std::string blanks(columns - std::min(columns, width(text)), ' ');
  return right ? blanks + text : text + blanks;
}

/// The line with a line break instead of the blanks at its end.
std::string without_end(const std::string& line) { return line.substr(0, line.find_last_not_of(' ') + 1) + "\n"; }

}  // namespace

TextTable::TextTable(std::vector<std::string> headings, const Style& style)
    : style_(style), headings_(std::move(headings)) {}

void TextTable::add(const std::string& text) { rows_.back().push_back({text, is_number(text), 0}); }

void TextTable::add(const std::vector<std::string>& texts) {
  for (const std::string& text : texts) add(text);
}

void TextTable::add(const Tensor& x) {
  const Tensor flat = x.detach().to(float64).reshape({-1});
  for (std::int64_t i = 0; i < flat.numel(); ++i) add(flat[i].item());
}

std::string TextTable::text_of(const Cell& cell, const Column& column) const {
  return cell.text.empty() && cell.is_number ? fixed(cell.value, column.decimals) : cell.text;
}

std::vector<TextTable::Column> TextTable::columns() const {
  std::vector<Column> columns(headings_.size());
  for (const auto& row : rows_) {
    columns.resize(std::max(columns.size(), row.size()));
    for (std::size_t c = 0; c < row.size(); ++c) {
      columns[c].numbers |= row[c].is_number;
      if (row[c].text.empty() && row[c].is_number) {
        columns[c].decimals = std::max(columns[c].decimals, decimals_of(row[c].value, style_.digits));
      }
    }
  }
  for (const auto& row : rows_) {
    const std::size_t aligned = row.size() == columns.size() ? row.size() : row.size() - 1;
    for (std::size_t c = 0; c < aligned; ++c) {
      columns[c].width = std::max(columns[c].width, width(text_of(row[c], columns[c])));
    }
  }
  return columns;
}

/// The line of headings and the rule below it; makes columns as wide as their headings.
std::string TextTable::head(std::vector<Column>& columns) const {
  std::string headings, rules;
  for (std::size_t first = 0, next; first < headings_.size(); first = next) {
    std::size_t group = columns[first].width;
    for (next = first + 1; next < headings_.size() && headings_[next].empty(); ++next)
      group += gap + columns[next].width;
    const std::size_t missing = std::max(width(headings_[first]), group) - group;
    columns[next - 1].width += missing;
    group += missing;
    const bool right = next == first + 1 && to_the_right(first, columns[first].numbers);
    const std::string before(first > 0 || !plain() ? gap : 0, ' ');
    headings += before + padded(headings_[first], group, right);
    rules += before + std::string(group, '-');
  }
  return without_end(headings) + (plain() ? "" : rules + "\n");
}

std::string TextTable::text() const {
  std::vector<Column> columns = this->columns();
  std::string lines = head(columns);
  for (const auto& row : rows_) {
    std::string line;
    for (std::size_t c = 0; c < row.size(); ++c) {
      line += std::string(c > 0 || !plain() ? gap : 0, ' ');
      line += padded(text_of(row[c], columns[c]), columns[c].width, to_the_right(c, row[c].is_number));
    }
    lines += without_end(line);
  }
  return lines;
}

std::string confusion_matrix(const std::vector<std::string>& classes, const Tensor& truth, const Tensor& predicted) {
  std::vector<std::string> headings{"true \\ predicted"};
  headings.insert(headings.end(), classes.begin(), classes.end());
  TextTable table(headings, {.text_columns = 1});
  for (std::size_t t = 0; t < classes.size(); ++t) {
    std::vector<std::string> row{classes[t]};
    for (std::size_t p = 0; p < classes.size(); ++p) {
      const auto count = ((truth == t) & (predicted == p)).sum().item<std::int64_t>();
      row.push_back(count > 0 ? std::to_string(count) : ".");
    }
    table.row(row);
  }
  return table.text();
}
