// Records and fields of a text file, cut by libcsv.
#pragma once

#include <gradus/core/csv.hpp>

#include <string_view>

namespace gradus::detail {

/// A field without the blanks around it, and the number of the line that it ends in.
struct CsvField {
  std::string_view text;
  std::int64_t line;
};
using CsvRecord = std::span<const CsvField>;

/// Reads the records of a file; a derived class is handed each. It keeps the number of the line for messages.
class CsvReader {
 public:
  /// With CsvOptions or TableOptions.
  template <class Options>
  CsvReader(const std::string& path, const Options& o)
      : path_(path), options_{o.header, o.separator, o.quote, o.comment, o.skip, o.columns, o.missing} {}
  virtual ~CsvReader() = default;

 protected:
  /// Calls record() for all records in the file, each of one field or more, until it throws or wants no more.
  void read_records();

  virtual void record(CsvRecord fields) = 0;
  virtual bool wants_more() const { return true; }

  /// Throws FileError. With a column, of that field.
  [[noreturn]] void fail(std::string_view problem) const;
  [[noreturn]] void fail_here(std::string_view problem) const;
  [[noreturn]] void fail_here(const CsvField& field, std::size_t column, std::string_view problem) const;
  /// Throws FileError unless a record has as many columns as the `before` complete ones, which `like` names, had.
  void check_columns(std::size_t columns, std::size_t expected, std::size_t before, const char* like) const;

  const std::string& path() const { return path_; }
  const CsvOptions& options() const { return options_; }
  bool is_missing(std::string_view text) const;
  /// Positions of the columns that the keys mean, in a file with these names or, without a header, this many columns.
  /// Throws KeyError, or IndexError for a position.
  std::vector<std::size_t> positions_of(const std::vector<ColumnKey>& keys,
                                        const std::vector<std::string>& names) const;
  /// Of those that the options choose.
  std::vector<std::size_t> chosen_positions(const std::vector<std::string>& names) const;

 private:
  friend class CsvRun;
  void take(std::string_view text);
  /// Hands over the fields that were taken, if there are some.
  void finish_record();

  const std::string& path_;
  CsvOptions options_;
  std::int64_t line_ = 0;  // the line that is being read, from 1
  std::vector<CsvField> fields_;
  std::string texts_;              // of the fields, one behind the other
  std::vector<std::size_t> ends_;  // of each in there
};

/// What a text is as a number.
enum class NumberText : std::uint8_t { number, none, too_large };
NumberText parse_number(std::string_view text, double& number);
NumberText parse_number(std::string_view text, float& number);
NumberText parse_number(std::string_view text, std::int64_t& number);

std::string_view trimmed(std::string_view text);

}  // namespace gradus::detail
