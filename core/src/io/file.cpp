#include "io/file.hpp"

#include "tensor/message.hpp"

#ifdef _WIN32
#define WIN32_LEAN_AND_MEAN
#include <windows.h>
// after <windows.h>
#include <fcntl.h>
#include <io.h>
#else
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#endif

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>

namespace gradus::detail {
namespace {

[[noreturn]] void throw_error(std::string_view action, const std::string& path, const std::error_code& error) {
  fail<FileError>("cannot ", action, " '", path, "': ", error.message());
}
[[noreturn]] void throw_errno(std::string_view action, const std::string& path) {
  throw_error(action, path, {errno, std::generic_category()});
}

std::filesystem::path native(const std::string& path) { return std::u8string(path.begin(), path.end()); }

/// The name beside `path`, cut where it would be too long. Two paths that are then written through one name wait for
/// each other as two writers of one path do.
std::string partial_path(const std::string& path) {
  constexpr std::string_view suffix = ".partial";
#ifdef _WIN32
  constexpr const char* ends_of_folder = "/\\:";
#else
  constexpr const char* ends_of_folder = "/";
#endif
  constexpr std::size_t longest_name = 255;
  const std::size_t name = path.find_last_of(ends_of_folder) + 1;  // 0 without a folder
  return message(path.substr(0, name), path.substr(name, longest_name - suffix.size()), suffix);
}

}  // namespace

InputFile::InputFile(const std::string& path) : path_(path) {
  // The mere opening of a named pipe would wait for its writer.
  std::error_code error;
  const std::filesystem::file_status status = std::filesystem::status(native(path), error);
  throw_if<FileError>(exists(status) && !is_regular_file(status), "cannot read '", path, "': it is not a regular file");
  file_.open(native(path), std::ios::binary | std::ios::ate);
  const std::streamoff size = file_.tellg();
  if (size < 0) throw_errno("open", path);
  throw_if<FileError>(!std::in_range<std::size_t>(size), "cannot read '", path, "': its ", size,
                      " bytes are more than this processor has addresses for");
  size_ = static_cast<std::size_t>(size);
  file_.seekg(0);
}

std::size_t InputFile::read(std::byte* out, std::size_t size) {
  file_.read(reinterpret_cast<char*>(out), static_cast<std::streamsize>(size));
  if (file_.bad()) throw_errno("read", path_);
  return static_cast<std::size_t>(file_.gcount());
}

#ifdef _WIN32

namespace {

void check_writable(const std::string& path, std::filesystem::perms permissions) {
  const bool writable = (permissions & std::filesystem::perms::owner_write) != std::filesystem::perms::none;
  throw_if<FileError>(!writable, "cannot write '", path, "': it is protected against writing");
}

[[noreturn]] void throw_windows(std::string_view action, const std::string& path) {
  throw_error(action, path, {static_cast<int>(GetLastError()), std::system_category()});
}

auto write_some(int file, const void* data, std::size_t size) {
  return ::_write(file, data, static_cast<unsigned>(std::min(size, std::size_t{1} << 30)));
}

}  // namespace

Descriptor::~Descriptor() {
  if (number_ >= 0) ::_close(number_);
}

void AtomicFile::open_and_lock() {
  // Nobody else may write to it while it is open, so a second writer of the same path waits. It may be renamed.
  HANDLE handle;
  do {
    handle = CreateFileW(native(partial_).c_str(), GENERIC_WRITE, FILE_SHARE_DELETE, nullptr, CREATE_ALWAYS,
                         FILE_ATTRIBUTE_NORMAL, nullptr);
  } while (handle == INVALID_HANDLE_VALUE && GetLastError() == ERROR_SHARING_VIOLATION && (Sleep(1), true));
  if (handle == INVALID_HANDLE_VALUE) throw_windows("write", path_);
  file_ = Descriptor(::_open_osfhandle(reinterpret_cast<std::intptr_t>(handle), _O_BINARY));
}

void AtomicFile::commit() {
  // First the content, then the name: a power cut between the two leaves the old file or the new one.
  if (::_commit(file_.get()) != 0) throw_errno("write", path_);
  if (!MoveFileExW(native(partial_).c_str(), native(path_).c_str(),
                   MOVEFILE_REPLACE_EXISTING | MOVEFILE_WRITE_THROUGH)) {
    throw_windows("write", path_);
  }
  committed_ = true;
}

#else

namespace {

void check_writable(const std::string& path, std::filesystem::perms) {
  if (::faccessat(AT_FDCWD, path.c_str(), W_OK, AT_EACCESS) != 0) throw_errno("write", path);
}

auto write_some(int file, const void* data, std::size_t size) { return ::write(file, data, size); }

/// To the disk itself: on macOS fsync stops at the drive's cache.
bool flush(int file) {
#ifdef F_FULLFSYNC
  if (::fcntl(file, F_FULLFSYNC) == 0) return true;  // not every file system can
#endif
  return ::fsync(file) == 0;
}

}  // namespace

Descriptor::~Descriptor() {
  if (number_ >= 0) ::close(number_);
}

void AtomicFile::open_and_lock() {
  // The lock makes a second writer of the same path wait. When it wakes, the file it holds may have become the finished
  // one, so it makes sure that the name still leads to it. File systems without locks go on without.
  for (;;) {
    file_ = Descriptor(::open(partial_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666));
    if (!file_) throw_errno("write", path_);
    while (::flock(file_.get(), LOCK_EX) != 0 && errno == EINTR) {
    }
    struct stat mine, named;
    if (::fstat(file_.get(), &mine) != 0) throw_errno("write", path_);
    const bool same =
        ::stat(partial_.c_str(), &named) == 0 && mine.st_dev == named.st_dev && mine.st_ino == named.st_ino;
    if (same) break;
  }
  if (::ftruncate(file_.get(), 0) != 0) throw_errno("write", path_);
}

void AtomicFile::commit() {
  // First the content, then the name, then the folder that holds the name: a power cut between any two of them leaves
  // the old file or the new one.
  const std::string parent = native(path_).parent_path();
  const Descriptor folder(::open(parent.empty() ? "." : parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder) throw_errno("open the folder of", path_);
  if (!flush(file_.get())) throw_errno("write", path_);
  if (::rename(partial_.c_str(), path_.c_str()) != 0) throw_errno("write", path_);
  committed_ = true;
  // Some file systems cannot flush a folder and say EINVAL; there is nothing more to do for them.
  if (::fsync(folder.get()) != 0 && errno != EINVAL) throw_errno("flush the folder of", path_);
}

#endif

AtomicFile::AtomicFile(const std::string& path) : path_(path) {
  std::error_code error;
  const std::filesystem::file_status old = std::filesystem::status(native(path), error);
  if (exists(old)) {
    throw_if<FileError>(!is_regular_file(old), "cannot write '", path, "': it is not a regular file");
    // The folder alone decides on the renaming; a file that is protected against writing is meant to stay.
    check_writable(path, old.permissions());
    const std::u8string real = std::filesystem::canonical(native(path)).u8string();
    path_.assign(real.begin(), real.end());
  }
  partial_ = partial_path(path_);
  open_and_lock();
  if (!exists(old)) return;
  std::filesystem::permissions(native(partial_), old.permissions() & std::filesystem::perms::all,
                               error);  // may fail on the file of another owner
}

AtomicFile::~AtomicFile() {
  std::error_code error;
  if (!committed_) std::filesystem::remove(native(partial_), error);
}

void AtomicFile::write(const void* data, std::size_t size) {
  const char* next = static_cast<const char*>(data);
  while (size > 0) {
    const auto count = write_some(file_.get(), next, size);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw_errno("write", path_);
    next += count;
    size -= static_cast<std::size_t>(count);
  }
}

}  // namespace gradus::detail
