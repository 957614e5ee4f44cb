#include "io/zip.hpp"

#include "tensor/message.hpp"

#include <zip.h>

namespace gradus::detail {
namespace {

/// The error state of libzip, with its text.
class ZipError {
 public:
  ZipError() { zip_error_init(&error_); }
  ZipError(const ZipError&) = delete;
  ZipError& operator=(const ZipError&) = delete;
  ~ZipError() { zip_error_fini(&error_); }
  zip_error_t* get() { return &error_; }
  std::string text() { return zip_error_strerror(&error_); }

 private:
  zip_error_t error_;
};

/// A handle of libzip, given back by `close`.
template <class T, auto close>
using Handle = std::unique_ptr<T, decltype([](T* handle) { close(handle); })>;
using Source = Handle<zip_source_t, zip_source_free>;
using OpenFile = Handle<zip_file_t, zip_fclose>;

ZipArchive open_archive(Bytes file) {
  throw_if<FileError>(file.empty(), "it is empty");
  ZipError error;
  Source source(zip_source_buffer_create(file.data(), file.size(), 0, error.get()));
  ZipArchive archive(source ? zip_open_from_source(source.get(), ZIP_RDONLY, error.get()) : nullptr);
  if (!archive) fail<FileError>("it is no intact zip archive: ", error.text());
  static_cast<void>(source.release());  // it is the archive's now
  return archive;
}

/// Adds a file whose header begins at `offset` of the archive; returns the end of its content.
std::size_t add_file(zip_t* archive, const std::string& name, const std::string& content, std::size_t offset,
                     std::size_t alignment) {
  zip_source_t* source = zip_source_buffer(archive, content.data(), content.size(), 0);
  const zip_int64_t index = zip_file_add(archive, name.c_str(), source, ZIP_FL_ENC_UTF_8);
  if (index < 0) {
    zip_source_free(source);
    fail<ValueError>("'", name, "' cannot be the name of a file in an archive: ", zip_strerror(archive));
  }
  zip_set_file_compression(archive, static_cast<zip_uint64_t>(index), ZIP_CM_STORE, 0);
  constexpr zip_uint16_t first_of_january_1980 = 1 << 5 | 1;
  zip_file_set_dostime(archive, static_cast<zip_uint64_t>(index), 0, first_of_january_1980, 0);

  // The gap is an extra field of the header, as in files of PyTorch: "FB", its length, "ZZZ…".
  constexpr std::size_t header = 30, field_header = 4, large = 0xffffffff, large_header = 20;
  std::size_t begin = offset + header + name.size() + (content.size() >= large ? large_header : 0);
  if (alignment > 1) {
    begin += field_header;
    const std::string gap((alignment - begin % alignment) % alignment, 'Z');
    zip_file_extra_field_set(archive, static_cast<zip_uint64_t>(index), 'F' | 'B' << 8, ZIP_EXTRA_FIELD_NEW,
                             reinterpret_cast<const zip_uint8_t*>(gap.data()), static_cast<zip_uint16_t>(gap.size()),
                             ZIP_FL_LOCAL);
    begin += gap.size();
  }
  return begin + content.size();
}

}  // namespace

void DiscardZip::operator()(zip* archive) const { zip_discard(archive); }

ZipReader::ZipReader(Bytes file) : archive_(open_archive(file)) {
  const zip_int64_t count = zip_get_num_entries(archive_.get(), 0);
  for (zip_uint64_t i = 0; i < static_cast<zip_uint64_t>(count); ++i) {
    zip_stat_t status;
    throw_if<FileError>(zip_stat_index(archive_.get(), i, 0, &status) != 0, "it is no intact zip archive");
    const std::string name = status.name;
    if (!is_safe_file_name(name)) fail<FileError>("it holds a file with the unsafe name '", shown(name), "'");
    const bool is_new = entries_.emplace(name, Entry{i, status.size}).second;
    if (!is_new) fail<FileError>("it holds two files named '", shown(name), "'");
    names_.push_back(name);
  }
}

const ZipReader::Entry& ZipReader::entry(std::string_view name) const {
  const auto found = entries_.find(name);
  if (found == entries_.end()) fail<FileError>("it holds no file '", shown(name), "'");
  return found->second;
}

Buffer ZipReader::read(std::string_view name, Budget& budget) const {
  const auto [index, size] = entry(name);
  budget.spend(size);
  const OpenFile opened(zip_fopen_index(archive_.get(), index, 0));
  const auto refuse = [&](const std::string& reason) {
    fail<FileError>("its file '", shown(name), "' cannot be read: ", reason);
  };
  if (!opened) refuse(zip_strerror(archive_.get()));

  Buffer buffer(size);
  for (std::size_t done = 0; done < size;) {
    const zip_int64_t count = zip_fread(opened.get(), buffer.data() + done, size - done);
    if (count < 0) refuse(zip_file_strerror(opened.get()));
    if (count == 0) refuse(message("it has ", done, " bytes instead of ", size));
    done += static_cast<std::size_t>(count);
  }
  // The checksum is compared when the end is reached.
  char beyond;
  const zip_int64_t rest = zip_fread(opened.get(), &beyond, 1);
  if (rest < 0) refuse(zip_file_strerror(opened.get()));
  if (rest > 0) refuse(message("it has more than ", size, " bytes"));
  return buffer;
}

std::string ZipWriter::finish() const {
  // libzip makes no archive of no files. It is this: a directory without entries.
  if (files_.empty()) return "PK\5\6" + std::string(18, '\0');
  ZipError error;
  const Source source(zip_source_buffer_create(nullptr, 0, 0, error.get()));
  ZipArchive archive;
  const auto check = [&](bool good) {
    if (good) return;
    fail<FileError>("cannot make a zip archive: ", archive ? zip_strerror(archive.get()) : error.text());
  };
  check(source != nullptr);
  zip_source_keep(source.get());  // the archive takes one reference, the bytes are read through the other
  archive.reset(zip_open_from_source(source.get(), ZIP_TRUNCATE, error.get()));
  check(archive != nullptr);
  std::size_t end = 0;
  for (const auto& [name, content] : files_) end = add_file(archive.get(), name, content, end, alignment_);
  check(zip_close(archive.get()) == 0);
  static_cast<void>(archive.release());

  zip_stat_t status;
  check(zip_source_stat(source.get(), &status) == 0 && zip_source_open(source.get()) == 0);
  std::string bytes(status.size, '\0');
  check(zip_source_read(source.get(), bytes.data(), bytes.size()) == static_cast<zip_int64_t>(bytes.size()));
  zip_source_close(source.get());
  return bytes;
}

}  // namespace gradus::detail
