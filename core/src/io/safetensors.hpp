// The safetensors format: a length, a JSON header of that length, the elements of all tensors.
#pragma once

#include "io/file.hpp"

#include <gradus/core/io.hpp>

namespace gradus::detail {

struct Safetensors {
  StateDict tensors;  // in the order of the header
  Metadata metadata;
};

/// Throws FileError for every deviation from the format. What it allocates for elements is at most what the file holds,
/// times the widening of short types.
Safetensors parse_safetensors(Bytes file);

/// The bytes in front of the elements. Throws ValueError for a name the format cannot hold.
std::string safetensors_header(const StateDict& tensors, const Metadata& metadata);

/// As the reference implementation, byte for byte.
void write_safetensors(AtomicFile& file, const StateDict& tensors, const Metadata& metadata);

/// What the JSON header says, before it is compared with the data behind it.
struct SafetensorsHeader {
  struct Tensor {
    std::string name, dtype;
    std::vector<std::uint64_t> shape;
    std::uint64_t begin = 0, end = 0;  // bytes, counted from the end of the header
  };
  std::vector<Tensor> tensors;
  Metadata metadata;
};

/// Throws FileError for JSON that is not valid, a field or type that does not belong there, and a name that occurs
/// twice.
SafetensorsHeader parse_safetensors_header(std::string_view json);

}  // namespace gradus::detail
