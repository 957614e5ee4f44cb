// Zip archives in memory, through libzip.
#pragma once

#include "io/budget.hpp"
#include "io/file.hpp"

#include <map>
#include <memory>
#include <vector>

struct zip;

namespace gradus::detail {

/// False for names that lead out of the folder an archive is unpacked into. Nothing is unpacked here, but an archive
/// with such a name was made to do harm.
inline bool is_safe_file_name(std::string_view name) {
  if (name.empty() || name.front() == '/' || name.find('\\') != name.npos || name.find('\0') != name.npos) return false;
  return ("/" + std::string(name) + "/").find("/../") == std::string::npos;
}

/// An archive of libzip, closed without writing it.
struct DiscardZip {
  void operator()(zip* archive) const;
};
using ZipArchive = std::unique_ptr<zip, DiscardZip>;

/// Reads an archive. Names that occur twice or are not safe are refused, and so are checksums that do not
/// match. Everything throws FileError.
class ZipReader {
 public:
  explicit ZipReader(Bytes file);  // `file` has to outlive it

  /// Names of the files in the archive, in its order.
  const std::vector<std::string>& names() const { return names_; }
  bool contains(std::string_view name) const { return entries_.contains(name); }
  std::uint64_t size(std::string_view name) const { return entry(name).size; }
  Buffer read(std::string_view name, Budget& budget) const;

 private:
  struct Entry {
    std::uint64_t index, size;
  };
  const Entry& entry(std::string_view name) const;

  ZipArchive archive_;
  std::vector<std::string> names_;
  std::map<std::string, Entry, std::less<>> entries_;
};

/// Writes an archive of uncompressed files. The same content gives the same bytes.
class ZipWriter {
 public:
  /// The content of every file begins at a multiple of `alignment` bytes.
  explicit ZipWriter(std::size_t alignment = 1) : alignment_(alignment) {}
  void add(std::string name, std::string content) { files_.emplace_back(std::move(name), std::move(content)); }
  std::string finish() const;  ///< Throws ValueError for a name that occurs twice or is not UTF-8.

 private:
  [[maybe_unused]] std::size_t alignment_;                  // unused without libzip
  std::vector<std::pair<std::string, std::string>> files_;  // name and content
};

}  // namespace gradus::detail
