// What the lesson is printed with: paragraphs, aligned tables, and claims that are checked where they are made.
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
std::string percent(double share, int digits = 1);

/// Columns as wide as they need to be: text begins at their left edge, numbers end at their right one. A heading goes
/// on over the columns to its right that have an empty one.
class Table {
 public:
  explicit Table(std::vector<std::string> headings, int digits = 6);

  /// A text or a number takes a cell, a tensor one for each of its elements.
  template <class... Values>
  void row(const Values&... values) {
    rows_.emplace_back();
    (add(values), ...);
  }
  void blank() { rows_.emplace_back(); }
  std::string text() const;

 private:
  void add(const std::string& text) { rows_.back().push_back(text); }
  void add(const char* text) { rows_.back().emplace_back(text); }
  void add(double number) { rows_.back().push_back(fixed(number, digits_)); }
  void add(std::integral auto number) { rows_.back().push_back(std::to_string(number)); }
  void add(const Tensor& x);

  int digits_;
  std::vector<std::vector<std::string>> rows_;  // the first one holds the headings
};

class Page {
 public:
  void heading(int number, const std::string& title);
  /// A paragraph, broken into lines.
  void say(const std::string& text);
  /// Lines that stay as they are, such as formulas.
  void show(const std::string& lines);
  void show(const Table& table) { show(table.text()); }

  /// Prints whether it is true, and remembers when it is not.
  void claim(const std::string& statement, bool holds, const std::string& otherwise = "");
  /// Claims that no element of `got` is further from `expected` than tolerance times the largest of 1 and |expected|.
  void near(const std::string& statement, const Tensor& got, const Tensor& expected, double tolerance = 1e-12);
  void near(const std::string& statement, double got, double expected, double tolerance = 1e-12);

  /// Prints how many claims were made and which were false; the exit status of the program.
  int conclude() const;

 private:
  int section_ = 0, claims_ = 0;
  bool among_claims_ = false;
  std::vector<std::string> failures_;
};

/// A (N, 1) column of float64.
Tensor column(const std::vector<double>& values);
/// max |a - b|; infinity for NaN.
double distance(const Tensor& a, const Tensor& b);
/// max |a - b| / max |b|
double relative(const Tensor& a, const Tensor& b);

}  // namespace lesson
