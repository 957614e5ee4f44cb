// What the lesson is written on: paragraphs, aligned tables, and claims that are checked where they are made.
#pragma once

#include "text.hpp"
#include "text_table.hpp"

#include <string>
#include <vector>

namespace lesson {

using gradus::Tensor;

using Table = TextTable;

std::string number(double value);  ///< at most six digits: 0.088, -1.4, 1.038e-06; 0 of what is rounding
std::string numbers(const std::vector<double>& values);
std::string numbers(const Tensor& x);  ///< of at most eight elements

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
