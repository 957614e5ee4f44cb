#include "io/elements.hpp"
#include "io/pickle_writer.hpp"
#include "io/pytorch.hpp"
#include "io/zip.hpp"

namespace gradus::detail {

std::string pytorch_bytes(const Value& value) {
  const PickleWriter writer(value);
  ZipWriter archive;
  archive.add("archive/data.pkl", writer.pickle());
  archive.add("archive/byteorder", "little");
  for (std::size_t i = 0; i < writer.storages().size(); ++i) {
    archive.add("archive/data/" + std::to_string(i), std::string(element_bytes(writer.storages()[i])));
  }
  archive.add("archive/version", "3\n");
  return archive.finish();
}

}  // namespace gradus::detail
