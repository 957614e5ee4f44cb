#include "page.hpp"

#include <algorithm>
#include <cmath>
#include <sstream>
#include <utility>

namespace lesson {

namespace {

constexpr std::size_t page_width = 80;

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

}  // namespace

std::string text_of(const Numbers& numbers) {
  constexpr std::size_t most = 8;
  const std::vector<double> values = numbers.values.reshape({-1}).to_vector<double>();
  std::string text;
  for (std::size_t i = 0; i < std::min(most, values.size()); ++i) {
    text += (i > 0 ? ", " : "") + short_number(std::abs(values[i]) < 1e-12 ? 0 : values[i], 6);
  }
  return values.size() > most ? text + ", ..." : text;
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

void Page::near(const std::string& statement, const Numbers& got, const Numbers& expected,
                std::optional<double> tolerance) {
  claim(statement, agree(got, expected, tolerance.value_or(precision_)),
        "got " + text_of(got) + "; expected " + text_of(expected));
}

void Page::append(const Page& page) {
  text_ += page.text_;
  claims_ += page.claims_;
  failures_.insert(failures_.end(), page.failures_.begin(), page.failures_.end());
}

std::string Page::conclusion() const {
  const std::string count = "\n" + std::to_string(claims_) + " claims, ";
  if (failures_.empty()) return count + "all of them true.\n";
  std::string text = count + std::to_string(failures_.size()) + " of them false:\n";
  for (const std::string& failure : failures_) text += wrapped(failure, "  ", "    ");
  return text;
}

Tensor column(const std::vector<double>& values) {
  return from_span(values, {static_cast<std::int64_t>(values.size()), 1});
}

double distance(const Numbers& a, const Numbers& b) {
  const double largest = (a.values - b.values).abs().max().item();
  return std::isnan(largest) ? INFINITY : largest;
}

double relative(const Tensor& a, const Tensor& b) {
  const double off = distance(a, b);
  return off == 0 ? 0 : off / b.detach().abs().max().item();
}

bool agree(const Numbers& got, const Numbers& expected, double tolerance) {
  return distance(got, expected) <= tolerance * std::max(1.0, expected.values.abs().max().item());
}

}  // namespace lesson
