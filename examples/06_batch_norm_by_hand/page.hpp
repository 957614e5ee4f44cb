// What the lesson is written on: paragraphs, aligned tables, and claims that are checked where they are made.
#pragma once

#include <gradus/core/tensor.hpp>

#include <concepts>
#include <string>
#include <vector>

namespace lesson {

using gradus::Tensor;

/// The text of a number; never "-0".
std::string fixed(double value, int digits = 6);
std::string scientific(double value, int digits = 1);
std::string percent(double share, int digits = 1);  ///< "all" of an infinite share
std::string number(double value);                   ///< at most six digits: 0.088, -1.4, 1.038e-06
std::string numbers(const std::vector<double>& values);
std::string numbers(const Tensor& x);  ///< of at most eight elements

/// Columns as wide as they need to be: text begins at their left edge, numbers end at their right one. The numbers of a
/// column have as many decimals as all of them need, at most `digits`. A heading goes on over the columns to its right
/// that have an empty one.
class Table {
 public:
  explicit Table(std::vector<std::string> headings, int digits = 6);

  /// A text or a number takes a cell, a tensor one for each of its elements.
  template <class... Values>
  void row(const Values&... values) {
    rows_.emplace_back();
    (add(values), ...);
  }
  std::string text() const;

 private:
  struct Cell {
    std::string text;
    bool is_number = false;
    double value = 0;  // of a number whose text is still to be made
  };
  struct Column {
    std::size_t width = 0;
    bool numbers = false;
    int decimals = 0;
  };

  void add(const std::string& text);
  void add(const char* text) { add(std::string(text)); }
  void add(double number) { rows_.back().push_back({"", true, number}); }
  void add(std::integral auto number) { add(std::to_string(number)); }
  void add(const Tensor& x);

  std::string text_of(const Cell& cell, const Column& column) const;
  std::vector<Column> columns() const;

  int digits_;
  std::vector<std::string> headings_;
  std::vector<std::vector<Cell>> rows_;
};

class Page {
 public:
  void heading(int number, const std::string& title);
  /// A paragraph, broken into lines.
  void say(const std::string& text);
  /// Lines that stay as they are, such as formulas.
  void show(const std::string& lines);
  void show(const Table& table) { show(table.text()); }

  /// Writes whether it is true, and remembers when it is not.
  void claim(const std::string& statement, bool holds, const std::string& otherwise = "");
  /// Claims that no element of `got` is further from `expected` than tolerance times the largest |expected|, or 1 if
  /// that is larger.
  void near(const std::string& statement, const Tensor& got, const Tensor& expected, double tolerance = 1e-12);
  void near(const std::string& statement, double got, double expected, double tolerance = 1e-12);

  const std::string& text() const { return text_; }
  int claims() const { return claims_; }
  /// The claims that were false, each with its section.
  const std::vector<std::string>& failures() const { return failures_; }
  void append(const Page& page);

 private:
  std::string text_;
  int section_ = 0, claims_ = 0;
  bool among_claims_ = false;
  std::vector<std::string> failures_;
};

/// How many claims a page makes and which are false, as its last lines.
std::string conclusion(const Page& page);

/// A (N, 1) column of float64.
Tensor column(const std::vector<double>& values);
/// max |a - b|; infinity for NaN.
double distance(const Tensor& a, const Tensor& b);
/// max |a - b| / max |b|; 0 for equal tensors.
double relative(const Tensor& a, const Tensor& b);

}  // namespace lesson
