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

class IdxReader {
 public:
  explicit IdxReader(const std::string& path) : path_(path), content_(path) {}

  Tensor read(std::optional<Dtype> dtype) {
    std::byte magic[4] = {};
    const bool complete = content_.read(magic, sizeof magic) == sizeof magic;
    const int rank = static_cast<int>(magic[3]);
    if (complete && magic[0] == std::byte{0} && magic[1] == std::byte{0}) {
      switch (static_cast<int>(magic[2])) {
        case 0x08: return read_as<std::uint8_t>(rank, dtype.value_or(int64));
        case 0x09: return read_as<std::int8_t>(rank, dtype.value_or(int64));
        case 0x0B: return read_as<std::int16_t>(rank, dtype.value_or(int64));
        case 0x0C: return read_as<std::int32_t>(rank, dtype.value_or(int64));
        case 0x0D: return read_as<float>(rank, float32).to(dtype.value_or(float32));
        case 0x0E: return read_as<double>(rank, float64).to(dtype.value_or(float64));
        default: break;
      }
    }
    char begins[12];
    std::snprintf(begins, sizeof begins, "%02x %02x %02x %02x", unsigned(magic[0]), unsigned(magic[1]),
                  unsigned(magic[2]), unsigned(magic[3]));
    fail(message("it begins with ", begins, ", expected 00 00, a type (08, 09 or 0b to 0e), the number of dimensions"));
  }

 private:
  template <class S>
  Tensor read_as(int rank, Dtype dtype) {
    const Shape shape = read_shape(rank);
    const std::vector<std::byte> bytes = read_elements(shape, sizeof(S));
    Tensor x = empty(shape, dtype);
    visit(dtype, [&]<class T>(T*) {
      const std::byte* from = bytes.data();
      for (T& element : x.data<T>()) {
        element = static_cast<T>(big_endian<S>(from));
        from += sizeof(S);
      }
    });
    return x;
  }

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
  std::vector<std::byte> read_elements(const Shape& shape, std::size_t size) {
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

  [[noreturn]] void fail(std::string_view problem) const {
    throw FileError(message("cannot read '", path_, "' as IDX: ", problem));
  }

  const std::string& path_;
  GzipReader content_;
};

}  // namespace

Tensor read_idx(const std::string& path, std::optional<Dtype> dtype) { return IdxReader(path).read(dtype); }

}  // namespace gradus
