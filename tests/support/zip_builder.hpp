// Zip archives by hand, also such as no honest program writes.
#pragma once

#include "files.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace gradus::test {

/// CRC-32 of zip archives, bit by bit.
inline std::uint32_t crc32(const std::string& data) {
  std::uint32_t crc = ~0u;
  for (const char byte : data) {
    crc ^= static_cast<unsigned char>(byte);
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0u);
  }
  return ~crc;
}

/// What an archive says about one of its files; `data` are the bytes as they are stored.
struct ZipFile {
  std::string name, data;
  std::uint16_t method = 0;  // 8 is deflate
  std::uint32_t size = static_cast<std::uint32_t>(data.size());
  std::uint32_t crc = crc32(data);
};

/// An archive of these files, with whatever they claim.
inline std::string zip_of(const std::vector<ZipFile>& files) {
  using U16 = std::uint16_t;
  using U32 = std::uint32_t;
  std::string archive, directory;
  for (const ZipFile& file : files) {
    const U32 offset = static_cast<U32>(archive.size());
    const std::string common = bytes_of(U16{20}) + bytes_of(U16{0}) + bytes_of(file.method) + bytes_of(U32{0x210000}) +
                               bytes_of(file.crc) + bytes_of(static_cast<U32>(file.data.size())) + bytes_of(file.size) +
                               bytes_of(static_cast<U16>(file.name.size())) + bytes_of(U16{0});
    archive += "PK\3\4" + common + file.name + file.data;
    directory += "PK\1\2" + bytes_of(U16{20}) + common + std::string(10, '\0') + bytes_of(offset) + file.name;
  }
  const U16 count = static_cast<U16>(files.size());
  return archive + directory + "PK\5\6" + std::string(4, '\0') + bytes_of(count) + bytes_of(count) +
         bytes_of(static_cast<U32>(directory.size())) + bytes_of(static_cast<U32>(archive.size())) + bytes_of(U16{0});
}

/// A deflate stream of 1 + 258 * `runs` zero bytes, in 13 bits for each run.
inline std::string deflated_zeros(std::size_t runs) {
  std::string stream;
  int used = 8;
  const auto put = [&](unsigned bits, int count) {  // most significant bit first, as Huffman codes are
    while (count-- > 0) {
      if (used == 8) {
        stream += '\0';
        used = 0;
      }
      stream.back() = static_cast<char>(stream.back() | static_cast<int>(bits >> count & 1) << used++);
    }
  };
  put(0b110, 3);       // the last block, with the fixed code
  put(0b00110000, 8);  // the byte 0
  for (std::size_t i = 0; i < runs; ++i) {
    put(0b11000101, 8);  // 258 bytes …
    put(0b00000, 5);     // … from one byte before
  }
  put(0, 7);  // the end
  return stream;
}

}  // namespace gradus::test
