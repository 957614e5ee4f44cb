// Reading a file that may be compressed with gzip, piece by piece.
#pragma once

#include "io/file.hpp"
#include "tensor/message.hpp"

#include <gradus/core/error.hpp>

#ifdef GRADUS_FILES_GZIP
#define ZLIB_CONST  // zlib promises not to write to its input only when asked to
#include <zlib.h>
#endif

#include <algorithm>
#include <cstdint>
#include <limits>
#include <new>

namespace gradus::detail {

/// The bytes of a file, decompressed on the way if they are in gzip format.
class GzipReader {
 public:
  /// Throws FileError.
  explicit GzipReader(const std::string& path) : path_(path), file_(path), unread_(file_.size()), chunk_(1 << 16) {
    refill();
    compressed_ = pending_.size() >= 2 && pending_[0] == std::byte{0x1F} && pending_[1] == std::byte{0x8B};
    if (compressed_) begin();
  }
  GzipReader(const GzipReader&) = delete;
  GzipReader& operator=(const GzipReader&) = delete;
  ~GzipReader() {
    if (compressed_) end();
  }

  /// Fills `to` with the next bytes and returns their number, less than `size` at the end of the content only.
  /// Throws FileError when the compressed data are damaged or end too early.
  std::size_t read(void* to, std::size_t size) {
    auto* const out = static_cast<std::byte*>(to);
    if (compressed_) return inflate(out, size);
    const std::size_t count = std::min(size, pending_.size());
    std::copy_n(pending_.begin(), count, out);
    pending_ = pending_.subspan(count);
    return count + file_.read(out + count, size - count);
  }

  /// The largest number of bytes that this file can contain.
  std::uint64_t most_content() const {
    constexpr std::uint64_t most_expansion = 1032;  // of the deflate format; https://zlib.net/zlib_tech.html
    return compressed_ ? file_.size() * most_expansion : file_.size();
  }

 private:
  void refill() {
    pending_ = Bytes(chunk_).first(file_.read(chunk_.data(), chunk_.size()));
    unread_ -= std::min(unread_, pending_.size());
  }

#ifdef GRADUS_FILES_GZIP
  void begin() {
    constexpr int gzip_format = 16 + MAX_WBITS;
    if (inflateInit2(&stream_, gzip_format) != Z_OK) throw std::bad_alloc();
  }

  void end() { inflateEnd(&stream_); }

  std::size_t inflate(std::byte* out, std::size_t size) {
    const auto portion = [](std::size_t bytes) {  // zlib counts in 32 bits
      return static_cast<uInt>(std::min<std::size_t>(bytes, std::numeric_limits<uInt>::max()));
    };
    std::size_t done = 0;
    while (done < size && !ended_) {
      if (pending_.empty()) refill();
      const uInt in = portion(pending_.size());
      const uInt wanted = portion(size - done);
      stream_.next_in = reinterpret_cast<const Bytef*>(pending_.data());
      stream_.avail_in = in;
      stream_.next_out = reinterpret_cast<Bytef*>(out + done);
      stream_.avail_out = wanted;
      const int result = ::inflate(&stream_, Z_NO_FLUSH);
      pending_ = pending_.subspan(in - stream_.avail_in);
      done += wanted - stream_.avail_out;

      const auto fail = [this](std::string_view problem) {
        throw FileError(message("cannot read '", path_, "' as gzip: ", problem));
      };
      ended_ = result == Z_STREAM_END;
      const std::size_t behind = pending_.size() + unread_;
      if (ended_ && behind > 0) fail(message(behind, " bytes follow the end of the compressed data"));
      if (result == Z_BUF_ERROR) fail("the file is cut off");
      if (result == Z_MEM_ERROR) throw std::bad_alloc();
      if (result != Z_OK && !ended_) fail(stream_.msg ? stream_.msg : "the compressed data are damaged");
    }
    return done;
  }

  bool ended_ = false;
  z_stream stream_{};
#else
  void begin() {
    throw FileError(message("cannot read '", path_, "': it is compressed and this gradus was built without zlib",
                            "\nBuild it with -DGRADUS_FILES_GZIP=ON, or decompress the file with gunzip."));
  }
  void end() {}
  std::size_t inflate(std::byte*, std::size_t) { return 0; }
#endif

  const std::string path_;
  InputFile file_;
  std::size_t unread_;  // bytes of the file
  Buffer chunk_;
  Bytes pending_;  // what is left of the chunk
  bool compressed_;
};

}  // namespace gradus::detail
