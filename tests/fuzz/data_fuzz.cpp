// The input is a data set: a file of numbers as text, or in the format of MNIST, also compressed.
#include "fuzz.hpp"

#include <gradus/core/data.hpp>

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

using namespace gradus;

namespace {

/// A file for the readers, which take a path. It goes away with the process.
struct InputFile {
  std::string path = (std::filesystem::temp_directory_path() / "gradus-fuzz-XXXXXX").string();
  InputFile() { ::close(::mkstemp(path.data())); }
  ~InputFile() { std::filesystem::remove(path); }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const InputFile input;
  std::ofstream(input.path, std::ios::binary)
      .write(reinterpret_cast<const char*>(data), static_cast<std::streamsize>(size));
  fuzz::feed(data, size, [](detail::Bytes) { read_csv(input.path); });
  return fuzz::feed(data, size, [](detail::Bytes) { read_idx(input.path); });
}
