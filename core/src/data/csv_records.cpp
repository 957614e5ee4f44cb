#include "data/csv_records.hpp"

#include "data/gzip.hpp"
#include "tensor/message.hpp"

#include <csv.h>

#include <algorithm>
#include <new>

namespace gradus::detail {

/// One reading of a file. libcsv is of C: what a reader throws in a callback waits until libcsv has returned.
class CsvRun {
 public:
  explicit CsvRun(CsvReader& reader) : reader_(reader), options_(reader.options_) {
    if (csv_init(&parser_, CSV_STRICT | CSV_STRICT_FINI | CSV_EMPTY_IS_NULL) != 0) throw std::bad_alloc();
    csv_set_delim(&parser_, static_cast<unsigned char>(options_.separator));
    csv_set_quote(&parser_, static_cast<unsigned char>(options_.quote));
    csv_set_blk_size(&parser_, 1 << 12);
  }
  CsvRun(const CsvRun&) = delete;
  CsvRun& operator=(const CsvRun&) = delete;
  ~CsvRun() { csv_free(&parser_); }

  void run() {
    GzipReader file(reader_.path_);
    std::vector<char> chunk(std::size_t{1} << 18);
    bool first = true;
    reader_.line_ = 0;
    for (std::size_t size; reader_.wants_more() && (size = file.read(chunk.data(), chunk.size())) > 0;) {
      std::span<char> text(chunk.data(), size);
      if (std::exchange(first, false)) text = without_byte_order_mark(text);
      while (!text.empty() && reader_.wants_more()) text = text.subspan(feed_line(text));
    }
    if (reader_.wants_more()) finish();
  }

 private:
  std::span<char> without_byte_order_mark(std::span<char> text) const {
    const std::string_view bytes(text.data(), text.size());
    if (bytes.starts_with("\xff\xfe") || bytes.starts_with("\xfe\xff")) {
      reader_.fail("it is text of 16 bits a character\nSave it as UTF-8.");
    }
    return text.subspan(bytes.starts_with("\xef\xbb\xbf") ? 3 : 0);
  }

  /// Gives libcsv the text up to the end of the line, or what there is of it; returns how much that was.
  std::size_t feed_line(std::span<char> text) {
    const std::string_view all(text.data(), text.size());
    const std::size_t end = all.find('\n'), size = end == all.npos ? all.size() : end + 1;
    if (std::exchange(at_begin_of_line_, end != all.npos)) ++reader_.line_;
    if (reader_.line_ <= options_.skip) return size;
    std::string_view line = all.substr(0, size);
    if (options_.separator == ' ')
      std::replace(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(size), '\t', ' ');
    if (options_.quote == '\0' && line.find('\0') != line.npos) reader_.fail_here("there is a zero byte in it");
    if (options_.comment != '\0') line = without_comment(line);

    feed(line);
    if (end != all.npos && line.size() < size) feed("\n");
    const bool ends_with_both = line.ends_with("\r\n") || line == "\n";
    if (ends_with_both && ended_by_cr_) --reader_.line_;
    ended_by_cr_ = ended_by_cr_ && line.ends_with('\r');
    return size;
  }

  void feed(std::string_view text) {
    if (csv_parse(&parser_, text.data(), text.size(), on_field, on_record, this) != text.size() && !error_) {
      if (csv_error(&parser_) == CSV_ENOMEM) throw std::bad_alloc();
      reader_.fail_here(
          message("there is a ", options_.quote, " within a field, where only a separator can follow or ",
                  "precede it\nPut the whole field into quotes and double those in it, or say that there ",
                  "are no quotes: {.quote = '\\0'}."));
    }
    if (error_) std::rethrow_exception(error_);
  }

  std::string_view without_comment(std::string_view line) {
    std::size_t size = 0;
    while (size < line.size() && !in_comment_) {
      if (line[size] == options_.quote) in_quotes_ = !in_quotes_;
      in_comment_ = line[size] == options_.comment && !in_quotes_;
      if (!in_comment_) ++size;
    }
    if (line.ends_with('\n')) in_comment_ = false;
    return line.substr(0, size);
  }

  void finish() {
    const bool complete = csv_fini(&parser_, on_field, on_record, this) == 0;
    if (error_) std::rethrow_exception(error_);
    if (complete) return;
    reader_.line_ = field_line_;
    reader_.fail_here(message("a ", options_.quote, " that opens there is never closed"));
  }

  template <class F>
  void guard(F f) {
    if (error_ || !reader_.wants_more()) return;
    try {
      f();
    } catch (...) {
      error_ = std::current_exception();
    }
  }

  static void on_field(void* text, std::size_t size, void* self) {
    auto& run = *static_cast<CsvRun*>(self);
    run.field_line_ = run.reader_.line_;
    if (!text && run.options_.separator == ' ') return;  // the blanks of a run but one
    run.guard([&] { run.reader_.take({static_cast<const char*>(text), size}); });
  }

  static void on_record(int terminator, void* self) {
    auto& run = *static_cast<CsvRun*>(self);
    run.guard([&] { run.reader_.finish_record(); });
    if (terminator == '\r') {
      ++run.reader_.line_;
      run.ended_by_cr_ = true;
    }
    run.field_line_ = run.reader_.line_ + (terminator == '\n' ? 1 : 0);
  }

  CsvReader& reader_;
  const CsvOptions& options_;
  csv_parser parser_{};
  std::exception_ptr error_;
  std::int64_t field_line_ = 1;  // where the field after the last one begins
  bool at_begin_of_line_ = true, ended_by_cr_ = false, in_quotes_ = false, in_comment_ = false;
};

void CsvReader::read_records() { CsvRun(*this).run(); }

}  // namespace gradus::detail
