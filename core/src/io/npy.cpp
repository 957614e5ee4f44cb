#include "io/npy.hpp"

#include <charconv>
#include <cstring>
#include <map>

#include "io/elements.hpp"
#include "ops/strided.hpp"
#include "tensor/message.hpp"

// Format: numpy.org/doc/stable/reference/generated/numpy.lib.format.html
namespace gradus::detail {
namespace {

using namespace std::string_view_literals;

constexpr std::string_view magic = "\x93NUMPY"sv;

struct NpyHeader {
  std::string descr;
  bool fortran_order = false;
  std::vector<std::int64_t> shape;
};

/// Reads the header, a dict of Python such as {'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }.
class HeaderParser {
 public:
  explicit HeaderParser(std::string_view text) : text_(text) {}

  NpyHeader parse() {
    NpyHeader header;
    bool descr = false, order = false, shape = false;
    const auto once = [&](bool& seen, const std::string& key) {
      if (std::exchange(seen, true)) throw FileError(message("its header has the key '", key, "' twice"));
    };
    expect("{");
    while (!accept("}")) {
      const std::string key = string();
      expect(":");
      if (key == "descr") {
        once(descr, key);
        header.descr = string();
      } else if (key == "fortran_order") {
        once(order, key);
        header.fortran_order = accept("True");
        if (!header.fortran_order) expect("False");
      } else if (key == "shape") {
        once(shape, key);
        header.shape = tuple();
      } else {
        throw FileError(message("its header has the unknown key '", key, "'"));
      }
      if (!accept(",")) {
        expect("}");
        break;
      }
    }
    skip_space();
    if (!text_.empty()) fail("the end");
    if (!descr || !order || !shape) throw FileError("its header lacks 'descr', 'fortran_order' or 'shape'");
    return header;
  }

 private:
  [[noreturn]] void fail(std::string_view expected) const {
    throw FileError(message("its header has '", text_.substr(0, 20), "' where ", expected, " is expected"));
  }
  void skip_space() { text_.remove_prefix(std::min(text_.find_first_not_of(" \n\t"), text_.size())); }
  bool accept(std::string_view token) {
    skip_space();
    if (!text_.starts_with(token)) return false;
    text_.remove_prefix(token.size());
    return true;
  }
  void expect(std::string_view token) {
    if (!accept(token)) fail(message("'", token, "'"));
  }
  std::string string() {
    const char* quote = accept("'") ? "'" : accept("\"") ? "\"" : nullptr;
    const std::size_t end = quote ? text_.find(quote) : text_.npos;
    if (end == text_.npos) fail("a string");
    const std::string result(text_.substr(0, end));
    text_.remove_prefix(end + 1);
    return result;
  }
  std::int64_t integer() {
    skip_space();
    std::int64_t number;
    const auto [end, error] = std::from_chars(text_.data(), text_.data() + text_.size(), number);
    if (error != std::errc()) fail("an integer of 64 bits");
    text_.remove_prefix(static_cast<std::size_t>(end - text_.data()));
    return number;
  }
  std::vector<std::int64_t> tuple() {
    std::vector<std::int64_t> numbers;
    expect("(");
    while (!accept(")")) {
      numbers.push_back(integer());
      if (!accept(",")) {
        expect(")");
        break;
      }
    }
    return numbers;
  }

  std::string_view text_;
};

Stored stored_type(const std::string& descr) {
  static const std::map<std::string_view, Stored> types = {
      {"|b1", Stored::boolean}, {"|u1", Stored::u8},  {"|i1", Stored::i8},  {"<u2", Stored::u16},
      {"<i2", Stored::i16},     {"<u4", Stored::u32}, {"<i4", Stored::i32}, {"<i8", Stored::i64},
      {"<f2", Stored::f16},     {"<f4", Stored::f32}, {"<f8", Stored::f64}};
  if (const auto found = types.find(descr); found != types.end()) return found->second;
  if (descr.find('O') != descr.npos) throw FileError("it holds Python objects, which are never read");
  if (descr.starts_with('>')) {
    throw FileError(message("its dtype '", descr, "' is big-endian, which gradus does not read"));
  }
  throw FileError(message("its dtype '", descr, "' is none that gradus reads"));
}

std::string_view descr_of(Dtype dtype) {
  constexpr std::string_view names[] = {"|b1", "<i8", "<f4", "<f8"};
  return names[static_cast<int>(dtype)];
}

/// The text of the header; `file` loses it and what is in front of it.
std::string_view take_header(Bytes& file) {
  const std::string_view text(reinterpret_cast<const char*>(file.data()), file.size());
  if (!text.starts_with(magic)) throw FileError("it does not begin as a .npy file does");
  if (text.size() < 8) throw FileError("it ends within its header");
  const int version = text[6];
  if (version < 1 || version > 3 || text[7] != 0) throw FileError("its version of the .npy format is unknown");

  const std::size_t length_size = version == 1 ? 2 : 4, start = 8 + length_size;
  std::uint32_t length = 0;
  if (text.size() < start) throw FileError("it ends within its header");
  std::memcpy(&length, text.data() + 8, length_size);
  if (length > text.size() - start) {
    throw FileError(message("its header would have ", length, " bytes, but the file has only ", text.size()));
  }
  file = file.subspan(start + length);
  return text.substr(start, length);
}

}  // namespace

Tensor parse_npy(Bytes file) {
  Bytes data = file;
  const NpyHeader header = HeaderParser(take_header(data)).parse();
  const Stored type = stored_type(header.descr);
  const std::int64_t bytes = checked_bytes(header.shape, stored_size(type));
  if (static_cast<std::uint64_t>(bytes) != data.size()) {
    throw FileError(message("dtype ", header.descr, " and shape ", Shape(header.shape), " need ", bytes,
                            " bytes, there are ", data.size()));
  }
  const Shape shape = header.shape;
  Shape strides = strides_of(shape);
  if (header.fortran_order) {
    std::int64_t stride = 1;
    for (int i = 0; i < shape.rank(); ++i) {
      strides[i] = stride;
      stride *= shape[i];
    }
  }
  return tensor_from_stored(type, data.data(), shape, strides);
}

std::string npy_header(const Tensor& x) {
  std::string shape;
  for (const std::int64_t extent : x.shape()) shape += message(extent, x.dim() == 1 ? "," : ", ");
  if (x.dim() > 1) shape.resize(shape.size() - 2);
  std::string dict =
      message("{'descr': '", descr_of(x.dtype()), "', 'fortran_order': False, 'shape': (", shape, "), }");

  constexpr std::size_t prefix = 10, alignment = 64;
  const std::size_t total = (prefix + dict.size() + 1 + alignment - 1) / alignment * alignment;
  dict.resize(total - prefix - 1, ' ');
  const auto length = static_cast<std::uint16_t>(total - prefix);
  std::string header(magic);
  header += "\x01\x00"sv;
  header.append(reinterpret_cast<const char*>(&length), sizeof length);
  return header + dict + "\n";
}

}  // namespace gradus::detail
