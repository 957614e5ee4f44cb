#include "io/value_json.hpp"

#include "io/budget.hpp"
#include "tensor/message.hpp"

#include <nlohmann/json.hpp>

#include <cmath>

// None, bool, int, finite float, str and list are JSON's own. The rest is an object with one key that tells what it is:
//   {"float": "nan"}   {"tensor": "model.0.weight"}   {"tuple": [...]}   {"dict": [[key, value], ...]}
namespace gradus::detail {
namespace {

using Json = nlohmann::json;

class Encoder {
 public:
  explicit Encoder(const StateDict& tensors) : tensors_(tensors) {}

  Json encode(const Value& value, int depth = 0) {
    check_writable(value, depth);
    switch (value.kind()) {
      case Value::Kind::none: break;
      case Value::Kind::truth: return value.as_bool();
      case Value::Kind::integer: return value.as_int();
      case Value::Kind::real:
        if (const double real = value.as_double(); !std::isfinite(real)) {
          return {{"float", std::isnan(real) ? "nan" : real > 0 ? "inf" : "-inf"}};
        }
        return value.as_double();
      case Value::Kind::string: return value.as_string();
      case Value::Kind::tensor: return {{"tensor", tensors_.entry(next_++).first}};
      case Value::Kind::list: return encode_all(value.as_list(), depth);
      case Value::Kind::tuple: return {{"tuple", encode_all(value.as_list(), depth)}};
      case Value::Kind::dict: {
        Json items = Json::array();
        for (const auto& [key, item] : value.as_dict()) {
          items.push_back(Json::array({encode(key, depth + 1), encode(item, depth + 1)}));
        }
        return {{"dict", std::move(items)}};
      }
      case Value::Kind::object: break;
    }
    return nullptr;
  }

 private:
  Json encode_all(const Value::List& elements, int depth) {
    Json all = Json::array();
    for (const Value& element : elements) all.push_back(encode(element, depth + 1));
    return all;
  }

  const StateDict& tensors_;
  std::size_t next_ = 0;  // encode() meets the tensors in the order of Value::tensors()
};

double decode_real(const std::string& name) {
  if (name == "nan") return NAN;
  if (name == "inf") return INFINITY;
  if (name == "-inf") return -INFINITY;
  throw FileError("its metadata has an unknown number '" + shown(name) + "'");
}

Value decode(const Json& json, const StateDict& tensors);

Value::List decode_all(const Json& json, const StateDict& tensors) {
  Value::List elements;
  for (const Json& element : json) elements.push_back(decode(element, tensors));
  return elements;
}

Value decode_object(const std::string& type, const Json& content, const StateDict& tensors) {
  if (type == "float") return decode_real(content.get<std::string>());
  if (type == "tensor") return tensors.at(content.get<std::string>());
  if (type == "tuple") return Value::tuple(decode_all(content, tensors));
  if (type != "dict") throw FileError("its metadata has an unknown type '" + shown(type) + "'");
  Value::Dict items;
  for (const Json& item : content) items.emplace_back(decode(item.at(0), tensors), decode(item.at(1), tensors));
  return Value::dict(std::move(items));
}

Value decode(const Json& json, const StateDict& tensors) {
  switch (json.type()) {
    case Json::value_t::null: return Value();
    case Json::value_t::boolean: return json.get<bool>();
    case Json::value_t::number_integer:
    case Json::value_t::number_unsigned: return json.get<std::int64_t>();
    case Json::value_t::number_float: return json.get<double>();
    case Json::value_t::string: return json.get<std::string>();
    case Json::value_t::array: return Value::list(decode_all(json, tensors));
    default: break;
  }
  throw_if<FileError>(json.size() != 1, "its metadata does not describe a value");
  return decode_object(json.begin().key(), json.begin().value(), tensors);
}

}  // namespace

void check_writable(const Value& value, int depth) {
  throw_if<ValueError>(depth > max_value_depth, "save: values are nested more than ", max_value_depth, " deep");
  if (value.kind() == Value::Kind::object) {
    fail<ValueError>("save: there is a Python object '", shown(value.type_name()),
                     "', which gradus can read, but not write\nReplace it by what it holds: content().");
  }
}

void check_utf8(const std::string& text) { (void)json_quoted(text); }

std::string json_quoted(const std::string& text) {
  try {
    return nlohmann::json(text).dump();
  } catch (const nlohmann::json::type_error&) {
    throw ValueError("save: one of the names or strings is not UTF-8");
  }
}

std::string value_to_json(const Value& value, const StateDict& tensors) {
  try {
    return Encoder(tensors).encode(value).dump();
  } catch (const Json::type_error&) {
    throw ValueError("save: one of the names or strings is not UTF-8");
  }
}

Value value_from_json(const std::string& json, const StateDict& tensors) {
  constexpr int json_depth = 3 * max_value_depth;  // a dict is an object of an array of arrays
  const auto check_depth = [](int depth, Json::parse_event_t, Json&) {
    throw_if<FileError>(depth > json_depth, "its metadata is nested too deep");
    return true;
  };
  try {
    return decode(Json::parse(json, check_depth), tensors);
  } catch (const Json::exception&) {
    throw FileError("its metadata does not describe a value");
  }
}

}  // namespace gradus::detail
