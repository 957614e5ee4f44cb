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

}  // namespace gradus::detail
