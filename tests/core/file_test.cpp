#include "io/file.hpp"

#include "files.hpp"
#include "full_disk.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <thread>

namespace gradus::test {
namespace {

using detail::AtomicFile;
using detail::read_file;

std::string text_of(const detail::Buffer& buffer) {
  const detail::Bytes bytes = buffer;
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

void replace(const std::string& path, const std::string& text) {
  AtomicFile file(path);
  file.write(text);
  file.commit();
}

std::size_t files_in(const TemporaryFolder& folder) {
  return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(folder.path()), {}));
}

TEST(ReadFile, ReturnsEveryByte) {
  const TemporaryFolder folder;
  std::string text(100'001, '\0');
  for (std::size_t i = 0; i < text.size(); ++i) text[i] = static_cast<char>(i * i);
  for (const std::string& content : {text, std::string()}) {
    write_text(folder / "x", content);
    EXPECT_EQ(text_of(read_file(folder / "x")), content);
  }
}

TEST(ReadFile, NamesWhatItCannotRead) {
  const TemporaryFolder folder;
  expect_error_with<FileError>([&] { read_file(folder / "x.pt"); }, "x.pt': No such file or directory");
  expect_error_with<FileError>([&] { read_file(folder.path()); }, "not a regular file");
  ASSERT_EQ(::mkfifo((folder / "pipe").c_str(), 0600), 0);
  expect_error_with<FileError>([&] { read_file(folder / "pipe"); }, "not a regular file");
}

TEST(AtomicFile, ReplacesOnlyWhenCommitted) {
  const TemporaryFolder folder;
  replace(folder / "x", "old");
  {
    AtomicFile file(folder / "x");
    file.write("new");
    EXPECT_EQ(read_text(folder / "x"), "old");
  }
  EXPECT_EQ(read_text(folder / "x"), "old");
  replace(folder / "x", "new");
  EXPECT_EQ(read_text(folder / "x"), "new");
  EXPECT_EQ(files_in(folder), 1u);
}

TEST(AtomicFile, StartsAfreshOverWhatAKilledWriterLeft) {
  const TemporaryFolder folder;
  write_text(folder / "x.partial", "a long rest of a writer that was killed");
  replace(folder / "x", "new");
  EXPECT_EQ(read_text(folder / "x"), "new");
  EXPECT_EQ(files_in(folder), 1u);
}

TEST(AtomicFile, KeepsPermissionsAndFollowsLinks) {
  const TemporaryFolder folder;
  replace(folder / "x", "old");
  ::chmod((folder / "x").c_str(), 0640);
  std::filesystem::create_symlink(folder / "x", folder / "link");
  replace(folder / "link", "new");
  EXPECT_EQ(read_text(folder / "x"), "new");
  EXPECT_TRUE(std::filesystem::is_symlink(folder / "link"));
  EXPECT_EQ(std::filesystem::status(folder / "x").permissions(), std::filesystem::perms(0640));
}

TEST(AtomicFile, RefusesWhatIsNoFile) {
  const TemporaryFolder folder;
  expect_error_with<FileError>([&] { replace(folder / "no/x", "new"); }, "No such file or directory");
  expect_error_with<FileError>([&] { replace(folder.path(), "new"); }, "not a regular file");
  write_text(folder / "file", "");
  expect_error_with<FileError>([&] { replace(folder / "file/x", "new"); }, "Not a directory");
}

/// Permissions do not bind root, so root steps down for a moment.
void expect_permission_denied(const std::string& path) {
  const bool root = ::geteuid() == 0;
  ASSERT_EQ(root ? ::seteuid(65534) : 0, 0);
  expect_error_with<FileError>([&] { replace(path, "new"); }, "Permission denied");
  ASSERT_EQ(root ? ::seteuid(0) : 0, 0);
}

TEST(AtomicFile, RefusesAFolderItMayNotWriteTo) {
  const TemporaryFolder folder;
  replace(folder / "x", "old");
  ::chmod(folder.path().c_str(), 0555);
  expect_permission_denied(folder / "x");
  ::chmod(folder.path().c_str(), 0755);
  EXPECT_EQ(read_text(folder / "x"), "old");
}

TEST(AtomicFile, RefusesAFileItMayNotWriteTo) {
  const TemporaryFolder folder;
  replace(folder / "x", "old");
  ::chmod((folder / "x").c_str(), 0444);
  ::chmod(folder.path().c_str(), 0777);  // which would allow to replace it
  expect_permission_denied(folder / "x");
  EXPECT_EQ(read_text(folder / "x"), "old");
  EXPECT_EQ(files_in(folder), 1u);
}

TEST(AtomicFile, WritesNamesAsLongAsNamesMayBe) {
  const TemporaryFolder folder;
  const std::string longest(255, 'x');
  for (const char* text : {"new", "newer"}) {
    replace(folder / longest, text);
    EXPECT_EQ(read_text(folder / longest), text);
  }
  EXPECT_EQ(files_in(folder), 1u);
  expect_error_with<FileError>([&] { replace(folder / (longest + 'x'), "new"); }, "File name too long");
  EXPECT_EQ(files_in(folder), 1u);
}

TEST(AtomicFile, LeavesTheOldFileWhenTheDiskIsFull) {
  const TemporaryFolder folder;
  replace(folder / "x", "old");
  {
    const FullDisk full(1000);
    expect_error_with<FileError>([&] { replace(folder / "x", std::string(1001, 'x')); }, "File too large");
  }
  EXPECT_EQ(read_text(folder / "x"), "old");
  EXPECT_EQ(files_in(folder), 1u);
}

TEST(AtomicFile, WritersOfOnePathDoNotMixTheirBytes) {
  const TemporaryFolder folder;
  const std::string path = folder / "x";
  std::vector<std::thread> threads;
  for (char letter : {'a', 'b', 'c', 'd'}) {
    threads.emplace_back([&path, letter] {
      for (int i = 0; i < 25; ++i) replace(path, std::string(10'000 + 1000 * (letter - 'a'), letter));
    });
  }
  for (auto& thread : threads) thread.join();
  const std::string content = read_text(path);
  EXPECT_EQ(content, std::string(10'000 + 1000 * (content[0] - 'a'), content[0]));
  EXPECT_EQ(files_in(folder), 1u);
}

}  // namespace
}  // namespace gradus::test
