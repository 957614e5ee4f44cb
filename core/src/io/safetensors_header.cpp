#include "io/safetensors.hpp"
#include "tensor/message.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstring>
#include <set>

namespace gradus::detail {
namespace {

using Json = nlohmann::json;

/// Receives the header token by token, so that it sees a name that occurs twice and never holds a deep tree.
class HeaderReader : public nlohmann::json_sax<Json> {
 public:
  SafetensorsHeader header;

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
    if (place_ == start) {
      place_ = header_place;
    } else if (place_ == header_place && key_ == "__metadata__") {
      place_ = metadata_place;
    } else if (place_ == header_place) {
      place_ = tensor_place;
      header.tensors.emplace_back().name = key_;
      names_[place_].clear();
      offsets_.clear();
    } else {
      return refuse("an object");
    }
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

}  // namespace

SafetensorsHeader parse_safetensors_header(std::string_view json) {
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

}  // namespace gradus::detail
