#include "tensor/message.hpp"

#include <gradus/core/value.hpp>

#include <set>
#include <variant>

namespace gradus {
namespace {

using Kind = Value::Kind;

[[noreturn]] void throw_kind(std::string_view expected, const Value& found) {
  const std::string type = detail::shown(found.type_name());
  const bool object = found.kind() == Kind::object;
  detail::fail<TypeError>("expected ", expected, ", got ", object ? "the Python object '" + type + "'" : type);
}

bool is_key(Kind kind) { return kind == Kind::string || kind == Kind::integer; }

bool same_key(const Value& a, const Value& b) {
  if (a.kind() != b.kind()) return false;
  return a.kind() == Kind::string ? a.as_string() == b.as_string() : a.as_int() == b.as_int();
}

std::string key_text(const Value& key) {
  return key.kind() == Kind::string ? key.as_string() : std::to_string(key.as_int());
}

void collect(const Value& value, const std::string& path, StateDict& found) {
  const auto below = [&](const std::string& name) { return path.empty() ? name : detail::message(path, ".", name); };
  switch (value.kind()) {
    case Kind::tensor: {
      std::string name = path;
      while (found.contains(name)) name += '_';  // {"a.b": x, "a": {"b": y}} has two paths a.b
      found[name] = value.as_tensor();
      break;
    }
    case Kind::list:
    case Kind::tuple:
      for (std::size_t i = 0; i < value.size(); ++i) collect(value.as_list()[i], below(std::to_string(i)), found);
      break;
    case Kind::dict:
      for (const auto& [key, item] : value.as_dict()) collect(item, below(key_text(key)), found);
      break;
    case Kind::object: collect(value.content(), path, found); break;
    default: break;
  }
}

}  // namespace

// The alternatives are in the order of Kind, from `truth` on.
struct Value::Content {
  struct Tuple {
    List elements;
  };
  struct Object {
    std::string type;
    Value content;
  };
  std::variant<bool, std::int64_t, double, std::string, Tensor, List, Tuple, Dict, Object> held;

  /// What a value holds if it is a T, else null.
  template <class T>
  static const T* of(const Value& value) {
    return value.content_ ? std::get_if<T>(&value.content_->held) : nullptr;
  }
  template <class T>
  static Value make(T content) {
    Value value;
    value.content_ = std::make_unique<Content>(Content{std::move(content)});
    return value;
  }
};

Value::Value() = default;
Value::Value(const Value& other) : content_(other.content_ ? std::make_unique<Content>(*other.content_) : nullptr) {}
Value::Value(Value&&) noexcept = default;
Value& Value::operator=(const Value& other) { return *this = Value(other); }
Value& Value::operator=(Value&&) noexcept = default;
Value::~Value() = default;

Value::Value(std::string text) : Value(Content::make(std::move(text))) {}
Value::Value(Tensor tensor) : Value(Content::make(std::move(tensor))) {}
Value::Value(Scalar number, Dtype kind)
    : Value(kind == boolean ? Content::make(number.to<bool>())
            : kind == int64 ? Content::make(number.to<std::int64_t>())
                            : Content::make(number.to<double>())) {}

Value::Value(const StateDict& state) {
  Dict items;
  for (const auto& [name, tensor] : state) items.emplace_back(name, tensor);
  *this = Content::make(std::move(items));
}

Value Value::list(List elements) { return Content::make(std::move(elements)); }
Value Value::tuple(List elements) { return Content::make(Content::Tuple{std::move(elements)}); }

Value Value::dict(Dict items) {
  std::set<std::pair<Kind, std::string>> keys;
  for (const auto& [key, value] : items) {
    if (!is_key(key.kind())) throw_kind("str or int as a key", key);
    if (!keys.emplace(key.kind(), key_text(key)).second) {
      detail::fail<KeyError>("two values have the key '", key_text(key), "'");
    }
  }
  return Content::make(std::move(items));
}

Value Value::object(std::string type) { return object(std::move(type), Value()); }

Value Value::object(std::string type, Value content) {
  return Content::make(Content::Object{std::move(type), std::move(content)});
}

Kind Value::kind() const { return content_ ? static_cast<Kind>(content_->held.index() + 1) : Kind::none; }

std::string_view Value::type_name() const {
  const auto* object = Content::of<Content::Object>(*this);
  return object ? object->type : to_string(kind());
}

const Value& Value::content() const {
  const auto* object = Content::of<Content::Object>(*this);
  return object ? object->content : *this;
}

template <class T>
const T& Value::get() const {
  constexpr std::string_view expected = std::same_as<T, bool>           ? "bool"
                                        : std::same_as<T, std::int64_t> ? "int"
                                        : std::same_as<T, std::string>  ? "str"
                                        : std::same_as<T, Tensor>       ? "Tensor"
                                                                        : "dict";
  if (const T* found = Content::of<T>(content())) return *found;
  throw_kind(expected, *this);
}

bool Value::as_bool() const { return get<bool>(); }
std::int64_t Value::as_int() const { return get<std::int64_t>(); }
const std::string& Value::as_string() const { return get<std::string>(); }
const Tensor& Value::as_tensor() const { return get<Tensor>(); }
const Value::Dict& Value::as_dict() const { return get<Dict>(); }

double Value::as_double() const {
  if (const double* real = Content::of<double>(*this)) return *real;
  if (kind() == Kind::integer) return static_cast<double>(as_int());
  throw_kind("float", *this);
}

const Value::List& Value::as_list() const {
  if (const auto* elements = Content::of<List>(content())) return *elements;
  if (const auto* tuple = Content::of<Content::Tuple>(content())) return tuple->elements;
  throw_kind("list", *this);
}

Value::List& Value::as_list() { return const_cast<List&>(std::as_const(*this).as_list()); }

StateDict Value::as_state_dict() const {
  StateDict result;
  for (const auto& [key, value] : as_dict()) result[key.as_string()] = value.as_tensor();
  return result;
}

std::size_t Value::size() const { return content().kind() == Kind::dict ? as_dict().size() : as_list().size(); }

const Value* Value::find(const Value& key) const {
  if (!is_key(key.kind())) throw_kind("str or int as a key", key);
  for (const auto& [other, value] : as_dict()) {
    if (same_key(key, other)) return &value;
  }
  return nullptr;
}

bool Value::contains(const Value& key) const { return find(key) != nullptr; }

const Value& Value::at(const Value& key) const {
  if (const Value* found = find(key)) return *found;
  const auto keys = detail::listed(as_dict(), [](const Item& item) { return key_text(item.first); });
  detail::fail<KeyError>("no key '", detail::shown(key_text(key)), "'\nThere are: ", keys);
}

Value& Value::operator[](const Value& key) {
  if (is_none()) *this = dict();
  if (const Value* found = find(key)) return const_cast<Value&>(*found);
  return const_cast<Dict&>(as_dict()).emplace_back(key, Value()).second;
}

StateDict Value::tensors() const {
  StateDict found;
  collect(*this, "", found);
  return found;
}

std::string_view to_string(Kind kind) {
  constexpr std::string_view names[] = {"None",   "bool", "int",   "float", "str",
                                        "Tensor", "list", "tuple", "dict",  "object"};
  return names[static_cast<int>(kind)];
}

}  // namespace gradus
