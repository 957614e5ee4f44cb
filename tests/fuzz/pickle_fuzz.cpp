// The input is the pickle in an otherwise sound archive of torch.save, with small storages of several sizes.
#include "fuzz.hpp"
#include "io/pytorch.hpp"
#include "io/zip.hpp"

using namespace gradus::detail;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  ZipWriter archive;
  archive.add("a/version", "3");
  archive.add("a/data.pkl", std::string(reinterpret_cast<const char*>(data), size));
  for (int i = 0; i < 4; ++i) archive.add("a/data/" + std::to_string(i), std::string(std::size_t{8} << i, '\1'));
  const std::string file = archive.finish();
  return gradus::fuzz::feed(reinterpret_cast<const std::uint8_t*>(file.data()), file.size(), [size](Bytes bytes) {
    Budget budget(0, bytes.size());
    parse_pytorch(bytes, budget, size % 2 == 0);
  });
}
