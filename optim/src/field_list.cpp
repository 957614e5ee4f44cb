#include "field_list.hpp"

#include "message.hpp"

#include <algorithm>

namespace gradus::optim {

using gradus::detail::message;
using gradus::detail::torch_size;

void FieldWriter::field(std::string_view name, double& value) { to_[prefix_ + std::string(name)] = full({}, value, float64); }
void FieldWriter::field(std::string_view name, bool& value) { to_[prefix_ + std::string(name)] = full({}, value); }
void FieldWriter::field(std::string_view name, std::int64_t& value) { to_[prefix_ + std::string(name)] = full({}, value); }
void FieldWriter::field(std::string_view name, std::span<double> values) {
  to_[prefix_ + std::string(name)] = from_span(std::span<const double>(values), static_cast<std::int64_t>(values.size()));
}
void FieldWriter::field(std::string_view name, std::vector<std::int64_t>& values) {
  to_[prefix_ + std::string(name)] = from_span(values, static_cast<std::int64_t>(values.size()));
}
void FieldWriter::field(std::string_view name, Unused value) {
  if (value == Unused::False) to_[prefix_ + std::string(name)] = full({}, false);
}

const Tensor* StateReader::take_if_there(const std::string& name) {
  if (!from_.contains(name)) return nullptr;
  taken_.insert(name);
  return &from_.at(name);
}

const Tensor* StateReader::take(const std::string& name) {
  const Tensor* tensor = take_if_there(name);
  if (!tensor) missing_ += message(missing_.empty() ? "" : ", ", "\"", name, "\"");
  return tensor;
}

void StateReader::finish(const std::string& reader) const {
  std::string unexpected;
  for (const auto& [name, tensor] : from_) {
    if (!taken(name)) unexpected += message(unexpected.empty() ? "" : ", ", "\"", name, "\"");
  }
  if (missing_.empty() && unexpected.empty() && errors_.empty()) return;
  std::string text = "Error(s) in loading state_dict for " + reader + ":";
  if (!missing_.empty()) text += "\n\tMissing key(s) in state_dict: " + missing_ + ". ";
  if (!unexpected.empty()) text += "\n\tUnexpected key(s) in state_dict: " + unexpected + ". ";
  text += errors_;
  if (!missing_.empty() && !unexpected.empty()) text += "\nis it the state of another class than " + reader + "?";
  throw RuntimeError(text);
}

const Tensor* FieldReader::take(std::string_view name, Dtype dtype, const Shape& shape) {
  const std::string key = prefix_ + std::string(name);
  const Tensor* tensor = from_.take(key);
  if (tensor && (tensor->dtype() != dtype || tensor->shape() != shape)) {
    from_.error(message("mismatch for ", key, ": expected ", dtype, " of shape ", torch_size(shape), ", got ",
                        tensor->dtype(), " of shape ", torch_size(tensor->shape()), "."));
    return nullptr;
  }
  return mode_ == assign ? tensor : nullptr;
}

void FieldReader::field(std::string_view name, double& value) {
  if (const Tensor* tensor = take(name, float64, {})) value = tensor->item<double>();
}
void FieldReader::field(std::string_view name, bool& value) {
  if (const Tensor* tensor = take(name, boolean, {})) value = tensor->item<bool>();
}
void FieldReader::field(std::string_view name, std::int64_t& value) {
  if (const Tensor* tensor = take(name, int64, {})) value = tensor->item<std::int64_t>();
}
void FieldReader::field(std::string_view name, std::span<double> values) {
  const Tensor* tensor = take(name, float64, static_cast<std::int64_t>(values.size()));
  if (tensor) std::ranges::copy(tensor->data<double>(), values.begin());
}
void FieldReader::field(std::string_view name, std::vector<std::int64_t>& values) {
  const std::string key = prefix_ + std::string(name);
  const std::int64_t length = from_.state().contains(key) ? from_.state().at(key).numel() : 0;
  const Tensor* tensor = take(name, int64, length);
  if (tensor) values.assign(tensor->data<std::int64_t>().begin(), tensor->data<std::int64_t>().end());
}
void FieldReader::field(std::string_view name, Unused value) {
  if (value == Unused::False) take(name, boolean, {});
}

}  // namespace gradus::optim
