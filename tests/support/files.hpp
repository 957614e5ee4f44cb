// Help for tests of files: a folder of their own, bytes in and out.
#pragma once

#include "errors.hpp"

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <span>
#include <string>

namespace gradus::test {

/// A new folder that goes away with all it holds.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "gradus-XXXXXX").string();
    if (!::mkdtemp(pattern.data())) throw std::runtime_error("cannot make a folder " + pattern);
    path_ = pattern;
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }

  std::string operator/(const std::string& name) const { return (path_ / name).string(); }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

inline void write_text(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::binary).write(text.data(), static_cast<std::streamsize>(text.size()));
}

inline std::string read_text(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error("cannot open " + path);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline std::span<const std::byte> as_bytes(const std::string& text) { return std::as_bytes(std::span(text)); }

/// The bytes of a number as they lie in memory.
template <class T>
std::string bytes_of(T number) {
  return std::string(reinterpret_cast<const char*>(&number), sizeof number);
}

/// Every beginning of `file` must be refused with a FileError, every changed byte read or refused with one.
template <class Parse>
void expect_robust(const std::string& file, Parse parse) {
  for (std::size_t size = 0; size < file.size(); ++size) {
    // A copy of its own size, so that AddressSanitizer sees a read behind the end.
    const std::string beginning = file.substr(0, size);
    EXPECT_THROW(parse(beginning), FileError) << "with " << size << " of " << file.size() << " bytes";
  }
  std::mt19937 random(1);
  for (std::size_t i = 0; i < file.size(); ++i) {
    for (const unsigned change : {0x01u, 0x80u, 0xffu, static_cast<unsigned>(random() % 255 + 1)}) {
      std::string changed = file;
      changed[i] = static_cast<char>(static_cast<unsigned char>(changed[i]) ^ change);
      try {
        parse(changed);
      } catch (const FileError&) {
      }
    }
  }
}

}  // namespace gradus::test
