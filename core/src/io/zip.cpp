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

zip* open_archive(Bytes file) {
  throw_if<FileError>(file.empty(), "it is empty");
  ZipError error;
  zip_source_t* source = zip_source_buffer_create(file.data(), file.size(), 0, error.get());
  zip* archive = source ? zip_open_from_source(source, ZIP_RDONLY, error.get()) : nullptr;
  if (archive) return archive;
  if (source) zip_source_free(source);
  throw FileError(message("it is no intact zip archive: ", error.text()));
}

/// Adds a file whose header begins at `offset` of the archive; returns the end of its content.
std::size_t add_file(zip_t* archive, const std::string& name, const std::string& content, std::size_t offset,
                     std::size_t alignment) {
  zip_source_t* source = zip_source_buffer(archive, content.data(), content.size(), 0);
  const zip_int64_t index = zip_file_add(archive, name.c_str(), source, ZIP_FL_ENC_UTF_8);
  if (index < 0) {
    zip_source_free(source);
    throw ValueError(message("'", name, "' cannot be the name of a file in an archive: ", zip_strerror(archive)));
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

ZipReader::ZipReader(Bytes file) : archive_(open_archive(file)) {
  const zip_int64_t count = zip_get_num_entries(archive_, 0);
  try {
    for (zip_uint64_t i = 0; i < static_cast<zip_uint64_t>(count); ++i) {
      zip_stat_t status;
      throw_if<FileError>(zip_stat_index(archive_, i, 0, &status) != 0, "it is no intact zip archive");
      const std::string name = status.name;
      if (!is_safe_file_name(name))
        throw FileError(message("it holds a file with the unsafe name '", shown(name), "'"));
      if (!entries_.emplace(name, Entry{i, status.size}).second) {
        throw FileError(message("it holds two files named '", shown(name), "'"));
      }
      names_.push_back(name);
    }
  } catch (...) {
    zip_discard(archive_);
    throw;
  }
}

ZipReader::~ZipReader() { zip_discard(archive_); }

const ZipReader::Entry& ZipReader::entry(std::string_view name) const {
  const auto found = entries_.find(name);
  if (found == entries_.end()) throw FileError(message("it holds no file '", shown(name), "'"));
  return found->second;
}

Buffer ZipReader::read(std::string_view name, Budget& budget) const {
  const auto [index, size] = entry(name);
  budget.spend(size);
  struct Closer {
    zip_file_t* file;
    ~Closer() {
      if (file) zip_fclose(file);
    }
  } opened{zip_fopen_index(archive_, index, 0)};
  const auto fail = [&](const std::string& reason) {
    throw FileError(message("its file '", shown(name), "' cannot be read: ", reason));
  };
  if (!opened.file) fail(zip_strerror(archive_));

  Buffer buffer(size);
  for (std::size_t done = 0; done < size;) {
    const zip_int64_t count = zip_fread(opened.file, buffer.data() + done, size - done);
    if (count < 0) fail(zip_file_strerror(opened.file));
    if (count == 0) fail(message("it has ", done, " bytes instead of ", size));
    done += static_cast<std::size_t>(count);
  }
  // The checksum is compared when the end is reached.
  char beyond;
  const zip_int64_t rest = zip_fread(opened.file, &beyond, 1);
  if (rest < 0) fail(zip_file_strerror(opened.file));
  if (rest > 0) fail(message("it has more than ", size, " bytes"));
  return buffer;
}

std::string ZipWriter::finish() const {
  // libzip makes no archive of no files. It is this: a directory without entries.
  if (files_.empty()) return "PK\5\6" + std::string(18, '\0');
  ZipError error;
  struct Owner {
    zip_source_t* source = nullptr;
    zip_t* archive = nullptr;
    ~Owner() {
      if (archive) zip_discard(archive);
      if (source) zip_source_free(source);
    }
  } owner;
  const auto check = [&](bool good) {
    if (!good) {
      throw FileError(
          message("cannot make a zip archive: ", owner.archive ? zip_strerror(owner.archive) : error.text()));
    }
  };
  owner.source = zip_source_buffer_create(nullptr, 0, 0, error.get());
  check(owner.source);
  zip_source_keep(owner.source);  // the archive takes one reference, the bytes are read through the other
  owner.archive = zip_open_from_source(owner.source, ZIP_TRUNCATE, error.get());
  check(owner.archive);
  std::size_t end = 0;
  for (const auto& [name, content] : files_) end = add_file(owner.archive, name, content, end, alignment_);
  check(zip_close(owner.archive) == 0);
  owner.archive = nullptr;

  zip_stat_t status;
  check(zip_source_stat(owner.source, &status) == 0 && zip_source_open(owner.source) == 0);
  std::string bytes(status.size, '\0');
  check(zip_source_read(owner.source, bytes.data(), bytes.size()) == static_cast<zip_int64_t>(bytes.size()));
  zip_source_close(owner.source);
  return bytes;
}

}  // namespace gradus::detail
