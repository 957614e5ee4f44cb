#include "data/gzip.hpp"
#include "tensor/message.hpp"

#include <gradus/core/data.hpp>

#include <algorithm>
#include <bit>
#include <cstdio>

// The format: two zero bytes, one that tells the type, one with the number of extents; the extents, 32 bits each; the
// elements. Numbers have their most significant byte first.

namespace gradus {
namespace {

using namespace detail;

template <class T>
T big_endian(const std::byte* bytes) {
  std::array<std::byte, sizeof(T)> reversed;
  std::reverse_copy(bytes, bytes + sizeof(T), reversed.begin());
  return std::bit_cast<T>(reversed);
}
static_assert(std::endian::native == std::endian::little);

/// Calls `f` with a null pointer of the stored type. False for a code that means none.
template <class F>
bool visit_stored(std::uint8_t code, F&& f) {
  switch (code) {
    case 0x08: return f(static_cast<std::uint8_t*>(nullptr)), true;
    case 0x09: return f(static_cast<std::int8_t*>(nullptr)), true;
    case 0x0B: return f(static_cast<std::int16_t*>(nullptr)), true;
    case 0x0C: return f(static_cast<std::int32_t*>(nullptr)), true;
    case 0x0D: return f(static_cast<float*>(nullptr)), true;
    case 0x0E: return f(static_cast<double*>(nullptr)), true;
    default: return false;
  }
}

class IdxReader {
 public:
  explicit IdxReader(const std::string& path) : path_(path), content_(path) {}

  Tensor read(std::optional<Dtype> dtype) {
    std::byte magic[4] = {};
    const bool complete = content_.read(magic, sizeof magic) == sizeof magic;
    Tensor x;
    const bool known = complete && magic[0] == std::byte{0} && magic[1] == std::byte{0} &&
                       visit_stored(static_cast<std::uint8_t>(magic[2]), [&]<class S>(S*) {
                         const Shape shape = read_shape(static_cast<int>(magic[3]));
                         x = convert<S>(read_elements<S>(shape), shape, dtype);
                       });
    if (!known) {
      char begins[12];
      std::snprintf(begins, sizeof begins, "%02x %02x %02x %02x", unsigned(magic[0]), unsigned(magic[1]),
                    unsigned(magic[2]), unsigned(magic[3]));
      fail(message("it begins with ", begins,
                   ", expected 00 00, a type (08, 09 or 0b to 0e), the number of dimensions"));
    }
    return x;
  }

 private:
  Shape read_shape(int rank) {
    if (rank > Shape::max_rank) {
      fail(message("it has ", rank, " dimensions, at most ", Shape::max_rank, " are possible"));
    }
    Shape shape;
    for (int i = 0; i < rank; ++i) {
      std::byte extent[4];
      if (content_.read(extent, sizeof extent) != sizeof extent) fail("the file is cut off in its header");
      shape.push_back(big_endian<std::uint32_t>(extent));
    }
    return shape;
  }

  /// The bytes of the elements. Memory grows with what is really there, whatever the header promises.
  template <class S>
  std::vector<std::byte> read_elements(const Shape& shape) {
    std::size_t size = sizeof(S);
    bool possible = true;
    for (const std::int64_t extent : shape) {
      possible = !__builtin_mul_overflow(size, static_cast<std::size_t>(extent), &size) && possible;
    }
    possible = possible && size <= content_.most_content();
    if (!possible) fail(message("its shape ", shape, " needs more bytes than there are in the file"));

    std::vector<std::byte> bytes;
    while (bytes.size() < size) {
      const std::size_t before = bytes.size();
      bytes.resize(std::min(size, std::max<std::size_t>(2 * before, 1 << 16)));
      if (content_.read(bytes.data() + before, bytes.size() - before) != bytes.size() - before) {
        fail(message("the file is cut off, its shape ", shape, " needs ", size, " bytes"));
      }
    }
    std::byte more;
    if (content_.read(&more, 1) != 0) fail(message("there are more bytes than its shape ", shape, " needs"));
    return bytes;
  }

  template <class S>
  static Tensor convert(const std::vector<std::byte>& bytes, const Shape& shape, std::optional<Dtype> dtype) {
    if constexpr (std::floating_point<S>) {
      const Tensor x = elements_as<S, S>(bytes, shape);
      return dtype ? x.to(*dtype) : x;
    } else {
      return visit(dtype.value_or(int64), [&]<class T>(T*) { return elements_as<S, T>(bytes, shape); });
    }
  }

  template <class S, class T>
  static Tensor elements_as(const std::vector<std::byte>& bytes, const Shape& shape) {
    Tensor x = empty(shape, dtype_of<T>);
    const std::byte* from = bytes.data();
    for (T& element : x.data<T>()) {
      element = static_cast<T>(big_endian<S>(from));
      from += sizeof(S);
    }
    return x;
  }

  [[noreturn]] void fail(std::string_view problem) const {
    throw FileError(message("cannot read '", path_, "' as IDX: ", problem));
  }

  const std::string& path_;
  GzipReader content_;
};

}  // namespace

Tensor read_idx(const std::string& path, std::optional<Dtype> dtype) { return IdxReader(path).read(dtype); }

}  // namespace gradus
