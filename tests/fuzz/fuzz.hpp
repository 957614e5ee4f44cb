// What the fuzz targets have in common. A target reads its input as a file; the reader may refuse it with an Error, and
// may do nothing else: not crash, not hang, not take much more memory than the input.
#pragma once

#include "io/file.hpp"

#include <gradus/core/error.hpp>

namespace gradus::fuzz {

template <class Read>
int feed(const std::uint8_t* data, std::size_t size, Read read) {
  try {
    read(detail::Bytes(reinterpret_cast<const std::byte*>(data), size));
  } catch (const Error&) {
  }
  return 0;
}

}  // namespace gradus::fuzz
