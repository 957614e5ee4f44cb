#include "page.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <sstream>
#include <utility>

namespace lesson {

using namespace gradus;

namespace {

constexpr std::size_t page_width = 80;
const std::string column_gap = "  ";

std::string printed(const char* format, int digits, double value) {
  char text[400];
  std::snprintf(text, sizeof text, format, digits, value);
  const std::string number = text;
  const bool is_zero = number.find_first_not_of("-0.") == std::string::npos;
  return is_zero && number.front() == '-' ? number.substr(1) : number;
}

/// Columns taken by UTF-8 text.
std::size_t width(const std::string& text) {
  return static_cast<std::size_t>(std::ranges::count_if(text, [](char c) { return (c & 0xC0) != 0x80; }));
}

/// Lines of at most page_width columns, the first after `first`, the others after `indent`.
std::string wrapped(const std::string& text, const std::string& first, const std::string& indent) {
  std::istringstream words(text);
  std::string lines, line = first;
  bool fresh = true;
  for (std::string word; words >> word; fresh = false) {
    if (!fresh && width(line) + 1 + width(word) > page_width) {
      lines += line + "\n";
      line = indent;
      fresh = true;
    }
    line += (fresh ? "" : " ") + word;
  }
  return lines + line + "\n";
}

bool is_number(const std::string& text) {
  char* end = nullptr;
  std::strtod(text.c_str(), &end);
  return end != text.c_str() && (*end == '\0' || std::string(end) == " %");
}

/// The decimals, at most `most`, after which only zeros follow.
int decimals_of(double value, int most) {
  const std::string text = printed("%.*f", most, value);
  const auto point = text.find('.');
  if (point == std::string::npos) return 0;
  const auto last = text.find_last_not_of('0');
  return static_cast<int>(last - point);
}

std::string padded(const std::string& text, std::size_t columns, bool right) {
  const std::string gap(columns - std::min(columns, width(text)), ' ');
  return right ? gap + text : text + gap;
}

/// The line with a line break instead of the blanks at its end.
std::string without_end(const std::string& line) { return line.substr(0, line.find_last_not_of(' ') + 1) + "\n"; }

}  // namespace

std::string fixed(double value, int digits) { return printed("%.*f", digits, value); }
std::string scientific(double value, int digits) { return printed("%.*e", digits, value); }
std::string percent(double share, int digits) { return std::isinf(share) ? "all" : fixed(100 * share, digits) + " %"; }
std::string number(double value) { return printed("%.*g", 6, std::abs(value) < 1e-12 ? 0 : value); }

std::string numbers(const std::vector<double>& values) {
  std::string text;
  for (const double v : values) text += (text.empty() ? "" : ", ") + number(v);
  return text;
}

std::string numbers(const Tensor& x) {
  std::string text;
  const Tensor flat = x.detach().to(float64).reshape({-1});
  constexpr std::int64_t most = 8;
  for (std::int64_t i = 0; i < std::min(most, flat.numel()); ++i) {
    text += (i > 0 ? ", " : "") + number(flat[i].item());
  }
  return flat.numel() > most ? text + ", ..." : text;
}

Table::Table(std::vector<std::string> headings, int digits) : digits_(digits), headings_(std::move(headings)) {}

void Table::add(const std::string& text) { rows_.back().push_back({text, is_number(text), 0}); }

void Table::add(const Tensor& x) {
  const Tensor flat = x.detach().to(float64).reshape({-1});
  for (std::int64_t i = 0; i < flat.numel(); ++i) add(flat[i].item());
}

std::string Table::text_of(const Cell& cell, const Column& column) const {
  return cell.text.empty() && cell.is_number ? fixed(cell.value, column.decimals) : cell.text;
}

std::vector<Table::Column> Table::columns() const {
  std::vector<Column> columns;
  for (const auto& row : rows_) {
    columns.resize(std::max(columns.size(), row.size()));
    for (std::size_t c = 0; c < row.size(); ++c) {
      columns[c].numbers |= row[c].is_number;
      if (row[c].text.empty() && row[c].is_number) {
        columns[c].decimals = std::max(columns[c].decimals, decimals_of(row[c].value, digits_));
      }
    }
  }
  for (const auto& row : rows_) {
    for (std::size_t c = 0; c < row.size(); ++c) {
      columns[c].width = std::max(columns[c].width, width(text_of(row[c], columns[c])));
    }
  }
  return columns;
}

std::string Table::text() const {
  std::vector<Column> columns = this->columns();
  std::string headings, rules, lines;
  for (std::size_t first = 0, next; first < headings_.size(); first = next) {
    std::size_t group = columns[first].width;
    for (next = first + 1; next < headings_.size() && headings_[next].empty(); ++next) {
      group += column_gap.size() + columns[next].width;
    }
    const std::size_t missing = std::max(width(headings_[first]), group) - group;
    columns[next - 1].width += missing;
    group += missing;
    headings += column_gap + padded(headings_[first], group, next == first + 1 && columns[first].numbers);
    rules += column_gap + std::string(group, '-');
  }
  for (const auto& row : rows_) {
    std::string line;
    for (std::size_t c = 0; c < row.size(); ++c) {
      line += column_gap + padded(text_of(row[c], columns[c]), columns[c].width, row[c].is_number);
    }
    lines += without_end(line);
  }
  return without_end(headings) + rules + "\n" + lines;
}

void Page::heading(int number, const std::string& title) {
  section_ = number;
  const std::string text = std::to_string(number) + ". " + title;
  text_ += "\n" + text + "\n" + std::string(width(text), '=') + "\n";
}

void Page::say(const std::string& text) { show(wrapped(text, "", "")); }

void Page::show(const std::string& lines) {
  text_ += "\n" + lines;
  among_claims_ = false;
}

void Page::claim(const std::string& statement, bool holds, const std::string& otherwise) {
  if (!std::exchange(among_claims_, true)) text_ += "\n";
  text_ += wrapped(statement, holds ? "  true   " : "  FALSE  ", "         ");
  ++claims_;
  if (holds) return;
  if (!otherwise.empty()) text_ += wrapped(otherwise, "         ", "         ");
  failures_.push_back("section " + std::to_string(section_) + ": " + statement);
}

void Page::near(const std::string& statement, const Tensor& got, const Tensor& expected, double tolerance) {
  const double scale = std::max(1.0, expected.detach().abs().max().item());
  claim(statement, distance(got, expected) <= tolerance * scale,
        "got " + numbers(got) + "; expected " + numbers(expected));
}

void Page::near(const std::string& statement, double got, double expected, double tolerance) {
  near(statement, full({}, got, float64), full({}, expected, float64), tolerance);
}

void Page::append(const Page& page) {
  text_ += page.text_;
  claims_ += page.claims_;
  failures_.insert(failures_.end(), page.failures_.begin(), page.failures_.end());
}

std::string conclusion(const Page& page) {
  const std::string count = "\n" + std::to_string(page.claims()) + " claims, ";
  if (page.failures().empty()) return count + "all of them true.\n";
  std::string text = count + std::to_string(page.failures().size()) + " of them false:\n";
  for (const std::string& failure : page.failures()) text += wrapped(failure, "  ", "    ");
  return text;
}

Tensor column(const std::vector<double>& values) {
  return from_span(values, {static_cast<std::int64_t>(values.size()), 1});
}

double distance(const Tensor& a, const Tensor& b) {
  const double largest = (a.detach().to(float64) - b.detach().to(float64)).abs().max().item();
  return std::isnan(largest) ? INFINITY : largest;
}

double relative(const Tensor& a, const Tensor& b) {
  const double off = distance(a, b);
  return off == 0 ? 0 : off / b.detach().abs().max().item();
}

}  // namespace lesson
