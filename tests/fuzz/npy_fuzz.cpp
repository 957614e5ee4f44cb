#include "fuzz.hpp"
#include "io/npy.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return gradus::fuzz::feed(data, size, gradus::detail::parse_npy);
}
