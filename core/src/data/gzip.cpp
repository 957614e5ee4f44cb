#include "data/gzip.hpp"

#include "tensor/message.hpp"

#include <gradus/core/error.hpp>

#include <algorithm>
#include <cstring>
#include <limits>
#include <new>

namespace gradus::detail {
namespace {

constexpr std::byte magic[] = {std::byte{0x1F}, std::byte{0x8B}};
constexpr std::uint64_t most_expansion = 1032;  // of the deflate format; https://zlib.net/zlib_tech.html

}  // namespace

GzipReader::GzipReader(Bytes file, const std::string& path)
    : file_(file),
      path_(path),
      file_size_(file.size()),
      compressed_(file.size() >= 2 && std::ranges::equal(file.first(2), magic)) {
  if (compressed_) begin();
}

GzipReader::~GzipReader() {
  if (compressed_) end();
}

std::uint64_t GzipReader::most_content() const { return compressed_ ? file_size_ * most_expansion : file_size_; }

std::size_t GzipReader::read(std::byte* out, std::size_t size) {
  if (compressed_) return inflate(out, size);
  const std::size_t count = std::min(size, file_.size());
  if (count > 0) std::memcpy(out, file_.data(), count);
  file_ = file_.subspan(count);
  return count;
}

#ifdef GRADUS_FILES_GZIP

void GzipReader::begin() {
  constexpr int gzip_format = 16 + MAX_WBITS;
  if (inflateInit2(&stream_, gzip_format) != Z_OK) throw std::bad_alloc();
}

void GzipReader::end() { inflateEnd(&stream_); }

std::size_t GzipReader::inflate(std::byte* out, std::size_t size) {
  const auto portion = [](std::size_t bytes) {  // zlib counts in 32 bits
    return static_cast<uInt>(std::min<std::size_t>(bytes, std::numeric_limits<uInt>::max()));
  };
  std::size_t done = 0;
  while (done < size && !ended_) {
    const uInt in = portion(file_.size());
    const uInt wanted = portion(size - done);
    stream_.next_in = reinterpret_cast<const Bytef*>(file_.data());
    stream_.avail_in = in;
    stream_.next_out = reinterpret_cast<Bytef*>(out + done);
    stream_.avail_out = wanted;
    const int result = ::inflate(&stream_, Z_NO_FLUSH);
    file_ = file_.subspan(in - stream_.avail_in);
    done += wanted - stream_.avail_out;

    const auto fail = [this](std::string_view problem) {
      throw FileError(message("cannot read '", path_, "' as gzip: ", problem));
    };
    ended_ = result == Z_STREAM_END;
    if (ended_ && !file_.empty()) fail(message(file_.size(), " bytes follow the end of the compressed data"));
    if (result == Z_BUF_ERROR) fail("the file is cut off");
    if (result == Z_MEM_ERROR) throw std::bad_alloc();
    if (result != Z_OK && !ended_) fail(stream_.msg ? stream_.msg : "the compressed data are damaged");
  }
  return done;
}

#else

void GzipReader::begin() {
  throw FileError(message("cannot read '", path_, "': it is compressed and this gradus was built without zlib",
                          "\nBuild it with -DGRADUS_FILES_GZIP=ON, or decompress the file with gunzip."));
}
void GzipReader::end() {}
std::size_t GzipReader::inflate(std::byte*, std::size_t) { return 0; }

#endif

}  // namespace gradus::detail
