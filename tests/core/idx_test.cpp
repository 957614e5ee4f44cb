#include "errors.hpp"
#include "files.hpp"

#include <gradus/core/data.hpp>

#include <gtest/gtest.h>
#include <zlib.h>

namespace gradus {
namespace {

using test::expect_error;
using test::TemporaryFolder;
using namespace std::string_literals;

std::string big_endian(std::uint32_t number) {
  std::string bytes;
  for (const int shift : {24, 16, 8, 0}) bytes += static_cast<char>(number >> shift & 0xFF);
  return bytes;
}

std::string header(char type, const std::vector<std::uint32_t>& extents) {
  std::string bytes = "\0\0"s + type + static_cast<char>(extents.size());
  for (const std::uint32_t extent : extents) bytes += big_endian(extent);
  return bytes;
}

/// 2 images of 2 x 3 pixels.
const std::string images = header(0x08, {2, 2, 3}) + "\x00\x01\x7F\x80\xFE\xFF\x06\x05\x04\x03\x02\x01"s;

std::string gzip(const std::string& content) {
  z_stream stream{};
  deflateInit2(&stream, 9, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY);
  std::string packed(deflateBound(&stream, content.size()) + 64, '\0');
  std::string input = content;
  stream.next_in = reinterpret_cast<Bytef*>(input.data());
  stream.avail_in = static_cast<uInt>(input.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  return packed;
}

struct Idx {
  TemporaryFolder folder;
  std::string path = folder / "file-idx-ubyte";

  Tensor read(const std::string& bytes, std::optional<Dtype> dtype = std::nullopt) const {
    test::write_text(path, bytes);
    return read_idx(path, dtype);
  }
  void refuse(const std::string& bytes, const std::string& problem) const {
    expect_error<FileError>("cannot read '" + path + "' as " + problem, [&] { read(bytes); });
  }
};

template <class T>
void expect_elements(const Tensor& x, const Shape& shape, const std::vector<T>& elements) {
  ASSERT_EQ(x.shape(), shape);
  ASSERT_EQ(x.dtype(), dtype_of<T>);
  for (std::size_t i = 0; i < elements.size(); ++i) EXPECT_EQ(x.data<T>()[i], elements[i]) << "element " << i;
}

TEST(ReadIdx, ReadsBytesPlainAndCompressed) {
  const Idx idx;
  for (const std::string& file : {images, gzip(images)}) {
    expect_elements<std::int64_t>(idx.read(file), {2, 2, 3}, {0, 1, 127, 128, 254, 255, 6, 5, 4, 3, 2, 1});
    expect_elements<float>(idx.read(file, float32), {2, 2, 3}, {0, 1, 127, 128, 254, 255, 6, 5, 4, 3, 2, 1});
  }
}

TEST(ReadIdx, ReadsEveryType) {
  const Idx idx;
  expect_elements<std::int64_t>(idx.read(header(0x09, {2}) + "\xFF\x7F"s), {2}, {-1, 127});
  expect_elements<std::int64_t>(idx.read(header(0x0B, {2}) + "\xFF\xFE\x01\x00"s), {2}, {-2, 256});
  expect_elements<std::int64_t>(idx.read(header(0x0C, {1}) + "\x80\x00\x00\x01"s), {1}, {-2147483647});
  expect_elements<float>(idx.read(header(0x0D, {1}) + "\xC0\x20\x00\x00"s), {1}, {-2.5F});
  expect_elements<double>(idx.read(header(0x0E, {1}) + "\x3F\xB9\x99\x99\x99\x99\x99\x9A"s), {1}, {0.1});
  expect_elements<double>(idx.read(header(0x08, {1}) + "\xFF"s, float64), {1}, {255});
  expect_elements<std::int64_t>(idx.read(header(0x0D, {1}) + "\xC0\x20\x00\x00"s, int64), {1}, {-2});
}

TEST(ReadIdx, ReadsShapesWithoutElementsAndWithoutDimensions) {
  const Idx idx;
  EXPECT_EQ(idx.read(header(0x08, {0, 28, 28})).shape(), Shape({0, 28, 28}));
  EXPECT_EQ(idx.read(header(0x08, {}) + "\x05").item<int>(), 5);
}

TEST(ReadIdx, ReadsMoreThanOnePieceOfACompressedFile) {
  std::string content = header(0x08, {300, 1000});
  for (std::uint32_t i = 0, random = 1; i < 300'000; ++i) {
    random = random * 1664525 + 1013904223;
    content += static_cast<char>(random >> 24);  // does not get smaller
  }
  const Tensor x = Idx().read(gzip(content));
  for (std::int64_t i = 0; i < x.numel(); ++i) {
    ASSERT_EQ(x.data<std::int64_t>()[i], static_cast<unsigned char>(content[12 + i])) << "element " << i;
  }
}

TEST(ReadIdx, RefusesOtherFiles) {
  const Idx idx;
  const std::string expected = ", expected 00 00, a type (08, 09 or 0b to 0e), the number of dimensions";
  idx.refuse("\x89PNG\r\n\x1A\n", "IDX: it begins with 89 50 4e 47" + expected);
  idx.refuse("", "IDX: it begins with 00 00 00 00" + expected);
  idx.refuse(header(0x0A, {1}) + "1", "IDX: it begins with 00 00 0a 01" + expected);
  idx.refuse("\x01" + images.substr(1), "IDX: it begins with 01 00 08 03" + expected);
  idx.refuse(header(0x08, std::vector<std::uint32_t>(9, 1)) + "1", "IDX: it has 9 dimensions, at most 8 are possible");
  const std::string missing = idx.folder / "missing";
  expect_error<FileError>("cannot open '" + missing + "'", [&] { read_idx(missing); });
}

TEST(ReadIdx, RefusesFilesThatAreCutOffOrTooLong) {
  const Idx idx;
  idx.refuse(images.substr(0, 9), "IDX: the file is cut off in its header");
  idx.refuse(images.substr(0, images.size() - 1), "IDX: the file is cut off, its shape [2, 2, 3] needs 12 bytes");
  idx.refuse(images + "x", "IDX: there are more bytes than its shape [2, 2, 3] needs");
  idx.refuse(gzip(images.substr(0, images.size() - 1)), "IDX: the file is cut off");
  idx.refuse(gzip(images + "x"), "IDX: there are more bytes than its shape [2, 2, 3] needs");
  const std::string packed = gzip(images);
  idx.refuse(packed.substr(0, packed.size() - 1), "gzip: the file is cut off");
  idx.refuse(packed + "more", "gzip: 4 bytes follow the end of the compressed data");
  idx.refuse(packed + std::string(200'000, 'x'), "gzip: 200000 bytes follow the end of the compressed data");
}

TEST(ReadIdx, NoticesDamage) {
  const Idx idx;
  const auto parse = [&](const std::string& bytes) { idx.read(bytes); };
  test::expect_robust(images, parse);
  test::expect_robust(gzip(images), parse);
  std::string packed = gzip(images);
  packed[packed.size() - 5] ^= 1;  // of the checksum
  idx.refuse(packed, "gzip: incorrect data check");
}

TEST(ReadIdx, PromisesOfAHeaderTakeNoMemory) {
  const Idx idx;
  const std::uint32_t most = 0xFFFF'FFFF;
  for (const auto& extents : std::vector<std::vector<std::uint32_t>>{
           {most}, {most, most}, {1U << 31, 1U << 31, 2}, {most, most, most}, std::vector<std::uint32_t>(8, most)}) {
    for (const std::string& file : {header(0x0E, extents) + "12345678", gzip(header(0x0E, extents) + "12345678")}) {
      const auto shape = to_string(Shape(std::vector<std::int64_t>(extents.begin(), extents.end())));
      idx.refuse(file, "IDX: its shape " + shape + " needs more bytes than there are in the file");
    }
  }
  // Within what the compressed length allows the bytes still have to be there.
  idx.refuse(gzip(header(0x08, {20'000}) + "12345678"),
             "IDX: the file is cut off, its shape [20000] needs 20000 bytes");
}

TEST(ReadIdx, StopsWhereTheHeaderSaysThoughACompressedFileGoesOn) {
  const std::string bomb = header(0x08, {3}) + std::string(2'000'000, '\0');
  Idx().refuse(gzip(bomb), "IDX: there are more bytes than its shape [3] needs");
}

}  // namespace
}  // namespace gradus
