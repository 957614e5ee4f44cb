// What the JSON header of a safetensors file says, before it is compared with the data behind it.
#pragma once

#include "io/safetensors.hpp"

namespace gradus::detail {

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
