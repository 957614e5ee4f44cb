// Files as a whole: read completely into memory, or replaced completely. Paths are UTF-8.
#pragma once

#include <gradus/core/error.hpp>

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace gradus::detail {

using Bytes = std::span<const std::byte>;

inline std::string_view as_text(Bytes bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

/// Bytes in memory whose initial content is not set.
class Buffer {
 public:
  explicit Buffer(std::size_t size) : bytes_(std::make_unique_for_overwrite<std::byte[]>(size)), size_(size) {}
  std::byte* data() { return bytes_.get(); }
  std::size_t size() const { return size_; }
  operator Bytes() const { return {bytes_.get(), size_}; }

 private:
  std::unique_ptr<std::byte[]> bytes_;
  std::size_t size_;
};

/// An open file of the operating system, closed by its destructor.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int number) : number_(number) {}
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor& operator=(Descriptor other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  ~Descriptor();
  int get() const { return number_; }
  explicit operator bool() const { return number_ >= 0; }

 private:
  int number_ = -1;
};

/// A regular file that is read from its beginning. Throws FileError.
class InputFile {
 public:
  explicit InputFile(const std::string& path);
  std::size_t size() const { return size_; }
  /// The next bytes; their number is less than `size` at the end of the file only.
  std::size_t read(std::byte* out, std::size_t size);

 private:
  std::string path_;
  Descriptor file_;
  std::size_t size_;
};

/// The content of a regular file. Throws FileError.
inline Buffer read_file(const std::string& path) {
  InputFile file(path);
  Buffer buffer(file.size());
  if (file.read(buffer.data(), buffer.size()) == buffer.size()) return buffer;
  throw FileError("cannot read '" + path + "': it became shorter while it was read");
}

/// A file that replaces `path` in one step or not at all: it is written beside it as `path`.partial, and commit()
/// flushes it to the disk and renames it. Until then `path` is what it was; an object that dies without commit() takes
/// its file along. A process killed in between leaves the partial file, which the next writer of `path` starts afresh.
/// Keeps the permissions of the file it replaces and follows a symbolic link. Every step throws FileError.
class AtomicFile {
 public:
  explicit AtomicFile(const std::string& path);
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  ~AtomicFile();

  void write(const void* data, std::size_t size);
  void write(std::string_view text) { write(text.data(), text.size()); }
  void commit();

 private:
  void open_and_lock();

  std::string path_, partial_;
  Descriptor file_;
  bool committed_ = false;
};

/// Replaces `path` by a file with this content.
inline void write_file(const std::string& path, std::string_view content) {
  AtomicFile file(path);
  file.write(content);
  file.commit();
}

}  // namespace gradus::detail
