// The input is a file of before PyTorch 1.6, or begins as one: what follows the magic number is all that is looked at.
#include "fuzz.hpp"
#include "io/pytorch.hpp"

using namespace gradus::detail;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::string magic("\x80\2\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.");
  std::string file(reinterpret_cast<const char*>(data), size);
  if (!file.starts_with(magic)) file.insert(0, magic);
  return gradus::fuzz::feed(reinterpret_cast<const std::uint8_t*>(file.data()), file.size(), [](Bytes bytes) {
    Budget budget(0, bytes.size());
    parse_pytorch(bytes, budget, bytes.size() % 2 == 0).tensors();
  });
}
