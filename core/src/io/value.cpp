#include "tensor/message.hpp"

#include <gradus/core/value.hpp>

#include <set>

namespace gradus {
namespace {

using Kind = Value::Kind;

[[noreturn]] void throw_kind(std::string_view expected, const Value& found) {
  const std::string type = detail::shown(found.type_name());
  const bool object = found.kind() == Kind::object;
  throw TypeError(detail::message("expected ", expected, ", got ", object ? "the Python object '" + type + "'" : type));
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
    case Kind::object:
      collect(value.content(), path, found);
      break;
    default:
      break;
  }
}

}  // namespace

Value::Value(const Value&) = default;
Value::Value(Value&&) noexcept = default;
Value& Value::operator=(const Value&) = default;
Value& Value::operator=(Value&&) noexcept = default;
Value::~Value() = default;

Value::Value(const StateDict& state) {
  Dict items;
  for (const auto& [name, tensor] : state) items.emplace_back(name, tensor);
  content_ = std::move(items);
}

Value Value::list(List elements) {
  Value result;
  result.content_ = std::move(elements);
  return result;
}

Value Value::tuple(List elements) {
  Value result;
  result.content_ = Tuple{std::move(elements)};
  return result;
}

Value Value::dict(Dict items) {
  std::set<std::pair<Kind, std::string>> keys;
  for (const auto& [key, value] : items) {
    if (!is_key(key.kind())) throw_kind("str or int as a key", key);
    if (!keys.emplace(key.kind(), key_text(key)).second) {
      throw KeyError(detail::message("two values have the key '", key_text(key), "'"));
    }
  }
  Value result;
  result.content_ = std::move(items);
  return result;
}

Value Value::object(std::string type) { return object(std::move(type), Value()); }

Value Value::object(std::string type, Value content) {
  Value result;
  Object& object = result.content_.emplace<Object>();
  object.type = std::move(type);
  object.content.push_back(std::move(content));
  return result;
}

Kind Value::kind() const { return static_cast<Kind>(content_.index()); }

std::string_view Value::type_name() const {
  const Object* object = std::get_if<Object>(&content_);
  return object ? object->type : to_string(kind());
}

const Value& Value::content() const {
  const Object* object = std::get_if<Object>(&content_);
  return object ? object->content[0] : *this;
}

template <class T>
const T& Value::get() const {
  constexpr std::string_view expected = std::same_as<T, bool>           ? "bool"
                                        : std::same_as<T, std::int64_t> ? "int"
                                        : std::same_as<T, std::string>  ? "str"
                                        : std::same_as<T, Tensor>       ? "Tensor"
                                                                        : "dict";
  if (const T* found = std::get_if<T>(&content().content_)) return *found;
  throw_kind(expected, *this);
}

bool Value::as_bool() const { return get<bool>(); }
std::int64_t Value::as_int() const { return get<std::int64_t>(); }
const std::string& Value::as_string() const { return get<std::string>(); }
const Tensor& Value::as_tensor() const { return get<Tensor>(); }
const Value::Dict& Value::as_dict() const { return get<Dict>(); }

double Value::as_double() const {
  if (const double* real = std::get_if<double>(&content_)) return *real;
  if (kind() == Kind::integer) return static_cast<double>(as_int());
  throw_kind("float", *this);
}

const Value::List& Value::as_list() const {
  if (const List* elements = std::get_if<List>(&content().content_)) return *elements;
  if (const Tuple* tuple = std::get_if<Tuple>(&content().content_)) return tuple->elements;
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
  throw KeyError(detail::message("no key '", detail::shown(key_text(key)), "'\nThere are: ", keys));
}

Value& Value::operator[](const Value& key) {
  if (is_none()) content_ = Dict{};
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
