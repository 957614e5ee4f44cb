#include "state_reader.hpp"

#include "tensor/message.hpp"

#include <algorithm>
#include <cmath>
#include <optional>

namespace gradus::optim {

using gradus::detail::message;
using gradus::detail::torch_size;
using Kind = Value::Kind;

namespace {

std::string describe(const Value& value) {
  if (value.kind() != Kind::tensor) return std::string(to_string(value.kind()));
  return message(value.as_tensor().dtype(), " tensor of shape ", torch_size(value.as_tensor().shape()));
}

void append_name(std::string& names, const std::string& name) {
  names += message(names.empty() ? "" : ", ", "\"", name, "\"");
}

/// Numbers may be 0-d tensors, as PyTorch has them where an option may be one.
std::optional<double> as_number(const Value& value) {
  if (value.kind() == Kind::integer || value.kind() == Kind::real) return value.as_double();
  if (value.kind() != Kind::tensor || value.as_tensor().numel() != 1 || value.as_tensor().dtype() == boolean) return {};
  return value.as_tensor().item();
}

std::optional<std::int64_t> as_integer(const Value& value) {
  if (value.kind() == Kind::integer) return value.as_int();
  const auto number = as_number(value);
  if (!number || !(std::abs(*number) < 0x1p62) || *number != std::floor(*number)) return {};
  return static_cast<std::int64_t>(*number);
}

template <class T, class As>
std::optional<std::vector<T>> as_numbers(const Value& value, As as) {
  if (!is_list(value)) return {};
  std::vector<T> numbers;
  for (const Value& element : value.as_list()) {
    const auto number = as(element);
    if (!number) return {};
    numbers.push_back(*number);
  }
  return numbers;
}

std::optional<std::vector<std::int64_t>> from_counts(const Value& value) {
  if (value.kind() != Kind::dict) return {};
  constexpr std::int64_t most = 1 << 20;
  std::vector<std::int64_t> numbers;
  for (const auto& [number, times] : value.as_dict()) {
    const auto count = as_integer(times);
    if (number.kind() != Kind::integer || !count || *count < 0 || *count > most) return {};
    numbers.insert(numbers.end(), static_cast<std::size_t>(*count), number.as_int());
  }
  return numbers;
}

/// One field on its way in: what was saved for it, and where to report.
struct Saved {
  StateReader& reader;
  const FieldList::Field& field;
  const Value& value;
  std::string path;
  const Tensor& parameter;

  template <class T>
  void give(T* member, std::optional<T> read, const char* expected) const {
    if (!read) return reader.error(path, expected, value);
    reader.set(*member, std::move(*read));
  }

  void operator()(bool* member) const {
    const bool is_tensor = value.kind() == Kind::tensor && value.as_tensor().numel() == 1;
    std::optional<bool> read;
    if (value.kind() == Kind::truth) read = value.as_bool();
    if (is_tensor && value.as_tensor().dtype() == boolean) read = value.as_tensor().item<bool>();
    give(member, read, "true or false");
  }
  void operator()(std::int64_t* member) const {
    std::optional<std::int64_t> read = as_integer(value);
    if (field.form == Form::tensor && read && *read < 0) read.reset();
    give(member, read, field.form == Form::tensor ? "a number of steps" : "an integer");
  }
  void operator()(double* member) const { give(member, as_number(value), "a number"); }
  void operator()(std::string* member) const {
    give(member, value.kind() == Kind::string ? std::optional(value.as_string()) : std::nullopt, "a text");
  }
  void operator()(std::array<double, 2>* member) const {
    const auto numbers = as_numbers<double>(value, as_number);
    const bool good = numbers && numbers->size() == 2;
    give(member, good ? std::optional(std::array{(*numbers)[0], (*numbers)[1]}) : std::nullopt, "2 numbers");
  }
  void operator()(std::vector<double>* member) const {
    give(member, as_numbers<double>(value, as_number), "a list of numbers");
  }
  void operator()(std::vector<std::int64_t>* member) const {
    if (field.form == Form::counts) return give(member, from_counts(value), "a dict of integers");
    give(member, as_numbers<std::int64_t>(value, as_integer), "a list of integers");
  }
  void operator()(Tensor* member) const {
    const bool free = field.form == Form::any_shape || !parameter.defined();
    if (value.kind() != Kind::tensor || !(free || is_floating(value.as_tensor().dtype()))) {
      return reader.error(path, free ? "a tensor" : "a floating tensor", value);
    }
    const Tensor saved = value.as_tensor().detach();
    if (free) return reader.set(*member, saved.clone());
    if (saved.shape() != parameter.shape()) {
      return reader.error(message("size mismatch for ", path, ": copying a param with shape ",
                                  torch_size(saved.shape()), " from checkpoint, the shape in current model is ",
                                  torch_size(parameter.shape()), "."));
    }
    reader.set(*member, saved.to(parameter.dtype()).clone());
  }
  void operator()(const Value&) const {}
};

/// What a member is when a state does not name it; false when the state must.
bool set_default(StateReader& reader, const FieldList::Field& field) {
  if (field.form == Form::optional) {
    if (Tensor* const* tensor = std::get_if<Tensor*>(&field.member)) reader.set(**tensor, Tensor());
    return true;
  }
  if (bool* const* flag = std::get_if<bool*>(&field.member)) {
    reader.set(**flag, false);  // an option that came with a later version
    return true;
  }
  return std::holds_alternative<Value>(field.member);
}

}  // namespace

void StateReader::read(const FieldList& fields, const Value& dict, const std::string& path, const Tensor& parameter) {
  for (const FieldList::Field& field : fields.fields()) {
    const std::string name = path + field.name;
    const Value* value = take(dict, field.name.c_str(), name, false);
    if (value) {
      std::visit(Saved{*this, field, *value, name, parameter}, field.member);
    } else if (!set_default(*this, field)) {
      append_name(missing_, name);
    }
  }
}

const Value* StateReader::take(const Value& dict, const char* key, const std::string& path, bool needed) {
  const Value* value = dict.kind() == Kind::dict && dict.contains(key) ? &dict.at(key) : nullptr;
  if (value) taken_.insert(path);
  if (value && !value->is_none()) return value;
  if (needed) append_name(missing_, path);
  return nullptr;
}

void StateReader::error(const std::string& path, const std::string& expected, const Value& got) {
  error(message("mismatch for ", path, ": expected ", expected, ", got ", describe(got), "."));
}

void StateReader::unexpected(const std::string& path) { append_name(unexpected_, path); }

void StateReader::finish(const std::string& reader) const {
  if (missing_.empty() && unexpected_.empty() && errors_.empty()) return;
  std::string text = "Error(s) in loading state_dict for " + reader + ":";
  if (!missing_.empty()) text += "\n\tMissing key(s) in state_dict: " + missing_ + ". ";
  if (!unexpected_.empty()) text += "\n\tUnexpected key(s) in state_dict: " + unexpected_ + ". ";
  text += errors_;
  if (!missing_.empty() || !unexpected_.empty())
    text += "\nThe state may be that of another class than " + reader + ".";
  throw RuntimeError(text);
}

void refuse_flat(const std::string& reader, const Value& state) {
  if (state.kind() != Kind::dict) return;
  const bool flat = std::ranges::any_of(state.as_dict(), [](const Value::Item& item) {
    if (item.first.kind() != Kind::string) return false;
    const std::string& key = item.first.as_string();
    return key.starts_with("param_groups.") || (key == "base_lrs" && item.second.kind() == Kind::tensor);
  });
  if (!flat) return;
  throw RuntimeError(message(
      reader, ".load_state_dict: expected the nested dict that state_dict() makes, got a flat one, as gradus saved ",
      "before state_dict() was nested\nTo convert it, load it with the version of gradus that wrote it, and save ",
      "it there with save_checkpoint, or with save_value(x.to_pytorch(), path)."));
}

}  // namespace gradus::optim
