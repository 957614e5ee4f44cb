#include "flat_state.hpp"

#include "tensor/message.hpp"

#include <algorithm>
#include <charconv>

namespace gradus::optim {

using gradus::detail::message;
using Kind = Value::Kind;

namespace {

bool all_are(const Value::List& list, Kind kind) {
  return std::ranges::all_of(list, [kind](const Value& element) { return element.kind() == kind; });
}

void add(StateDict& to, const std::string& path, const Value& value) {
  const auto below = [&](const auto& key) { return path.empty() ? message(key) : message(path, ".", key); };
  switch (value.kind()) {
    case Kind::truth:
      to[path] = full({}, value.as_bool());
      break;
    case Kind::integer:
      to[path] = full({}, value.as_int());
      break;
    case Kind::real:
      to[path] = full({}, value.as_double(), float64);
      break;
    case Kind::tensor:
      to[path] = value.as_tensor();
      break;
    case Kind::list:
    case Kind::tuple: {
      const Value::List& list = value.as_list();
      if (all_are(list, Kind::integer)) {
        Tensor& elements = to[path] = empty(static_cast<std::int64_t>(list.size()), int64);
        std::ranges::transform(list, elements.data<std::int64_t>().begin(), &Value::as_int);
      } else if (all_are(list, Kind::real)) {
        Tensor& elements = to[path] = empty(static_cast<std::int64_t>(list.size()), float64);
        std::ranges::transform(list, elements.data<double>().begin(), &Value::as_double);
      } else {
        for (std::size_t i = 0; i < list.size(); ++i) add(to, below(i), list[i]);
      }
      break;
    }
    case Kind::dict:
      for (const auto& [key, item] : value.as_dict()) {
        add(to, key.kind() == Kind::integer ? below(key.as_int()) : below(key.as_string()), item);
      }
      break;
    case Kind::none:
    case Kind::string:
      break;
  }
}

/// A number when the text is nothing else.
Value key_of(std::string_view text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() ? Value(number) : Value(std::string(text));
}

}  // namespace

StateDict flatten(const Value& dict) {
  StateDict state;
  add(state, "", dict);
  return state;
}

Value unflatten(const StateDict& state) {
  Value result = Value::dict();
  for (const auto& [name, tensor] : state) {
    Value* at = &result;
    std::string_view rest = name;
    int depth = 0;
    for (auto dot = rest.find('.'); dot != std::string_view::npos && ++depth < max_path_length; dot = rest.find('.')) {
      at = &(*at)[key_of(rest.substr(0, dot))];
      rest.remove_prefix(dot + 1);
    }
    (*at)[key_of(rest)] = tensor;
  }
  return result;
}

}  // namespace gradus::optim
