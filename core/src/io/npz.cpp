#include "io/elements.hpp"
#include "io/npy.hpp"
#include "io/zip.hpp"
#include "tensor/message.hpp"

namespace gradus::detail {

StateDict parse_npz(Bytes file, Budget& budget) {
  constexpr std::string_view extension = ".npy";
  const ZipReader archive(file);
  StateDict arrays;
  for (const std::string& name : archive.names()) {
    if (!name.ends_with(extension)) {
      throw FileError(message("it holds the file '", name, "', which is not a .npy file"));
    }
    try {
      const Buffer content = archive.read(name, budget);
      arrays[name.substr(0, name.size() - extension.size())] = parse_npy(content);
    } catch (const FileError& error) {
      throw FileError(message("array '", name, "': ", error.what()));
    }
  }
  return arrays;
}

std::string npz_bytes(const StateDict& arrays) {
  ZipWriter archive;
  for (const auto& [name, array] : arrays) {
    if (!is_safe_file_name(name)) {
      throw ValueError(message("save: '", name, "' cannot be the name of an array in .npz"));
    }
    archive.add(name + ".npy", npy_header(array) + std::string(element_bytes(array)));
  }
  return archive.finish();
}

}  // namespace gradus::detail
