#include <gradus/nn/sequential.hpp>

#include "tensor/message.hpp"

namespace gradus::nn {

using detail::message;

Sequential::Sequential(std::initializer_list<std::pair<std::string, AnyModule>> modules) {
  for (const auto& [name, module] : modules) push_back(name, module);
}

Sequential& Sequential::push_back(AnyModule module) { return push_back(std::to_string(size()), std::move(module)); }

Sequential& Sequential::push_back(std::string name, AnyModule module) {
  if (name.empty()) throw KeyError("module name can't be empty string \"\"");
  if (name.find('.') != std::string::npos) throw KeyError(message("module name can't contain \".\", got: ", name));
  for (const auto& [taken, child] : children_) {
    if (taken == name) throw KeyError(message("attribute '", name, "' already exists"));
  }
  children_.emplace_back(std::move(name), std::move(module));
  return *this;
}

void Sequential::state(StateList& list) {
  for (const auto& [name, module] : children_) list(name, *module);
}

Tensor Sequential::forward(const Tensor& x) {
  if (children_.empty()) return x;
  Tensor y = children_.front().second->forward(x);
  for (std::size_t i = 1; i < children_.size(); ++i) y = children_[i].second->forward(y);
  return y;
}

Module& Sequential::operator[](std::size_t index) const {
  if (index >= size()) {
    throw IndexError(message("index ", index, " is out of range for a Sequential of ", size(), " modules"));
  }
  return *children_[index].second;
}

void Sequential::refuse_type(std::size_t index) const {
  throw TypeError(message("Sequential::at: module ", index, " is a ", (*this)[index].name()));
}

}  // namespace gradus::nn
