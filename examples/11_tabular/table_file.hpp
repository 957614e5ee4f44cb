// A table in a file, and how the command line says to read it.
#pragma once

#include <gradus/gradus.hpp>

struct TableFile {
  std::string path, header = "auto", separator, comment;
  std::int64_t skip = 0;
  std::vector<std::string> missing;                            // beside those that a table has anyway
  std::vector<gradus::ColumnKey> columns, text, numbers = {};  // as in TableOptions
};

/// Reads it. Finds out what is not said: the separator is the most frequent in the first line, and that line holds
/// names when a column is one of numbers without it, or when all is text.
gradus::Table read(const TableFile& file);
