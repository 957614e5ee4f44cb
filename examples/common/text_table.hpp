// Tables with aligned columns.
#pragma once

#include <gradus/core/tensor.hpp>

#include <concepts>
#include <string>
#include <vector>

/// Columns as wide as they need to be: text begins at their left edge, numbers end at their right one. The numbers of a
/// column have as many decimals as all of them need, at most `digits`. A heading goes on over the columns to its right
/// that have an empty one. A row with fewer cells than there are columns ends in text that takes the rest of the line.
class TextTable {
 public:
  struct Style {
    int digits = 6;
    /// If any, they are text and the others numbers, whatever a cell looks like, and the table is plain: without a rule
    /// below the headings and blanks before a line.
    std::size_t text_columns = 0;
  };
  explicit TextTable(std::vector<std::string> headings, int digits = 6)
      : TextTable(std::move(headings), Style{digits}) {}
  TextTable(std::vector<std::string> headings, const Style& style);

  /// A text or a number takes a cell, a tensor one for each of its elements, a vector of texts one for each.
  template <class... Values>
  void row(const Values&... values) {
    rows_.emplace_back();
    (add(values), ...);
  }
  /// A row for each row of the tensors.
  template <class... Tensors>
  void rows(const gradus::Tensor& first, const Tensors&... others) {
    for (std::int64_t i = 0; i < first.size(0); ++i) row(first[i], others[i]...);
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
  void add(const std::vector<std::string>& texts);
  void add(double number) { rows_.back().push_back({"", true, number}); }
  void add(std::integral auto number) { add(std::to_string(number)); }
  void add(const gradus::Tensor& x);

  std::string text_of(const Cell& cell, const Column& column) const;
  bool plain() const { return style_.text_columns > 0; }
  bool to_the_right(std::size_t column, bool is_number) const {
    return plain() ? column >= style_.text_columns : is_number;
  }
  std::vector<Column> columns() const;
  std::string head(std::vector<Column>& columns) const;

  Style style_;
  std::vector<std::string> headings_;
  std::vector<std::vector<Cell>> rows_;
};

/// Counts of (true class, predicted class), a dot for none; both int64 (N).
std::string confusion_matrix(const std::vector<std::string>& classes, const gradus::Tensor& truth,
                             const gradus::Tensor& predicted);
