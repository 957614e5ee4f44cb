// Elements as files store them, and their way into a tensor.
#pragma once

#include <gradus/core/error.hpp>
#include <gradus/core/tensor.hpp>

#include <bit>
#include <optional>

namespace gradus::detail {

static_assert(std::endian::native == std::endian::little, "files are little-endian and are copied as they are");

/// Types of stored elements that a dtype of gradus can hold without loss: u64 where every element is below 2^63.
enum class Stored : std::uint8_t { boolean, u8, i8, u16, i16, u32, i32, u64, i64, f16, bf16, f32, f64 };

/// What the formats call a type, "f4", "F32", "Float"; empty where they have none of the kind.
struct StoredNames {
  std::string_view numpy, safetensors, torch;
};
/// The type that a format calls so.
std::optional<Stored> stored_named(std::string_view StoredNames::*format, std::string_view name);
const StoredNames& names_of(Dtype dtype);

/// An integer that no dtype of gradus can hold.
class BeyondInt64 : public FileError {
 public:
  using FileError::FileError;
};

/// Bytes of one stored element.
std::size_t stored_size(Stored type);

/// The dtype it becomes: itself, or int64 for the shorter integers, or float32 for the shorter floats.
Dtype widened(Stored type);

/// The elements of a tensor as their bytes in memory.
std::string_view element_bytes(const Tensor& x);

/// A tensor with the elements that lie `strides` elements apart from `first` on. The caller has made sure that all of
/// them are inside its buffer. Throws BeyondInt64.
Tensor tensor_from_stored(Stored type, const std::byte* first, const Shape& shape, const Shape& strides);

/// Bytes of an array of a file. Throws FileError for a negative extent, for more dimensions than a tensor may have, and
/// when the product, zeros left out so that strides fit as well, needs more than 63 bits.
std::int64_t checked_bytes(std::span<const std::int64_t> extents, std::size_t item_size);

}  // namespace gradus::detail
