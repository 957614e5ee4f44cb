// Numbers in text files.
#pragma once

#include <gradus/core/tensor.hpp>

namespace gradus {

/// A column of a file: by its name in the header, or by its position, counted from 0, and from -1 down from the last.
class ColumnKey {
 public:
  ColumnKey(std::string name) : name_(std::move(name)) {}
  ColumnKey(const char* name) : name_(name) {}
  template <std::integral T>
  ColumnKey(T position) requires(!std::same_as<T, bool>)
      : position_(static_cast<std::int64_t>(position)), by_name_(false) {}

  bool by_name() const { return by_name_; }
  const std::string& name() const { return name_; }
  std::int64_t position() const { return position_; }

 private:
  std::string name_;
  std::int64_t position_ = 0;
  bool by_name_ = true;
};

struct CsvOptions {
  bool header = false;                    ///< the first line holds names
  char separator = ',';                   ///< a blank stands for any number of blanks and tabs
  char quote = '"';                       ///< around a field that has separators or line breaks in it; '\0': none
  char comment = '\0';                    ///< what follows it in a line is left out; '\0': nothing is a comment
  std::int64_t skip = 0;                  ///< lines at the beginning that are left out
  std::vector<ColumnKey> columns = {};    ///< those that are read, in this order; none: all
  std::vector<std::string> missing = {};  ///< texts that mean NaN, such as "", "?", "NA"
  Dtype dtype = float32;                  ///< float32, float64 or int64
};

/// The numbers of a text file, plain or compressed with gzip, as (rows, columns). Fields are as in RFC 4180: in quotes
/// where they hold a separator or a line break, a quote in them doubled; lines end with LF, CRLF or CR. A number is
/// anything that `std::from_chars` reads, with blanks around it; one too small for the dtype is 0. Lines without any
/// character but blanks are skipped.
/// Throws FileError, naming the line and the column, for what is not a number of the dtype, for a line with more or
/// fewer columns than the first, for a quote that never ends, and when there are no numbers at all; KeyError for a
/// column that is not there.
Tensor read_csv(const std::string& path, const CsvOptions& options = {});

}  // namespace gradus
