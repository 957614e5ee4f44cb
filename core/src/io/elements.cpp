#include "io/elements.hpp"

#include "ops/strided.hpp"
#include "tensor/message.hpp"

#include <gradus/core/create.hpp>

#include <algorithm>
#include <cmath>
#include <cstring>

namespace gradus::detail {
namespace {

// IEEE 754 binary16: 1 bit of sign, 5 of exponent, 10 of fraction.
struct Half {
  std::uint16_t bits;
  operator float() const {
    const std::uint32_t sign = (bits & 0x8000u) << 16, exponent = (bits >> 10) & 0x1fu, fraction = bits & 0x3ffu;
    if (exponent == 0) return std::copysign(std::ldexp(static_cast<float>(fraction), -24), sign ? -1.0f : 1.0f);
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

// In the order of Stored.
constexpr StoredNames stored_names[] = {{"b1", "BOOL", "Bool"}, {"u1", "U8", "Byte"},     {"i1", "I8", "Char"},
                                        {"u2", "U16", ""},      {"i2", "I16", "Short"},   {"u4", "U32", ""},
                                        {"i4", "I32", "Int"},   {"u8", "U64", ""},        {"i8", "I64", "Long"},
                                        {"f2", "F16", "Half"},  {"", "BF16", "BFloat16"}, {"f4", "F32", "Float"},
                                        {"f8", "F64", "Double"}};

/// Calls `f` with the stored and the widened type.
template <class F>
void visit_stored(Stored type, F f) {
  switch (type) {
    case Stored::boolean: return f.template operator()<BooleanByte, bool>();
    case Stored::u8: return f.template operator()<std::uint8_t, std::int64_t>();
    case Stored::i8: return f.template operator()<std::int8_t, std::int64_t>();
    case Stored::u16: return f.template operator()<std::uint16_t, std::int64_t>();
    case Stored::i16: return f.template operator()<std::int16_t, std::int64_t>();
    case Stored::u32: return f.template operator()<std::uint32_t, std::int64_t>();
    case Stored::i32: return f.template operator()<std::int32_t, std::int64_t>();
    case Stored::u64: return f.template operator()<UInt64, std::int64_t>();
    case Stored::i64: return f.template operator()<std::int64_t, std::int64_t>();
    case Stored::f16: return f.template operator()<Half, float>();
    case Stored::bf16: return f.template operator()<BFloat16, float>();
    case Stored::f32: return f.template operator()<float, float>();
    case Stored::f64: return f.template operator()<double, double>();
  }
}

/// Copies the elements of a walk in its order; the bytes of a file are aligned to nothing.
template <class From, class To>
void copy_walked(const std::byte* from, Walk<1> walk, To* to) {
  const Walk<1>::Dimension inner = walk.pop();
  walk.for_each(0, walk.count(), [&](std::int64_t, auto at) {
    for (std::int64_t i = 0; i < inner.extent; ++i) {
      From element;
      const std::int64_t position = at[0] + i * inner.stride[0];
      std::memcpy(&element, from + position * static_cast<std::int64_t>(sizeof(From)), sizeof(From));
      *to++ = static_cast<To>(element);
    }
  });
}

}  // namespace

std::optional<Stored> stored_named(std::string_view StoredNames::*format, std::string_view name) {
  const auto* found = std::ranges::find(stored_names, name, format);
  if (name.empty() || found == std::end(stored_names)) return std::nullopt;
  return static_cast<Stored>(found - stored_names);
}

const StoredNames& names_of(Dtype dtype) {
  constexpr Stored stored[] = {Stored::boolean, Stored::i64, Stored::f32, Stored::f64};
  return stored_names[static_cast<int>(stored[static_cast<int>(dtype)])];
}

std::size_t stored_size(Stored type) {
  std::size_t size = 0;
  visit_stored(type, [&]<class From, class To>() { size = sizeof(From); });
  return size;
}

Dtype widened(Stored type) {
  Dtype dtype{};
  visit_stored(type, [&]<class From, class To>() { dtype = dtype_of<To>; });
  return dtype;
}

std::string_view element_bytes(const Tensor& x) {
  return visit(x.dtype(), [&]<class T>(T*) {
    const auto elements = x.data<T>();
    return std::string_view(reinterpret_cast<const char*>(elements.data()), elements.size_bytes());
  });
}

Tensor tensor_from_stored(Stored type, const std::byte* first, const Shape& shape, const Shape& strides) {
  Tensor result = empty(shape, widened(type));
  if (result.numel() == 0) return result;
  visit_stored(type, [&]<class From, class To>() {
    To* to = result.data<To>().data();
    if (std::same_as<From, To> && strides == strides_of(shape)) {
      std::memcpy(to, first, result.data<To>().size_bytes());
    } else {
      copy_walked<From>(first, walk_of(shape, strides), to);
    }
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
