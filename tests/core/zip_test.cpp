#include "io/zip.hpp"

#include "zip_builder.hpp"

#include <gtest/gtest.h>

namespace gradus::test {
namespace {

using detail::Budget;
using detail::ZipReader;
using detail::ZipWriter;

std::string text_of(const detail::Buffer& buffer) {
  const detail::Bytes bytes = buffer;
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::string read(const std::string& archive, const std::string& name, std::uint64_t memory_limit = 0) {
  Budget budget(memory_limit, archive.size());
  return text_of(ZipReader(as_bytes(archive)).read(name, budget));
}

void expect_refused(const std::string& archive, const std::string& reason) {
  expect_error_with<FileError>([&] { read(archive, "a"); }, reason);
}

TEST(Zip, BringsBackEveryFileInItsOrder) {
  ZipWriter writer;
  writer.add("b/data", std::string("\0\1\2", 3));
  writer.add("b/empty", "");
  writer.add("ü", "text");
  const std::string archive = writer.finish();
  EXPECT_EQ(ZipReader(as_bytes(archive)).names(), (std::vector<std::string>{"b/data", "b/empty", "ü"}));
  EXPECT_EQ(read(archive, "b/data"), std::string("\0\1\2", 3));
  EXPECT_EQ(read(archive, "b/empty"), "");
  EXPECT_EQ(read(archive, "ü"), "text");
  EXPECT_EQ(ZipReader(as_bytes(archive)).size("ü"), 4u);
  expect_error_with<FileError>([&] { read(archive, "c"); }, "it holds no file 'c'");
}

TEST(Zip, ReadsDeflatedFiles) {
  const std::string zeros(1 + 258 * 3, '\0');
  EXPECT_EQ(read(zip_of({{"a", deflated_zeros(3), 8, 775, crc32(zeros)}}), "a"), zeros);
}

TEST(Zip, WriterRefusesNamesTheFormatCannotHold) {
  const auto write = [](const std::vector<std::string>& names) {
    ZipWriter writer;
    for (const auto& name : names) writer.add(name, "");
    writer.finish();
  };
  expect_error_with<ValueError>([&] { write({"a", "b", "a"}); }, "'a' cannot be the name of a file in an archive");
  expect_error_with<ValueError>([&] { write({"\xff"}); }, "cannot be the name of a file");
}

TEST(Zip, RefusesWhatIsNoArchive) {
  expect_refused("", "it is empty");
  expect_refused("a", "no intact zip archive");
  expect_refused(std::string(10'000, 'P'), "no intact zip archive");
  expect_refused("PK\3\4" + std::string(100, '\0'), "no intact zip archive");
}

TEST(Zip, RefusesNamesThatOccurTwiceOrLeadOut) {
  EXPECT_EQ(read(zip_of({{"a", "x"}, {"b", "y"}}), "a"), "x");
  expect_refused(zip_of({{"a", "x"}, {"a", "y"}}), "two files named 'a'");
  for (const char* name : {"/etc/passwd", "../a", "a/..", "a/../b", "..", "a\\b"}) {
    expect_refused(zip_of({{name, "x"}}), "unsafe name");
  }
  EXPECT_EQ(read(zip_of({{"..a/b..", "x"}}), "..a/b.."), "x");
}

TEST(Zip, RefusesContentThatIsNotAsClaimed) {
  expect_refused(zip_of({{"a", "x", 0, 1, 7}}), "its file 'a' cannot be read: CRC");
  expect_refused(zip_of({{"a", deflated_zeros(3), 8, 774, 7}}), "its file 'a' cannot be read");
  expect_refused(zip_of({{"a", deflated_zeros(3), 8, 776, 7}}), "its file 'a' cannot be read");
  expect_refused(zip_of({{"a", "\xff\xff\xff", 8, 10, 7}}), "its file 'a' cannot be read");
  expect_refused(zip_of({{"a", "x", 98, 1, 7}}), "cannot be read: Compression method not supported");
}

TEST(Zip, UnfoldsNoMoreThanTheBudget) {
  const std::string bomb = zip_of({{"a", deflated_zeros(400'000), 8, 258 * 400'000 + 1, 0}});
  expect_refused(bomb, "it would take more than");
  expect_refused(zip_of({{"a", "x", 8, 0xffff'fff0, 0}}), "it would take more than");
  const std::string small = zip_of({{"a", deflated_zeros(3), 8, 775, crc32(std::string(775, '\0'))}});
  EXPECT_EQ(read(small, "a", 775).size(), 775u);
  expect_error_with<FileError>([&] { read(small, "a", 774); }, "it would take more than 774 bytes of memory");
}

TEST(Zip, SurvivesEveryTruncationAndEveryChangedByte) {
  const std::string archive =
      zip_of({{"a", "text"}, {"b/c", deflated_zeros(2), 8, 517, crc32(std::string(517, '\0'))}});
  expect_robust(archive, [](const std::string& changed) {
    Budget budget(0, changed.size());
    const ZipReader reader(as_bytes(changed));
    for (const auto& name : reader.names()) reader.read(name, budget);
  });
}

}  // namespace
}  // namespace gradus::test
