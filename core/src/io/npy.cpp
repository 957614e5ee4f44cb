#include "io/npy.hpp"

#include "io/zip.hpp"
#include "ops/strided.hpp"
#include "tensor/message.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <set>

// Format: numpy.org/doc/stable/reference/generated/numpy.lib.format.html
namespace gradus::detail {
namespace {

using namespace std::string_view_literals;

constexpr std::string_view extension = ".npy";
constexpr std::string_view magic = "\x93NUMPY"sv;

bool is_array(const std::string& name) { return name.ends_with(extension); }

struct NpyFile {
  std::string descr;
  bool fortran_order = false;
  std::vector<std::int64_t> shape;
  Bytes data;
};

/// Reads the header, a dict of Python such as {'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }.
class HeaderParser {
 public:
  explicit HeaderParser(std::string_view text) : text_(text) {}

  /// All but the data.
  NpyFile parse() {
    NpyFile header;
    std::set<std::string> keys;
    expect("{");
    each_until("}", [&] {
      const std::string key = string();
      expect(":");
      if (!keys.insert(key).second) throw FileError(message("its header has the key '", shown(key), "' twice"));
      if (key == "descr") {
        header.descr = dtype();
      } else if (key == "fortran_order") {
        header.fortran_order = accept("True");
        if (!header.fortran_order) expect("False");
      } else if (key == "shape") {
        expect("(");
        each_until(")", [&] { header.shape.push_back(integer()); });
      } else {
        throw FileError(message("its header has the unknown key '", shown(key), "'"));
      }
    });
    skip_space();
    if (!text_.empty()) fail("the end");
    throw_if<FileError>(keys.size() != 3, "its header lacks 'descr', 'fortran_order' or 'shape'");
    return header;
  }

 private:
  [[noreturn]] void fail(std::string_view expected) const {
    throw FileError(message("its header has '", shown(text_.substr(0, 20)), "' where ", expected, " is expected"));
  }
  std::string take(std::size_t size) {
    std::string taken(text_.substr(0, size));
    text_.remove_prefix(size);
    return taken;
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
  /// Calls read() for every element up to `end`; a comma parts them, and may stand behind the last one.
  template <class Read>
  void each_until(std::string_view end, Read read) {
    while (!accept(end)) {
      read();
      if (!accept(",")) return expect(end);
    }
  }
  std::string string() {
    const char* quote = accept("'") ? "'" : accept("\"") ? "\"" : nullptr;
    const std::size_t end = quote ? text_.find(quote) : text_.npos;
    if (end == text_.npos) fail("a string");
    return take(end + 1).substr(0, end);
  }
  /// A string, or the list of fields of a structured array as it stands there.
  std::string dtype() {
    skip_space();
    if (!text_.starts_with('[')) return string();
    int depth = 0;
    std::size_t end = 0;
    do {
      if (end == text_.size()) fail("the end of a list");
      depth += text_[end] == '[' ? 1 : text_[end] == ']' ? -1 : 0;
    } while (end++, depth > 0);
    return take(end);
  }
  std::int64_t integer() {
    skip_space();
    std::int64_t number;
    const auto [end, error] = std::from_chars(text_.data(), text_.data() + text_.size(), number);
    if (error != std::errc()) fail("an integer of 64 bits");
    text_.remove_prefix(static_cast<std::size_t>(end - text_.data()));
    if (text_.starts_with('L')) text_.remove_prefix(1);  // a long integer of Python 2
    return number;
  }

  std::string_view text_;
};

[[noreturn]] void refuse_type(const std::string& descr) {
  if (descr.starts_with('[')) {
    fail<FileError>("it is a structured array, with the fields ", shown(descr), "\nSave each as an array.");
  }
  throw_if<FileError>(descr.find('O') != descr.npos, "it holds Python objects, which are never read");
  fail<FileError>("its dtype '", shown(descr), "' is none that gradus reads");
}

/// The text of the header; `file` loses it and what is in front of it.
std::string_view take_header(Bytes& file) {
  const std::string_view text = as_text(file);
  throw_if<FileError>(!text.starts_with(magic), "it does not begin as a .npy file does");
  throw_if<FileError>(text.size() < 8, "it ends within its header");
  const int version = text[6];
  throw_if<FileError>(version < 1 || version > 3 || text[7] != 0, "its version of the .npy format is unknown");

  const std::size_t length_size = version == 1 ? 2 : 4, start = 8 + length_size;
  std::uint32_t length = 0;
  throw_if<FileError>(text.size() < start, "it ends within its header");
  std::memcpy(&length, text.data() + 8, length_size);
  throw_if<FileError>(length > text.size() - start, "its header would have ", length, " bytes, but the file has only ",
                      text.size());
  file = file.subspan(start + length);
  return text.substr(start, length);
}

NpyFile parse_header(Bytes file) {
  NpyFile parsed = HeaderParser(take_header(file)).parse();
  parsed.data = file;
  return parsed;
}

Tensor array_of(const NpyFile& file) {
  const auto type = numpy_type(file.descr);
  if (!type) refuse_type(file.descr);
  return numpy_array(*type, file.data, file.shape, file.fortran_order);
}

/// An array of an archive; an object where it is none of numbers.
Value array_or_object(Bytes content) {
  const NpyFile file = parse_header(content);
  try {
    if (numpy_type(file.descr)) return array_of(file);
  } catch (const BeyondInt64&) {
  }
  return Value::object("numpy.ndarray of " + file.descr);
}

}  // namespace

std::optional<NumpyType> numpy_type(std::string_view name) {
  if (name.empty() || "<>=|"sv.find(name[0]) == std::string_view::npos) return std::nullopt;
  const auto stored = stored_named(&StoredNames::numpy, name.substr(1));
  return stored ? std::optional(NumpyType{*stored, name[0] == '>'}) : std::nullopt;
}

Tensor numpy_array(NumpyType type, Bytes data, std::span<const std::int64_t> extents, bool fortran_order) {
  const std::size_t size = stored_size(type.stored);
  const std::int64_t bytes = checked_bytes(extents, size);
  const Shape shape = extents;
  throw_if<FileError>(static_cast<std::uint64_t>(bytes) != data.size(), "elements of ", size, " bytes in shape ", shape,
                      " need ", bytes, " bytes, there are ", data.size());
  std::vector<std::byte> swapped;
  if (type.big_endian) {
    swapped.assign(data.begin(), data.end());
    for (auto at = swapped.begin(); at != swapped.end(); at += static_cast<std::ptrdiff_t>(size)) {
      std::reverse(at, at + static_cast<std::ptrdiff_t>(size));
    }
    data = swapped;
  }
  Shape strides = strides_of(shape);
  if (fortran_order) {
    std::int64_t stride = 1;
    for (int i = 0; i < shape.rank(); ++i) {
      strides[i] = stride;
      stride *= shape[i];
    }
  }
  return tensor_from_stored(type.stored, data.data(), shape, strides);
}

Tensor parse_npy(Bytes file) { return array_of(parse_header(file)); }

std::string npy_header(const Tensor& x) {
  std::string dict = message("{'descr': '", x.dtype() == boolean ? '|' : '<', names_of(x.dtype()).numpy,
                             "', 'fortran_order': False, 'shape': ", tuple_text(x.shape()), ", }");

  constexpr std::size_t prefix = 10, alignment = 64;
  const std::size_t total = (prefix + dict.size() + 1 + alignment - 1) / alignment * alignment;
  dict.resize(total - prefix - 1, ' ');
  const auto length = static_cast<std::uint16_t>(total - prefix);
  std::string header(magic);
  header += "\x01\x00"sv;
  header.append(reinterpret_cast<const char*>(&length), sizeof length);
  return header + dict + "\n";
}

bool is_npz(Bytes file) {
  try {
    const ZipReader archive(file);
    return std::ranges::any_of(archive.names(), is_array);
  } catch (const FileError&) {
    return false;
  }
}

Value parse_npz(Bytes file, Budget& budget) {
  const ZipReader archive(file);
  Value::Dict arrays;
  for (const std::string& name : archive.names()) {
    if (!is_array(name)) {
      arrays.emplace_back(name, Value::object("bytes"));
      continue;
    }
    try {
      const Buffer content = archive.read(name, budget);
      arrays.emplace_back(name.substr(0, name.size() - extension.size()), array_or_object(content));
    } catch (const FileError& error) {
      fail<FileError>("array '", shown(name), "': ", error.what());
    }
  }
  return Value::dict(std::move(arrays));
}

std::string npz_bytes(const StateDict& arrays) {
  ZipWriter archive;
  for (const auto& [name, array] : arrays) {
    throw_if<ValueError>(!is_safe_file_name(name), "save: '", name, "' cannot be the name of an array in .npz");
    archive.add(message(name, extension), npy_header(array) + std::string(element_bytes(array)));
  }
  return archive.finish();
}

}  // namespace gradus::detail
