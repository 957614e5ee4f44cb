// The input is a table of text, read with options that its first bytes choose. What is read is used.
#include "fuzz.hpp"

#include <gradus/core/table.hpp>

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

using namespace gradus;

namespace {

/// A file for the reader, which takes a path. It goes away with the process.
struct InputFile {
  std::string path = (std::filesystem::temp_directory_path() / "gradus-fuzz-XXXXXX").string();
  InputFile() { ::close(::mkstemp(path.data())); }
  ~InputFile() { std::filesystem::remove(path); }
};

void use(Table table) {
  for (const Table::Column& column : std::vector(table.columns())) {
    if (column.is_text) {
      table.fill_missing(column.name, "x");
      table.one_hot(column.name);
    } else {
      table.fill_missing(column.name, 0.5);
      table.tensor({column.name}, float64);
    }
  }
  table.drop_missing();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const InputFile input;
  constexpr char separators[] = {',', ';', '\t', ' '}, quotes[] = {'"', '\'', '\0'}, comments[] = {'\0', '#'};
  const std::uint8_t choice = size > 0 ? data[0] : 0;
  std::ofstream(input.path, std::ios::binary)
      .write(reinterpret_cast<const char*>(data), static_cast<std::streamsize>(size));
  const TableOptions options{.header = choice % 2 == 0,
                             .separator = separators[choice / 2 % 4],
                             .quote = quotes[choice / 8 % 3],
                             .comment = comments[choice / 24 % 2],
                             .skip = choice / 48 % 2};
  fuzz::feed(data, size, [&](detail::Bytes) {
    read_csv(input.path, {.header = options.header,
                          .separator = options.separator,
                          .quote = options.quote,
                          .comment = options.comment,
                          .skip = options.skip,
                          .missing = {""}});
  });
  return fuzz::feed(data, size, [&](detail::Bytes) { use(read_table(input.path, options)); });
}
