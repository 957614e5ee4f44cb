#include "io/safetensors.hpp"
#include "tensor/message.hpp"

#include <nlohmann/json.hpp>

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
    if (key_ == "shape") {
      header.tensors.back().shape.push_back(number);
    } else {
      if (offsets_ < 2) (offsets_ == 0 ? header.tensors.back().begin : header.tensors.back().end) = number;
      ++offsets_;
    }
    return true;
  }

  bool string(std::string& text) override {
    if (place_ == Place::metadata) {
      header.metadata[key_] = text;
    } else if (place_ == Place::tensor && key_ == "dtype") {
      header.tensors.back().dtype = text;
    } else {
      return refuse("a string");
    }
    return true;
  }

  bool start_object(std::size_t) override {
    if (place_ == Place::start) {
      place_ = Place::header;
    } else if (place_ == Place::header && key_ == "__metadata__") {
      place_ = Place::metadata;
    } else if (place_ == Place::header) {
      place_ = Place::tensor;
      header.tensors.emplace_back().name = key_;
      fields_.clear();
      offsets_ = 0;
    } else {
      return refuse("an object");
    }
    return true;
  }

  bool end_object() override {
    if (place_ == Place::tensor) check_complete();
    place_ = Place::header;
    return true;
  }

  bool start_array(std::size_t) override {
    in_array_ = place_ == Place::tensor && !in_array_ && (key_ == "shape" || key_ == "data_offsets");
    return in_array_ || refuse("an array");
  }

  bool end_array() override {
    in_array_ = false;
    return true;
  }

  bool key(std::string& name) override {
    key_ = name;
    if (place_ == Place::header) {
      insert(names_, "the header");
    } else if (place_ == Place::metadata) {
      insert(metadata_names_, "the metadata");
    } else {
      insert(fields_, message("tensor '", tensor_name(), "'"));
      if (name != "dtype" && name != "shape" && name != "data_offsets") {
        fail<FileError>("tensor '", tensor_name(), "' has the unknown field '", shown(name), "'");
      }
    }
    return true;
  }

  bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception& error) override {
    const bool encoding = std::strstr(error.what(), "UTF-8") != nullptr;
    fail<FileError>("the header is not valid ", encoding ? "UTF-8" : "JSON", " at its byte ", position);
  }

 private:
  enum class Place : std::uint8_t { start, header, metadata, tensor };

  std::string tensor_name() const { return shown(header.tensors.back().name); }

  void insert(std::set<std::string>& names, std::string_view where) const {
    if (!names.insert(key_).second) fail<FileError>("the name '", shown(key_), "' occurs twice in ", where);
  }

  bool refuse(std::string_view found) const {
    if (place_ == Place::metadata) fail<FileError>("metadata '", shown(key_), "' is ", found, ", expected a string");
    if (place_ == Place::header) fail<FileError>("entry '", shown(key_), "' is ", found, ", expected an object");
    fail<FileError>("tensor '", tensor_name(), "' has ", found, " in its field '", shown(key_),
                    "', where it cannot be");
  }

  void check_complete() const {
    for (const char* field : {"dtype", "shape", "data_offsets"}) {
      if (!fields_.contains(field)) fail<FileError>("tensor '", tensor_name(), "' has no field '", field, "'");
    }
    if (offsets_ != 2) {
      fail<FileError>("tensor '", tensor_name(), "' has ", offsets_, " data_offsets, expected 2");
    }
  }

  Place place_ = Place::start;
  bool in_array_ = false;
  std::string key_;          // the name read last
  std::size_t offsets_ = 0;  // how many data_offsets the present tensor has
  std::set<std::string> names_, metadata_names_, fields_;
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
