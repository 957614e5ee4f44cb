#include "io/elements.hpp"

#include "ops/strided.hpp"
#include "tensor/message.hpp"

#include <gradus/core/create.hpp>

#include <algorithm>
#include <cstring>

namespace gradus::detail {
namespace {

// IEEE 754 binary16: 1 bit of sign, 5 of exponent, 10 of fraction.
struct Half {
  std::uint16_t bits;
  operator float() const {
    const std::uint32_t sign = (bits & 0x8000u) << 16, exponent = (bits >> 10) & 0x1fu, fraction = bits & 0x3ffu;
    if (exponent == 0) return static_cast<float>(fraction) * (sign ? -0x1p-24f : 0x1p-24f);
    const std::uint32_t widened_exponent = exponent == 31 ? 255 : exponent + (127 - 15);
    return std::bit_cast<float>(sign | widened_exponent << 23 | fraction << 13);
  }
};

// The upper half of a float32.
struct BFloat16 {
  std::uint16_t bits;
  operator float() const { return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16); }
};

// A byte from a file is not a bool of C++ before it is compared.
struct BooleanByte {
  std::uint8_t bits;
  operator bool() const { return bits != 0; }
};

struct UInt64 {
  std::uint64_t bits;
  operator std::int64_t() const {
    if (bits <= INT64_MAX) return static_cast<std::int64_t>(bits);
    throw BeyondInt64(message("it holds ", bits, ", beyond the range of int64"));
  }
};

/// Lines of elements, with the bytes from one to the next.
struct Block {
  std::int64_t lines, pace, n, step;
};
/// Converts a block. The bytes of a file are aligned to nothing.
using Widen = void(void* to, const std::byte* from, const Block& block);

template <class From, class To>
void widen(void* to_, const std::byte* from, const Block& block) {
  To* to = static_cast<To*>(to_);
  const std::int64_t n = block.n, step = block.step;
  for (std::int64_t line = 0; line < block.lines; ++line, from += block.pace, to += n) {
    if constexpr (std::same_as<From, To>) {
      if (step == sizeof(From)) {
        std::memcpy(to, from, static_cast<std::size_t>(n) * sizeof(From));
        continue;
      }
    }
    for (std::int64_t i = 0; i < n; ++i) {
      From element;
      std::memcpy(&element, from + i * step, sizeof(From));
      to[i] = static_cast<To>(element);
    }
  }
}

struct StoredType {
  StoredNames names;
  std::size_t size;
  Dtype widened;
  Widen* widen;
};
template <class From, class To = From>
constexpr StoredType stored_as(StoredNames names) {
  return {names, sizeof(From), dtype_of<To>, widen<From, To>};
}

// In the order of Stored.
constexpr StoredType stored_types[] = {stored_as<BooleanByte, bool>({"b1", "BOOL", "Bool"}),
                                       stored_as<std::uint8_t, std::int64_t>({"u1", "U8", "Byte"}),
                                       stored_as<std::int8_t, std::int64_t>({"i1", "I8", "Char"}),
                                       stored_as<std::uint16_t, std::int64_t>({"u2", "U16", ""}),
                                       stored_as<std::int16_t, std::int64_t>({"i2", "I16", "Short"}),
                                       stored_as<std::uint32_t, std::int64_t>({"u4", "U32", ""}),
                                       stored_as<std::int32_t, std::int64_t>({"i4", "I32", "Int"}),
                                       stored_as<UInt64, std::int64_t>({"u8", "U64", ""}),
                                       stored_as<std::int64_t>({"i8", "I64", "Long"}),
                                       stored_as<Half, float>({"f2", "F16", "Half"}),
                                       stored_as<BFloat16, float>({"", "BF16", "BFloat16"}),
                                       stored_as<float>({"f4", "F32", "Float"}),
                                       stored_as<double>({"f8", "F64", "Double"})};

const StoredType& properties(Stored type) { return stored_types[static_cast<int>(type)]; }

}  // namespace

std::optional<Stored> stored_named(std::string_view StoredNames::*format, std::string_view name) {
  const auto* found =
      std::ranges::find(stored_types, name, [format](const StoredType& type) { return type.names.*format; });
  if (name.empty() || found == std::end(stored_types)) return std::nullopt;
  return static_cast<Stored>(found - stored_types);
}

const StoredNames& names_of(Dtype dtype) {
  constexpr Stored stored[] = {Stored::boolean, Stored::i64, Stored::f32, Stored::f64};
  return properties(stored[static_cast<int>(dtype)]).names;
}

std::size_t stored_size(Stored type) { return properties(type).size; }

Dtype widened(Stored type) { return properties(type).widened; }

std::string_view element_bytes(const Tensor& x) {
  return visit(x.dtype(), [&]<class T>(T*) {
    const auto elements = x.data<T>();
    return std::string_view(reinterpret_cast<const char*>(elements.data()), elements.size_bytes());
  });
}

Tensor tensor_from_stored(Stored type, const std::byte* first, const Shape& shape, const Shape& strides) {
  Tensor result = empty(shape, widened(type));
  if (result.numel() == 0) return result;
  const auto size = static_cast<std::int64_t>(stored_size(type));
  Walk<1> walk = walk_of(shape, strides);
  const auto inner = walk.pop(), outer = walk.pop();
  const Block block{outer.extent, outer.stride[0] * size, inner.extent, inner.stride[0] * size};
  const auto bytes = block.lines * block.n * static_cast<std::int64_t>(item_size(result.dtype()));
  walk.for_each(0, walk.count(), [&](std::int64_t i, auto at) {
    properties(type).widen(elements<std::byte>(result) + i * bytes, first + at[0] * size, block);
  });
  return result;
}

std::int64_t checked_bytes(std::span<const std::int64_t> extents, std::size_t item_size) {
  throw_if<FileError>(extents.size() > Shape::max_rank, "it has ", extents.size(),
                      " dimensions, gradus supports at most ", Shape::max_rank);
  std::int64_t bytes = static_cast<std::int64_t>(item_size);
  bool fits = true, empty = false;
  for (const std::int64_t extent : extents) {
    if (extent < 0) fail<FileError>("its shape is ", Shape(extents));
    empty = empty || extent == 0;
    fits = fits && !__builtin_mul_overflow(bytes, std::max<std::int64_t>(extent, 1), &bytes);
  }
  if (!fits) fail<FileError>("its size overflows: ", Shape(extents));
  return empty ? 0 : bytes;
}

}  // namespace gradus::detail
