#include "page.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <sstream>
#include <utility>

namespace lesson {

using namespace gradus;

namespace {

constexpr std::size_t kWidth = 96;
const std::string kGap = "  ";

std::string printed(const char* format, int digits, double value) {
  char text[64];
  std::snprintf(text, sizeof text, format, digits, value);
  const std::string number = text;
  const bool is_zero = number.find_first_of("123456789") == std::string::npos;
  return is_zero && number.front() == '-' ? number.substr(1) : number;
}

/// Columns taken by UTF-8 text.
std::size_t width(const std::string& text) {
  return static_cast<std::size_t>(std::ranges::count_if(text, [](char c) { return (c & 0xC0) != 0x80; }));
}

/// Lines of at most kWidth columns, the first after `first`, the others after `indent`.
std::string wrapped(const std::string& text, const std::string& first, const std::string& indent) {
  std::istringstream words(text);
  std::string lines, line = first;
  bool fresh = true;
  for (std::string word; words >> word; fresh = false) {
    if (!fresh && width(line) + 1 + width(word) > kWidth) {
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

std::string padded(const std::string& text, std::size_t columns, bool right) {
  const std::string gap(columns - std::min(columns, width(text)), ' ');
  return right ? gap + text : text + gap;
}

/// The line with a line break instead of the blanks at its end.
std::string without_end(const std::string& line) { return line.substr(0, line.find_last_not_of(' ') + 1) + "\n"; }

std::string elements(const Tensor& x) {
  constexpr std::int64_t most = 6;
  const Tensor flat = x.detach().to(float64).reshape({-1});
  std::string text;
  for (std::int64_t i = 0; i < std::min(most, flat.numel()); ++i) {
    text += (i > 0 ? ", " : "") + printed("%.*g", 8, flat[i].item());
  }
  return flat.numel() > most ? text + ", ..." : text;
}

}  // namespace

std::string fixed(double value, int digits) { return printed("%.*f", digits, value); }
std::string scientific(double value, int digits) { return printed("%.*e", digits, value); }
std::string percent(double share, int digits) { return fixed(100 * share, digits) + " %"; }

Table::Table(std::vector<std::string> headings, int digits) : digits_(digits), rows_{std::move(headings)} {}

void Table::add(const Tensor& x) {
  const Tensor flat = x.detach().to(float64).reshape({-1});
  for (std::int64_t i = 0; i < flat.numel(); ++i) add(flat[i].item());
}

std::string Table::text() const {
  std::vector<std::size_t> widths;
  std::vector<bool> numbers;
  for (const auto& row : rows_) {
    for (std::size_t c = 0; c < row.size(); ++c) {
      if (c == widths.size()) {
        widths.push_back(0);
        numbers.push_back(false);
      }
      if (&row != &rows_.front()) widths[c] = std::max(widths[c], width(row[c]));
      numbers[c] = numbers[c] || is_number(row[c]);
    }
  }

  std::string headings, rules;
  const std::vector<std::string>& names = rows_.front();
  for (std::size_t first = 0, next; first < names.size(); first = next) {
    std::size_t group = widths[first];
    for (next = first + 1; next < names.size() && names[next].empty(); ++next) group += kGap.size() + widths[next];
    const std::size_t missing = std::max(width(names[first]), group) - group;
    widths[next - 1] += missing;
    group += missing;
    headings += kGap + padded(names[first], group, next == first + 1 && numbers[first]);
    rules += kGap + std::string(group, '-');
  }
  std::string lines = without_end(headings) + rules + "\n";
  for (std::size_t r = 1; r < rows_.size(); ++r) {
    std::string line;
    for (std::size_t c = 0; c < rows_[r].size(); ++c) {
      line += kGap + padded(rows_[r][c], widths[c], numbers[c] && is_number(rows_[r][c]));
    }
    lines += without_end(line);
  }
  return lines;
}

void Page::heading(int number, const std::string& title) {
  section_ = number;
  const std::string text = std::to_string(number) + ". " + title;
  std::printf("\n%s\n%s\n", text.c_str(), std::string(width(text), '=').c_str());
}

void Page::say(const std::string& text) { show(wrapped(text, "", "")); }

void Page::show(const std::string& lines) {
  std::printf("\n%s", lines.c_str());
  among_claims_ = false;
}

void Page::claim(const std::string& statement, bool holds, const std::string& otherwise) {
  if (!std::exchange(among_claims_, true)) std::printf("\n");
  std::printf("%s", wrapped(statement, holds ? "  true   " : "  FALSE  ", "         ").c_str());
  ++claims_;
  if (holds) return;
  if (!otherwise.empty()) std::printf("%s", wrapped(otherwise, "         ", "         ").c_str());
  failures_.push_back("section " + std::to_string(section_) + ": " + statement);
}

void Page::near(const std::string& statement, const Tensor& got, const Tensor& expected, double tolerance) {
  const double scale = std::max(1.0, expected.detach().abs().max().item());
  claim(statement, distance(got, expected) <= tolerance * scale,
        "got " + elements(got) + "; expected " + elements(expected));
}

void Page::near(const std::string& statement, double got, double expected, double tolerance) {
  near(statement, full({}, got, float64), full({}, expected, float64), tolerance);
}

int Page::conclude() const {
  if (failures_.empty()) {
    std::printf("\n%d claims, all of them true.\n", claims_);
    return 0;
  }
  std::printf("\n%d claims, %zu of them false:\n", claims_, failures_.size());
  for (const std::string& failure : failures_) std::printf("%s", wrapped(failure, "  ", "    ").c_str());
  return 1;
}

Tensor column(const std::vector<double>& values) {
  return from_span(values, {static_cast<std::int64_t>(values.size()), 1});
}

double distance(const Tensor& a, const Tensor& b) {
  const double largest = (a.detach().to(float64) - b.detach().to(float64)).abs().max().item();
  return std::isnan(largest) ? INFINITY : largest;
}

double relative(const Tensor& a, const Tensor& b) { return distance(a, b) / b.detach().abs().max().item(); }

}  // namespace lesson
