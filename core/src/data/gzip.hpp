// Reading a file that may be compressed with gzip, piece by piece.
#pragma once

#include "io/file.hpp"

#ifdef GRADUS_FILES_GZIP
#define ZLIB_CONST  // zlib promises not to write to its input only when asked to
#include <zlib.h>
#endif

#include <cstdint>
#include <string>

namespace gradus::detail {

/// The bytes of a file in memory, decompressed on the way if they are in gzip format.
class GzipReader {
 public:
  /// `file` must outlive the reader; `path` is for messages. Throws FileError.
  GzipReader(Bytes file, const std::string& path);
  GzipReader(const GzipReader&) = delete;
  GzipReader& operator=(const GzipReader&) = delete;
  ~GzipReader();

  /// Fills `out` with the next bytes and returns their number, less than `size` at the end of the content only.
  /// Throws FileError when the compressed data are damaged or end too early.
  std::size_t read(std::byte* out, std::size_t size);

  /// The largest number of bytes that this file can contain.
  std::uint64_t most_content() const;

 private:
  void begin();
  void end();
  std::size_t inflate(std::byte* out, std::size_t size);

  Bytes file_;  ///< what has not been read yet
  const std::string& path_;
  std::size_t file_size_;
  bool compressed_;
#ifdef GRADUS_FILES_GZIP
  bool ended_ = false;
  z_stream stream_{};
#endif
};

}  // namespace gradus::detail
