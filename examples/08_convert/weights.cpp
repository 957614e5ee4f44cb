#include "convert.hpp"

#include <algorithm>
#include <set>

using namespace gradus;
using Kind = Value::Kind;

namespace {

/// The first parts of the names, to choose one with --prefix: "model, optimizer".
std::string beginnings(const StateDict& tensors) {
  std::set<std::string> seen;
  std::string text;
  for (const auto& [name, tensor] : tensors) {
    const std::string first = name.substr(0, name.find('.'));
    if (seen.insert(first).second) text += (text.empty() ? "" : ", ") + first;
  }
  return text;
}

StateDict only_state_dict_in(const Value& checkpoint) {
  std::string keys;
  std::vector<const Value*> found;
  if (checkpoint.kind() == Kind::dict) {
    for (const auto& [key, value] : checkpoint.as_dict()) {
      if (key.kind() != Kind::string || !is_state_dict(value)) continue;
      keys += (found.empty() ? "" : ", ") + key.as_string();
      found.push_back(&value);
    }
  }
  if (found.size() > 1) throw ValueError("there are weights under several names; choose with --prefix: " + keys);
  if (found.size() == 1) return found[0]->as_state_dict();
  const std::string names = beginnings(checkpoint.tensors());
  throw ValueError(names.empty() ? "there are no tensors in it"
                                 : "no dict in it holds weights alone; choose with --prefix: " + names);
}

}  // namespace

bool is_state_dict(const Value& value) {
  return value.kind() == Kind::dict && value.size() > 0 && std::ranges::all_of(value.as_dict(), [](const auto& item) {
           return item.first.kind() == Kind::string && item.second.kind() == Kind::tensor;
         });
}

StateDict weights_of(const Value& file) {
  StateDict weights = is_state_dict(file) ? file.as_state_dict() : only_state_dict_in(file);
  const auto begins_with = [](std::string_view prefix) {
    return [prefix](const StateDict::Entry& entry) { return entry.first.starts_with(prefix); };
  };
  for (const char* wrapper : {"model.", "module.", "_orig_mod."}) {
    if (std::ranges::all_of(weights, begins_with(wrapper))) weights = weights.part(wrapper);
  }
  // A checkpoint that has been through .npz is flat.
  if (std::ranges::any_of(weights, begins_with("optimizer"))) {
    throw ValueError("it is a checkpoint without its structure; choose with --prefix: " + beginnings(weights));
  }
  return weights;
}

StateDict tensors_below(const Value& file, std::string name) {
  if (!name.ends_with('.')) name += '.';
  const StateDict all = file.tensors();
  StateDict below = all.part(name);
  if (below.empty()) throw ValueError("--prefix: no name begins with '" + name + "'; there are: " + beginnings(all));
  return below;
}

Value plain_value(const Value& value, const std::string& name, std::vector<std::string>& left_out) {
  const auto plain = [&](const std::string& key, const Value& item) -> std::optional<Value> {
    const bool is_lost = item.kind() == Kind::object && (item.content().is_none() || item.type_name() == "bytes");
    if (!is_lost) return plain_value(item, below(name, key), left_out);
    left_out.push_back("'" + below(name, key) + "', a " + std::string(item.type_name()));
    return std::nullopt;
  };
  const Value& content = value.content();
  if (content.kind() == Kind::dict) {
    Value::Dict items;
    for (const auto& [key, item] : content.as_dict()) {
      const std::string text = key.kind() == Kind::integer ? std::to_string(key.as_int()) : key.as_string();
      if (auto kept = plain(text, item)) items.emplace_back(key, std::move(*kept));
    }
    return Value::dict(std::move(items));
  }
  if (!is_list(content)) return content;
  Value::List elements;
  for (std::size_t i = 0; i < content.size(); ++i) {
    elements.push_back(plain(std::to_string(i), content.as_list()[i]).value_or(Value()));
  }
  return content.kind() == Kind::list ? Value::list(std::move(elements)) : Value::tuple(std::move(elements));
}
