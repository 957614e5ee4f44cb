// The input is an archive: of torch.save, of NumPy, or any.
#include "fuzz.hpp"
#include "io/npy.hpp"
#include "io/pytorch.hpp"
#include "io/zip.hpp"

using namespace gradus::detail;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  gradus::fuzz::feed(data, size, [](Bytes file) {
    Budget budget(0, file.size());
    const ZipReader archive(file);
    for (const auto& name : archive.names()) archive.read(name, budget);
  });
  gradus::fuzz::feed(data, size, [](Bytes file) {
    Budget budget(0, file.size());
    parse_npz(file, budget);
  });
  return gradus::fuzz::feed(data, size, [](Bytes file) {
    Budget budget(0, file.size());
    parse_pytorch(file, budget, file.size() % 2 == 0);
  });
}
