// Instead of zip.cpp in a library built without libzip.
#include "io/zip.hpp"

#include <gradus/core/error.hpp>

namespace gradus::detail {
namespace {

[[noreturn]] void refuse() {
  throw FileError(
      "this gradus was built without libzip, which .pt and .npz files need\n"
      "Build it with -DGRADUS_FILES_ZIP=ON, or use .safetensors or .npy.");
}

}  // namespace

void DiscardZip::operator()(zip*) const {}
ZipReader::ZipReader(Bytes) { refuse(); }
const ZipReader::Entry& ZipReader::entry(std::string_view) const { refuse(); }
Buffer ZipReader::read(std::string_view, Budget&) const { refuse(); }

std::string ZipWriter::finish() const { refuse(); }

}  // namespace gradus::detail
