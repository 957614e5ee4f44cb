// Instead of csv_records.cpp in a library built without libcsv: fields without quotes, in a file that is not
// compressed.
#include "data/csv_records.hpp"
#include "io/file.hpp"

#include <algorithm>

namespace gradus::detail {

void CsvReader::read_records() {
  const Buffer file = read_file(path_);
  std::string_view text = as_text(file);
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);  // the byte order mark of UTF-8
  const bool by_blanks = options_.separator == ' ';
  const std::string_view separators = by_blanks ? std::string_view(" \t") : std::string_view(&options_.separator, 1);

  for (line_ = 0; !text.empty() && wants_more();) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    if (++line_ <= options_.skip) continue;
    if (options_.quote != '\0' && line.find(options_.quote) != line.npos) {
      fail_here("there are quotes, and this gradus was built without libcsv\nBuild it with -DGRADUS_FILES_CSV=ON.");
    }
    if (options_.comment != '\0') line = line.substr(0, line.find(options_.comment));
    if (trimmed(line).empty()) continue;

    for (bool more = true; more;) {
      const std::size_t end = line.find_first_of(separators);
      more = end != line.npos;
      const std::string_view content = trimmed(line.substr(0, end));
      if (!by_blanks || !content.empty()) take(content);
      if (more) line.remove_prefix(end + 1);
    }
    finish_record();
  }
}

}  // namespace gradus::detail
