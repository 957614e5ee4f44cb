// Tables: columns with names, of numbers or of text, with values missing.
//
//   Table iris = read_table("iris.csv");
//   Tensor x = iris.tensor({"sepal_length", "sepal_width"});
//   auto [y, species] = iris.codes("species");
#pragma once

#include <gradus/core/csv.hpp>
#include <gradus/core/state_dict.hpp>

namespace gradus {

/// A column of text as numbers.
struct Codes {
  Tensor codes;                    ///< (rows), int64: positions in `names`
  std::vector<std::string> names;  ///< each text once
};

enum class CodeOrder : std::uint8_t { of_appearance, sorted };
enum class Fill : std::uint8_t { mean, median };

/// Columns of equal length. A column holds numbers, as float64, or text; where a value is missing, a number is NaN.
/// All functions throw KeyError for a column that is not there, with the names of those that are, and TypeError where
/// a column of numbers is needed and it is one of text.
class Table {
 public:
  struct Column {
    std::string name;
    bool is_text = false;
    std::vector<double> numbers = {};      ///< of a column of numbers
    std::vector<std::string> texts = {};   ///< of a column of text: each text once, in order of appearance
    std::vector<std::int32_t> codes = {};  ///< of a column of text: positions in `texts`, -1 where it is missing
  };

  Table() = default;
  /// Throws ValueError when two columns have one name, or when their lengths differ.
  explicit Table(std::vector<Column> columns);

  std::int64_t rows() const;
  const std::vector<Column>& columns() const { return columns_; }
  bool contains(std::string_view name) const;
  const Column& column(std::string_view name) const;

  /// How many values are missing in a column, or in all.
  std::int64_t missing(std::string_view name) const;
  std::int64_t missing() const;

  /// The columns of numbers with these names, (rows, names). Throws ValueError where the dtype cannot hold a value:
  /// one that is missing, for int64.
  Tensor tensor(const std::vector<std::string>& names, Dtype dtype = float32) const;

  /// A column as codes from 0 on. Of a column of numbers the names are its numbers, always sorted.
  /// Throws ValueError when a value is missing.
  Codes codes(std::string_view name, CodeOrder order = CodeOrder::of_appearance) const;
  /// The codes that `names` give, for rows that come later. Throws ValueError for a value that is not among them.
  Tensor codes(std::string_view name, const std::vector<std::string>& names) const;

  /// (rows, names), float32: 1 in the column of the value's code, 0 elsewhere. The texts are sorted, unless given.
  Tensor one_hot(std::string_view name) const;
  Tensor one_hot(std::string_view name, const std::vector<std::string>& names) const;

  /// The rows with these numbers (int64, one dimension), in this order. Throws IndexError.
  Table select(const Tensor& rows) const;
  /// The rows in which none of these columns, or none at all, lacks a value.
  Table drop_missing(const std::vector<std::string>& names = {}) const;

  /// Writes a value, or the mean or median of those that are there, where one is missing in a column.
  /// Throws ValueError when all are missing and there is nothing to take the mean of.
  void fill_missing(std::string_view name, double value);
  void fill_missing(std::string_view name, Fill fill);
  void fill_missing(std::string_view name, const std::string& text);

 private:
  std::vector<Column> columns_;
};

struct TableOptions {
  bool header = true;                   ///< the first line holds the names; otherwise they are "0", "1", …
  char separator = ',';                 ///< as in CsvOptions
  char quote = '"';                     ///< as in CsvOptions
  char comment = '\0';                  ///< as in CsvOptions
  std::int64_t skip = 0;                ///< lines at the beginning that are left out
  std::vector<ColumnKey> columns = {};  ///< those that are read, in this order; none: all
  std::vector<ColumnKey> text = {};     ///< columns that are text even where all of it could be numbers
  std::vector<ColumnKey> numbers = {};  ///< columns that have to be numbers: anything else in them is an error
  /// Texts that mean a missing value.
  std::vector<std::string> missing = {"", "?", "NA", "N/A", "NaN", "nan", "NULL", "null"};
};

/// A text file as read_csv() reads it, with its columns. A column holds numbers when every value in it that is not
/// missing is one. Throws FileError, with line and column, as read_csv().
Table read_table(const std::string& path, const TableOptions& options = {});

/// Brings every column of (N, C) to mean 0 and deviation 1, as the rows it was fitted to had them:
///   z = (x - mean) / deviation, deviation² = Σ (x - mean)² / N; a column that does not vary is only centered.
/// It is saved with a model as its state_dict(). As scikit-learn's StandardScaler.
class Scaler {
 public:
  Scaler() = default;
  /// Takes mean and deviation of `x`, (N, C) of floating numbers. Throws ValueError for no rows, and for what is not
  /// finite.
  static Scaler fit(const Tensor& x);

  Tensor transform(const Tensor& x) const;  ///< (N, C) -> (N, C), of x's dtype
  Tensor inverse(const Tensor& z) const;    ///< back again

  StateDict state_dict() const;  ///< {mean, deviation}, float64 (C)
  /// Throws KeyError or RuntimeError for another dict, and changes nothing then.
  void load_state_dict(const StateDict& state);

 private:
  Tensor apply(const Tensor& x, bool inverse) const;
  Tensor mean_, deviation_;
};

}  // namespace gradus
