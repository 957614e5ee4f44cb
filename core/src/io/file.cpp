#include "io/file.hpp"

#include "tensor/message.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <filesystem>
#include <system_error>
#include <utility>

namespace gradus::detail {
namespace {

[[noreturn]] void throw_errno(std::string_view action, const std::string& path) {
  fail<FileError>("cannot ", action, " '", path, "': ", std::generic_category().message(errno));
}

std::string folder_of(const std::string& path) {
  const std::string folder = std::filesystem::path(path).parent_path();
  return folder.empty() ? "." : folder;
}

/// The name beside `path`, cut where it would be too long. Two paths that are then written through one name wait for
/// each other as two writers of one path do.
std::string partial_path(const std::string& path) {
  constexpr std::string_view suffix = ".partial";
  const std::size_t name = path.rfind('/') + 1;  // 0 without a folder
  return message(path.substr(0, name), path.substr(name, NAME_MAX - suffix.size()), suffix);
}

/// To the disk itself: on macOS fsync stops at the drive's cache.
bool flush(int file) {
#ifdef F_FULLFSYNC
  if (::fcntl(file, F_FULLFSYNC) == 0) return true;  // not every file system can
#endif
  return ::fsync(file) == 0;
}

bool same_file(const struct stat& a, const struct stat& b) { return a.st_dev == b.st_dev && a.st_ino == b.st_ino; }

}  // namespace

Descriptor::~Descriptor() {
  if (number_ >= 0) ::close(number_);
}

// Without O_NONBLOCK the mere opening of a named pipe would wait for its writer.
InputFile::InputFile(const std::string& path)
    : path_(path), file_(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {
  struct stat status;
  if (!file_ || ::fstat(file_.get(), &status) != 0) throw_errno("open", path);
  throw_if<FileError>(!S_ISREG(status.st_mode), "cannot read '", path, "': it is not a regular file");
  throw_if<FileError>(!std::in_range<std::size_t>(status.st_size), "cannot read '", path, "': its ", status.st_size,
                      " bytes are more than this processor has addresses for");
  size_ = static_cast<std::size_t>(status.st_size);
}

std::size_t InputFile::read(std::byte* out, std::size_t size) {
  std::size_t done = 0;
  while (done < size) {
    const ssize_t count = ::read(file_.get(), out + done, size - done);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw_errno("read", path_);
    if (count == 0) break;
    done += static_cast<std::size_t>(count);
  }
  return done;
}

AtomicFile::AtomicFile(const std::string& path) : path_(path) {
  struct stat old;
  const bool replaces = ::stat(path.c_str(), &old) == 0;
  if (replaces) {
    throw_if<FileError>(!S_ISREG(old.st_mode), "cannot write '", path, "': it is not a regular file");
    // The folder alone decides on the renaming; a file that is protected against writing is meant to stay.
    if (::faccessat(AT_FDCWD, path.c_str(), W_OK, AT_EACCESS) != 0) throw_errno("write", path);
    path_ = std::filesystem::canonical(path);
  }
  partial_ = partial_path(path_);
  open_and_lock();
  if (replaces) (void)::fchmod(file_.get(), old.st_mode & 0777);  // may fail on the file of another owner
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
    if (::stat(partial_.c_str(), &named) == 0 && same_file(mine, named)) break;
  }
  if (::ftruncate(file_.get(), 0) != 0) throw_errno("write", path_);
}

AtomicFile::~AtomicFile() {
  if (!committed_) ::unlink(partial_.c_str());
}

void AtomicFile::write(const void* data, std::size_t size) {
  const char* next = static_cast<const char*>(data);
  while (size > 0) {
    const ssize_t count = ::write(file_.get(), next, size);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw_errno("write", path_);
    next += count;
    size -= static_cast<std::size_t>(count);
  }
}

void AtomicFile::commit() {
  // First the content, then the name, then the folder that holds the name: a power cut between any two of them leaves
  // the old file or the new one.
  const Descriptor folder(::open(folder_of(path_).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder) throw_errno("open the folder of", path_);
  if (!flush(file_.get())) throw_errno("write", path_);
  if (::rename(partial_.c_str(), path_.c_str()) != 0) throw_errno("write", path_);
  committed_ = true;
  // Some file systems cannot flush a folder and say EINVAL; there is nothing more to do for them.
  if (::fsync(folder.get()) != 0 && errno != EINVAL) throw_errno("flush the folder of", path_);
}

}  // namespace gradus::detail
