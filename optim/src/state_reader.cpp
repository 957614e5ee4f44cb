#include "state_reader.hpp"

#include "flat_state.hpp"
#include "tensor/message.hpp"

#include <algorithm>
#include <cmath>

namespace gradus::optim {

using gradus::detail::message;
using Kind = Value::Kind;

namespace {

bool is_dict(const Value& value) { return value.kind() == Kind::dict; }

std::string describe(const Value& value) {
  if (value.kind() != Kind::tensor) return std::string(to_string(value.kind()));
  return message(value.as_tensor().dtype(), " tensor of shape ", gradus::detail::torch_size(value.as_tensor().shape()));
}

void append_name(std::string& names, const std::string& name) {
  names += message(names.empty() ? "" : ", ", "\"", name, "\"");
}

/// Whether `name` is a path in the set or lies below one.
bool lies_below(const std::set<std::string>& paths, const std::string& name) {
  std::size_t end = 0;
  for (int length = 1; length <= max_path_length && end != std::string::npos; ++length) {
    end = name.find('.', length == 1 ? 0 : end + 1);
    if (paths.contains(name.substr(0, end))) return true;
  }
  return false;
}

}  // namespace

std::optional<double> as_number(const Value& value) {
  switch (value.kind()) {
    case Kind::integer:
    case Kind::real:
      return value.as_double();
    case Kind::tensor:
      if (value.as_tensor().numel() == 1 && value.as_tensor().dtype() != boolean) return value.as_tensor().item();
      return {};
    default:
      return {};
  }
}

std::optional<std::int64_t> as_integer(const Value& value) {
  if (value.kind() == Kind::integer) return value.as_int();
  if (value.kind() == Kind::tensor && value.as_tensor().dtype() == int64 && value.as_tensor().numel() == 1) {
    return value.as_tensor().item<std::int64_t>();
  }
  const auto number = as_number(value);
  if (!number || !(std::abs(*number) < 0x1p62) || *number != std::floor(*number)) return {};
  return static_cast<std::int64_t>(*number);
}

const Value* element(const Value& list, std::int64_t position) {
  if (is_dict(list)) return list.contains(position) ? &list.at(position) : nullptr;
  const bool is_list = list.kind() == Kind::list || list.kind() == Kind::tuple;
  return is_list && position < static_cast<std::int64_t>(list.size()) ? &list.as_list()[position] : nullptr;
}

const Value* StateReader::take(const Value& dict, const Value& key, const std::string& path, bool needed) {
  const Value* value = is_dict(dict) && dict.contains(key) ? &dict.at(key) : nullptr;
  if (value) taken_.insert(path);
  if (value && !value->is_none()) return value;
  if (needed) append_name(missing_, path);
  return nullptr;
}

void StateReader::error(const std::string& path, const std::string& expected, const Value& got) {
  error(message("mismatch for ", path, ": expected ", expected, ", got ", describe(got), "."));
}

void StateReader::finish(const std::string& reader, const StateDict& names) const {
  std::string unexpected;
  for (const auto& [name, tensor] : names) {
    if (!lies_below(taken_, name)) append_name(unexpected, name);
  }
  if (missing_.empty() && unexpected.empty() && errors_.empty()) return;
  std::string text = "Error(s) in loading state_dict for " + reader + ":";
  if (!missing_.empty()) text += "\n\tMissing key(s) in state_dict: " + missing_ + ". ";
  if (!unexpected.empty()) text += "\n\tUnexpected key(s) in state_dict: " + unexpected + ". ";
  text += errors_;
  if (!missing_.empty() || !unexpected.empty()) text += "\nThe state may be that of another class than " + reader + ".";
  throw RuntimeError(text);
}

const Value* FieldReader::take(std::string_view name, bool needed) {
  return reader_.take(dict_, std::string(name), path_ + std::string(name), needed);
}

void FieldReader::field(std::string_view name, bool& value) {
  const Value* saved = take(name, reader_.strict());
  if (!saved) {
    value = false;  // an option that came with a later version
  } else if (saved->kind() == Kind::truth) {
    value = saved->as_bool();
  } else if (saved->kind() == Kind::tensor && saved->as_tensor().dtype() == boolean &&
             saved->as_tensor().numel() == 1) {
    value = saved->as_tensor().item<bool>();
  } else {
    reader_.error(path_ + std::string(name), "true or false", *saved);
  }
}

void FieldReader::field(std::string_view name, std::int64_t& value) {
  const Value* saved = take(name);
  if (!saved) return;
  const auto number = as_integer(*saved);
  if (!number) return reader_.error(path_ + std::string(name), "an integer", *saved);
  value = *number;
}

void FieldReader::field(std::string_view name, double& value) {
  const Value* saved = take(name);
  if (!saved) return;
  const auto number = as_number(*saved);
  if (!number) return reader_.error(path_ + std::string(name), "a number", *saved);
  value = *number;
}

void FieldReader::field(std::string_view name, std::array<double, 2>& values) { read_numbers(name, values); }
void FieldReader::field(std::string_view name, std::vector<double>& values) { read_numbers(name, values); }

void FieldReader::read_numbers(std::string_view name, std::span<double> values) {
  const Value* saved = take(name);
  if (!saved) return;
  if (saved->kind() == Kind::tensor) {
    const Tensor& tensor = saved->as_tensor();
    if (tensor.dtype() == float64 && tensor.numel() == static_cast<std::int64_t>(values.size())) {
      std::ranges::copy(tensor.data<double>(), values.begin());
      return;
    }
  } else if (saved->kind() == Kind::list || saved->kind() == Kind::tuple) {
    const auto& list = saved->as_list();
    if (list.size() == values.size() &&
        std::ranges::all_of(list, [](const Value& v) { return as_number(v).has_value(); })) {
      std::ranges::transform(list, values.begin(), [](const Value& v) { return *as_number(v); });
      return;
    }
  }
  reader_.error(path_ + std::string(name), message(values.size(), " numbers"), *saved);
}

void FieldReader::field(std::string_view name, std::vector<std::int64_t>& values) {
  const Value* saved = take(name);
  if (!saved) return;
  constexpr std::int64_t most = 1 << 20;
  std::vector<std::int64_t> read;
  bool good = is_dict(*saved);
  if (good) {
    for (const auto& [value, times] : saved->as_dict()) {
      const auto count = as_integer(times);
      good = good && value.kind() == Kind::integer && count && 0 <= *count && *count <= most;
      if (good) read.insert(read.end(), static_cast<std::size_t>(*count), value.as_int());
    }
  }
  if (!good) return reader_.error(path_ + std::string(name), "a dict of integers", *saved);
  values = std::move(read);
}

void FieldReader::field(std::string_view name, Unused value) { take(name, reader_.strict() && value == Unused::False); }

}  // namespace gradus::optim
