#include "tabular.hpp"

#include <algorithm>
#include <fstream>

using namespace gradus;

namespace {

std::string first_line(const TableFile& file) {
  std::ifstream stream(file.path, std::ios::binary);
  std::string line;
  for (std::int64_t i = 0; i <= file.skip; ++i) std::getline(stream, line);
  return line;
}

char separator_of(const TableFile& file) {
  if (file.separator == "blank") return ' ';
  if (file.separator == "tab") return '\t';
  if (file.separator.size() == 1) return file.separator[0];
  if (!file.separator.empty()) {
    throw ValueError("--separator: expected one character, 'blank' or 'tab', got '" + file.separator + "'");
  }
  const std::string line = first_line(file);
  char best = ',';
  for (const char candidate : {';', '\t', '|'}) {
    if (std::ranges::count(line, candidate) > std::ranges::count(line, best)) best = candidate;
  }
  const bool blanks = std::ranges::count(line, best) == 0 && line.find(' ') != line.npos;
  return blanks ? ' ' : best;
}

TableOptions options_of(const TableFile& file, bool header) {
  if (file.comment.size() > 1) throw ValueError("--comment: expected one character, got '" + file.comment + "'");
  TableOptions options{.header = header,
                       .separator = separator_of(file),
                       .quote = first_line(file).starts_with('\'') ? '\'' : '"',
                       .comment = file.comment.empty() ? '\0' : file.comment[0],
                       .skip = file.skip,
                       .columns = file.columns,
                       .text = file.text,
                       .numbers = file.numbers};
  options.missing.insert(options.missing.end(), file.missing.begin(), file.missing.end());
  return options;
}

bool has_header(const TableFile& file) {
  if (file.header != "auto") return file.header == "yes";
  TableFile all = file;
  all.columns = all.text = all.numbers = {};
  const auto all_text = [](const Table& table) {
    return std::ranges::all_of(table.columns(), &Table::Column::is_text);
  };
  const Table without = read_table(file.path, options_of(all, false));
  if (all_text(without)) return true;
  try {
    const Table with = read_table(file.path, options_of(all, true));
    for (std::size_t i = 0; i < with.columns().size(); ++i) {
      if (without.columns()[i].is_text && !with.columns()[i].is_text) return true;
    }
  } catch (const FileError&) {  // two columns of one name, or no rows below: these are no names
  }
  return false;
}

}  // namespace

Table read(const TableFile& file) { return read_table(file.path, options_of(file, has_header(file))); }
