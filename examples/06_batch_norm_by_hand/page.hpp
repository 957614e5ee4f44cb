// What the lesson is written on: paragraphs, aligned tables, and claims that are checked where they are made.
#pragma once

#include "text.hpp"
#include "text_table.hpp"

#include <gradus/core/create.hpp>

#include <optional>

namespace lesson {

using namespace gradus;

/// One number or a tensor of them, as claims compare and print them.
struct Numbers {
  Numbers(double value) : values(full({}, value, float64)) {}
  Numbers(const Tensor& x) : values(x.detach().to(float64)) {}
  Tensor values;
};

/// At most six digits each: 0.088, -1.4, 1.038e-06; 0 of what is rounding. The first eight of many.
std::string text_of(const Numbers& numbers);

class Page {
 public:
  /// `precision`: the tolerance where a claim names no other.
  explicit Page(double precision) : precision_(precision) {}

  void heading(int number, const std::string& title);
  /// A paragraph, broken into lines.
  void say(const std::string& text);
  /// Lines that stay as they are, such as formulas.
  void show(const std::string& lines);
  void show(const TextTable& table) { show(table.text()); }
  /// A table of these columns.
  template <class... Tensors>
  void table(std::vector<std::string> headings, const Tensors&... columns) {
    TextTable table(std::move(headings));
    table.rows(columns...);
    show(table);
  }

  /// Writes whether it is true, and remembers when it is not.
  void claim(const std::string& statement, bool holds, const std::string& otherwise = "");
  /// Claims that both agree().
  void near(const std::string& statement, const Numbers& got, const Numbers& expected,
            std::optional<double> tolerance = {});
  /// The claim "name = expected", and what else there is to say of it.
  void equals(const std::string& name, const Numbers& got, const Numbers& expected, const std::string& more = "") {
    near(name + " = " + text_of(expected) + more, got, expected);
  }

  const std::string& text() const { return text_; }
  /// The claims that were false, each with its section.
  const std::vector<std::string>& failures() const { return failures_; }
  void append(const Page& page);
  /// How many claims there are and which are false, as the last lines.
  std::string conclusion() const;

 private:
  double precision_;
  std::string text_;
  int section_ = 0, claims_ = 0;
  bool among_claims_ = false;
  std::vector<std::string> failures_;
};

/// A (N, 1) column of float64.
Tensor column(const std::vector<double>& values);
/// max |a - b|; infinity for NaN.
double distance(const Numbers& a, const Numbers& b);
/// max |a - b| / max |b|; 0 for equal tensors.
double relative(const Tensor& a, const Tensor& b);
/// Whether none of `got` is further from `expected` than tolerance times the largest |expected|, or 1 if that is
/// larger.
bool agree(const Numbers& got, const Numbers& expected, double tolerance);

}  // namespace lesson
