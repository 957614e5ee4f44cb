#include "io/safetensors.hpp"

#include "io/elements.hpp"
#include "io/value_json.hpp"
#include "ops/strided.hpp"
#include "tensor/message.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstring>
#include <set>

// Format: github.com/safetensors/safetensors, README and safetensors/src/tensor.rs. The checks come in the order of the
// reference.
namespace gradus::detail {
namespace {

using Json = nlohmann::json;

struct Info {
  std::string name, dtype;
  std::vector<std::uint64_t> shape;
  std::uint64_t begin = 0, end = 0;  // bytes, counted from the end of the header
};

/// What the JSON header says, before it is compared with the data behind it.
struct Header {
  std::vector<Info> tensors;
  Metadata metadata;
};

/// Receives the header token by token, so that it sees a name that occurs twice and never holds a deep tree.
class HeaderReader : public nlohmann::json_sax<Json> {
 public:
  Header header;

  bool null() override { return refuse("null"); }
  bool boolean(bool) override { return refuse("true or false"); }
  bool number_integer(std::int64_t) override { return refuse("a negative number"); }
  bool number_float(double, const std::string&) override { return refuse("a number that is no integer of 64 bits"); }
  bool binary(Json::binary_t&) override { return refuse("binary"); }

  bool number_unsigned(std::uint64_t number) override {
    if (!in_array_) return refuse("a number");
    (key_ == "shape" ? header.tensors.back().shape : offsets_).push_back(number);
    return true;
  }

  bool string(std::string& text) override {
    if (place_ == metadata_place) {
      header.metadata[key_] = text;
    } else if (place_ == tensor_place && key_ == "dtype") {
      header.tensors.back().dtype = text;
    } else {
      return refuse("a string");
    }
    return true;
  }

  bool start_object(std::size_t) override {
    const Place inner = place_ == start          ? header_place
                        : place_ != header_place ? start
                        : key_ == "__metadata__" ? metadata_place
                                                 : tensor_place;
    if (inner == start) return refuse("an object");
    place_ = inner;
    names_[place_].clear();
    if (place_ == tensor_place) header.tensors.emplace_back().name = key_;
    offsets_.clear();
    return true;
  }

  bool end_object() override {
    if (place_ == tensor_place) finish_tensor();
    place_ = header_place;
    return true;
  }

  bool start_array(std::size_t) override {
    in_array_ = place_ == tensor_place && !in_array_ && (key_ == "shape" || key_ == "data_offsets");
    return in_array_ || refuse("an array");
  }

  bool end_array() override {
    in_array_ = false;
    return true;
  }

  bool key(std::string& name) override {
    key_ = name;
    if (!names_[place_].insert(name).second) {
      fail<FileError>("the name '", shown(name), "' occurs twice in ",
                      place_ == header_place     ? "the header"
                      : place_ == metadata_place ? "the metadata"
                                                 : message("tensor '", tensor_name(), "'"));
    }
    if (place_ == tensor_place && std::ranges::find(fields, name) == std::end(fields)) {
      fail<FileError>("tensor '", tensor_name(), "' has the unknown field '", shown(name), "'");
    }
    return true;
  }

  bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception& error) override {
    const bool encoding = std::strstr(error.what(), "UTF-8") != nullptr;
    fail<FileError>("the header is not valid ", encoding ? "UTF-8" : "JSON", " at its byte ", position);
  }

 private:
  enum Place : std::uint8_t { start, header_place, metadata_place, tensor_place };
  static constexpr std::string_view fields[] = {"dtype", "shape", "data_offsets"};

  std::string tensor_name() const { return shown(header.tensors.back().name); }

  bool refuse(std::string_view found) const {
    if (place_ == metadata_place) fail<FileError>("metadata '", shown(key_), "' is ", found, ", expected a string");
    if (place_ == header_place) fail<FileError>("entry '", shown(key_), "' is ", found, ", expected an object");
    fail<FileError>("tensor '", tensor_name(), "' has ", found, " in its field '", shown(key_),
                    "', where it cannot be");
  }

  void finish_tensor() {
    for (const std::string_view field : fields) {
      if (!names_[place_].contains(field)) fail<FileError>("tensor '", tensor_name(), "' has no field '", field, "'");
    }
    if (offsets_.size() != 2) {
      fail<FileError>("tensor '", tensor_name(), "' has ", offsets_.size(), " data_offsets, expected 2");
    }
    header.tensors.back().begin = offsets_[0];
    header.tensors.back().end = offsets_[1];
  }

  Place place_ = start;
  bool in_array_ = false;
  std::string key_;                     // the name read last
  std::vector<std::uint64_t> offsets_;  // of the present tensor
  std::set<std::string, std::less<>> names_[tensor_place + 1];
};

/// Throws FileError for JSON that is not valid, a field or type that does not belong there, and a name that occurs
/// twice.
Header parse_json_header(std::string_view json) {
  // The JSON library skips a byte order mark and takes a zero byte for the end.
  if (const auto first = json.find_first_not_of(" \t\n\r"); first == json.npos || json[first] != '{') {
    throw FileError("the header does not begin with '{'");
  }
  if (const auto zero = json.find('\0'); zero != json.npos) {
    fail<FileError>("the header is not valid JSON at its byte ", zero + 1);
  }
  HeaderReader reader;
  Json::sax_parse(json.begin(), json.end(), &reader);
  return std::move(reader.header);
}

constexpr std::uint64_t max_header = 100'000'000;

std::uint64_t header_length(Bytes file) {
  std::uint64_t length;
  throw_if<FileError>(file.size() < sizeof length, "it has ", file.size(),
                      " bytes; a safetensors file begins with 8 that tell the length of its header");
  std::memcpy(&length, file.data(), sizeof length);
  throw_if<FileError>(length > max_header, "its header would have ", length, " bytes, more than the allowed ",
                      max_header, "\nIs it a safetensors file?");
  throw_if<FileError>(length > file.size() - sizeof length, "its header would have ", length,
                      " bytes, but the file has only ", file.size(), "\nIt is truncated, or no safetensors file.");
  return length;
}

/// Every byte of the data belongs to exactly one tensor.
void check_offsets(const std::vector<Info>& infos, std::uint64_t data_size, std::uint64_t file_size) {
  std::vector<const Info*> order;
  for (const Info& info : infos) order.push_back(&info);
  std::ranges::sort(order, {}, [](const Info* info) { return std::pair(info->begin, info->end); });
  std::uint64_t previous_end = 0;
  for (const Info* info : order) {
    const std::uint64_t begin = info->begin, end = info->end;
    const auto fail = [&](std::string_view what) {
      throw FileError(message("tensor '", shown(info->name), "' with data_offsets [", begin, ", ", end, "] ", what));
    };
    if (end < begin) fail("ends before it begins");
    if (begin < previous_end) fail(message("overlaps the tensor in front of it, which ends at ", previous_end));
    if (begin > previous_end) fail(message("leaves a hole behind the byte ", previous_end));
    previous_end = end;
  }
  if (previous_end != data_size) {
    throw FileError(message("the tensors of the header need a file of ", file_size - data_size + previous_end,
                            " bytes, this one has ", file_size, previous_end > data_size ? "; it is truncated" : ""));
  }
}

Tensor read_tensor(const Info& info, Bytes data) {
  const auto type = stored_named(&StoredNames::safetensors, info.dtype);
  if (!type) fail<FileError>("its dtype '", shown(info.dtype), "' is none that gradus reads");
  std::vector<std::int64_t> extents;
  for (const std::uint64_t extent : info.shape) {
    throw_if<FileError>(extent > INT64_MAX, "its size overflows: ", extent);
    extents.push_back(static_cast<std::int64_t>(extent));
  }
  const std::int64_t expected = checked_bytes(extents, stored_size(*type));
  const std::uint64_t actual = info.end - info.begin;
  if (actual != static_cast<std::uint64_t>(expected)) {
    fail<FileError>("dtype ", shown(info.dtype), " and shape ", Shape(extents), " need ", expected,
                    " bytes, its data_offsets hold ", actual);
  }
  return tensor_from_stored(*type, data.data() + info.begin, extents, strides_of(extents));
}

}  // namespace

Safetensors parse_safetensors(Bytes file) {
  const auto length = static_cast<std::size_t>(header_length(file));
  const Bytes data = file.subspan(8 + length);
  Header header = parse_json_header(as_text(file).substr(8, length));
  check_offsets(header.tensors, data.size(), file.size());

  Safetensors result;
  result.metadata = std::move(header.metadata);
  for (const Info& info : header.tensors) {
    try {
      result.tensors[info.name] = read_tensor(info, data);
    } catch (const FileError& error) {
      fail<FileError>("tensor '", shown(info.name), "': ", error.what());
    }
  }
  return result;
}

// --- writing

namespace {

/// Position of a dtype in the file: the reference puts types of large alignment first.
int rank(Dtype dtype) {
  constexpr int ranks[] = {3, 0, 2, 1};
  return ranks[static_cast<int>(dtype)];
}

/// The tensors in the order in which the reference writes them.
std::vector<const StateDict::Entry*> file_order(const StateDict& tensors) {
  std::vector<const StateDict::Entry*> order;
  for (const auto& entry : tensors) order.push_back(&entry);
  std::ranges::sort(order, {}, [](const StateDict::Entry* entry) {
    return std::pair(rank(entry->second.dtype()), std::string_view(entry->first));
  });
  return order;
}

}  // namespace

std::string safetensors_header(const StateDict& tensors, const Metadata& metadata) {
  std::string json = "{";
  if (!metadata.empty()) {
    json += "\"__metadata__\":{";
    for (const auto& [key, value] : metadata) json += message(json_quoted(key), ":", json_quoted(value), ",");
    json.back() = '}';
    json += ',';
  }
  std::size_t offset = 0;
  for (const auto* entry : file_order(tensors)) {
    const auto& [name, tensor] = *entry;
    throw_if<ValueError>(name == "__metadata__", "save: '__metadata__' cannot be the name of a tensor in safetensors");
    std::string shape;
    for (const std::int64_t extent : tensor.shape()) shape += message(shape.empty() ? "" : ",", extent);
    const std::size_t end = offset + element_bytes(tensor).size();
    json += message(json_quoted(name), ":{\"dtype\":\"", names_of(tensor.dtype()).safetensors, "\",\"shape\":[", shape,
                    "],\"data_offsets\":[", offset, ",", end, "]},");
    offset = end;
  }
  if (json.back() == ',') json.pop_back();
  json += '}';
  json.resize((json.size() + 7) / 8 * 8, ' ');  // so that the elements are aligned to 8 bytes

  const std::uint64_t length = json.size();
  return std::string(reinterpret_cast<const char*>(&length), sizeof length) + json;
}

void write_safetensors(AtomicFile& file, const StateDict& tensors, const Metadata& metadata) {
  file.write(safetensors_header(tensors, metadata));
  for (const auto* entry : file_order(tensors)) file.write(element_bytes(entry->second));
}

}  // namespace gradus::detail
