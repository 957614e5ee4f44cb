// Instead of file.cpp on Windows. Paths are UTF-8.
#include "io/file.hpp"
#include "tensor/message.hpp"

#define WIN32_LEAN_AND_MEAN
#include <windows.h>
// after <windows.h>
#include <fcntl.h>
#include <io.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <system_error>

namespace gradus::detail {
namespace {

[[noreturn]] void fail(std::string_view action, const std::string& path, const std::string& reason) {
  throw FileError(message("cannot ", action, " '", path, "': ", reason));
}
[[noreturn]] void fail_errno(std::string_view action, const std::string& path) {
  fail(action, path, std::generic_category().message(errno));
}
[[noreturn]] void fail_windows(std::string_view action, const std::string& path) {
  fail(action, path, std::system_category().message(static_cast<int>(GetLastError())));
}

std::filesystem::path native(const std::string& path) { return std::u8string(path.begin(), path.end()); }

/// At most this many bytes are read or written by one call.
unsigned portion(std::size_t size) { return static_cast<unsigned>(std::min(size, std::size_t{1} << 30)); }

/// The name beside `path`, cut where it would be too long.
std::string partial_path(const std::string& path) {
  constexpr std::string_view suffix = ".partial";
  constexpr std::size_t longest_name = 255;
  const std::size_t name = path.find_last_of("/\\:") + 1;  // 0 without a folder
  return message(path.substr(0, name), path.substr(name, longest_name - suffix.size()), suffix);
}

}  // namespace

Descriptor::~Descriptor() {
  if (number_ >= 0) ::_close(number_);
}

InputFile::InputFile(const std::string& path)
    : path_(path), file_(::_wopen(native(path).c_str(), _O_RDONLY | _O_BINARY | _O_NOINHERIT)) {
  struct __stat64 status;
  if (!file_ || ::_fstat64(file_.get(), &status) != 0) fail_errno("open", path);
  if ((status.st_mode & _S_IFREG) == 0) fail("read", path, "it is not a regular file");
  size_ = static_cast<std::size_t>(status.st_size);
}

std::size_t InputFile::read(std::byte* out, std::size_t size) {
  std::size_t done = 0;
  while (done < size) {
    const int count = ::_read(file_.get(), out + done, portion(size - done));
    if (count < 0) fail_errno("read", path_);
    if (count == 0) break;
    done += static_cast<std::size_t>(count);
  }
  return done;
}

AtomicFile::AtomicFile(const std::string& path) : path_(path) {
  struct __stat64 old;
  if (::_wstat64(native(path).c_str(), &old) == 0) {
    if ((old.st_mode & _S_IFREG) == 0) fail("write", path, "it is not a regular file");
    if ((old.st_mode & _S_IWRITE) == 0) fail("write", path, "it is protected against writing");
    const std::u8string real = std::filesystem::canonical(native(path)).u8string();
    path_.assign(real.begin(), real.end());
  }
  partial_ = partial_path(path_);
  open_and_lock();
}

void AtomicFile::open_and_lock() {
  // Nobody else may write to it while it is open, so a second writer of the same path waits. It may be renamed.
  HANDLE handle;
  do {
    handle = CreateFileW(native(partial_).c_str(), GENERIC_WRITE, FILE_SHARE_DELETE, nullptr, CREATE_ALWAYS,
                         FILE_ATTRIBUTE_NORMAL, nullptr);
  } while (handle == INVALID_HANDLE_VALUE && GetLastError() == ERROR_SHARING_VIOLATION && (Sleep(1), true));
  if (handle == INVALID_HANDLE_VALUE) fail_windows("write", path_);
  file_ = Descriptor(::_open_osfhandle(reinterpret_cast<std::intptr_t>(handle), _O_BINARY));
}

AtomicFile::~AtomicFile() {
  if (!committed_) DeleteFileW(native(partial_).c_str());
}

void AtomicFile::write(const void* data, std::size_t size) {
  const char* next = static_cast<const char*>(data);
  while (size > 0) {
    const int count = ::_write(file_.get(), next, portion(size));
    if (count < 0) fail_errno("write", path_);
    next += count;
    size -= static_cast<std::size_t>(count);
  }
}

void AtomicFile::commit() {
  // First the content, then the name: a power cut between the two leaves the old file or the new one.
  if (::_commit(file_.get()) != 0) fail_errno("write", path_);
  if (!MoveFileExW(native(partial_).c_str(), native(path_).c_str(),
                   MOVEFILE_REPLACE_EXISTING | MOVEFILE_WRITE_THROUGH)) {
    fail_windows("write", path_);
  }
  committed_ = true;
}

}  // namespace gradus::detail
