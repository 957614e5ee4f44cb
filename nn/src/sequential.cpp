#include "autograd/record.hpp"
#include "tensor/message.hpp"
#include "walk.hpp"

#include <gradus/nn/activation.hpp>
#include <gradus/nn/batch_norm.hpp>
#include <gradus/nn/sequential.hpp>

#include <algorithm>
#include <typeinfo>

namespace gradus::nn {

using detail::fail, detail::message, detail::throw_if;

void ModuleContainer::add_all(std::initializer_list<ModuleItem> modules) {
  for (const auto& [name, module] : modules) add(name.empty() ? std::to_string(size()) : name, std::move(module));
}

ModuleContainer& ModuleContainer::operator=(ModuleContainer other) {
  const auto alike = [](const auto& a, const auto& b) { return a.first == b.first && a.second.same_type(b.second); };
  Module::operator=(other);
  if (std::ranges::equal(children_, other.children_, alike)) {
    for (std::size_t i = 0; i < size(); ++i) children_[i].second = std::as_const(other.children_[i].second);
  } else {
    children_ = std::move(other.children_);
  }
  return *this;
}

void ModuleContainer::add(std::string name, AnyModule module) {
  check_name("module", name);
  for (const auto& [taken, child] : children_) {
    throw_if<KeyError>(taken == name, "attribute '", name, "' already exists");
  }
  children_.emplace_back(std::move(name), std::move(module));
}

void ModuleContainer::state(StateList& list) {
  for (const auto& [name, module] : children_) list(name, *module);
}

Module& ModuleContainer::operator[](std::size_t index) const {
  if (index >= size()) {
    fail<IndexError>("index ", index, " is out of range for a ", name(), " of ", size(), " modules");
  }
  return *children_[index].second;
}

void ModuleContainer::refuse_type(std::size_t index) const {
  fail<TypeError>(name(), "::at: module ", index, " is a ", (*this)[index].name());
}

Sequential::Sequential(std::initializer_list<ModuleItem> modules) {
  // Compilers differ in whether braces around a Sequential come here; so they mean the same here as elsewhere.
  Module* only = modules.size() == 1 && modules.begin()->name.empty() ? &*modules.begin()->module : nullptr;
  if (only && typeid(*only) == typeid(Sequential)) {
    *this = std::move(static_cast<Sequential&>(*only));
  } else {
    add_all(modules);
  }
}

Sequential& Sequential::push_back(AnyModule module) { return push_back(std::to_string(size()), std::move(module)); }

Sequential& Sequential::push_back(std::string name, AnyModule module) {
  add(std::move(name), std::move(module));
  return *this;
}

namespace {

/// A module whose call is nothing but the forward function of M.
template <class M>
const M* plain(const AnyModule& module) {
  const bool is_m = &module.type() == &typeid(M);  // which is faster than ==, and never wrongly true
  return is_m && !module->has_forward_hooks() ? static_cast<const M*>(&*module) : nullptr;
}

}  // namespace

Tensor Sequential::forward(const Tensor& x) const {
  Tensor y = x;
  for (std::size_t i = 0; i < size(); ++i) {
    const AnyModule& module = children()[i].second;
    const BatchNorm1d* norm = i + 1 < size() ? plain<BatchNorm1d>(module) : nullptr;
    if (norm && plain<ReLU>(children()[i + 1].second) && !detail::under_trace()) {
      y = batch_norm_relu(*norm, y);
      ++i;
    } else {
      y = (*module)(y);
    }
  }
  return y;
}

ParameterList::ParameterList(std::initializer_list<Tensor> values) {
  for (const Tensor& x : values) append(x);
}

ParameterList& ParameterList::append(Tensor values) {
  parameters_.emplace_back(std::move(values));
  return *this;
}

void ParameterList::state(StateList& list) {
  for (std::size_t i = 0; i < size(); ++i) list(std::to_string(i), parameters_[i]);
}

std::string ParameterList::extra_repr() const {
  std::string text;
  for (std::size_t i = 0; i < size(); ++i) {
    std::string sizes;
    for (const std::int64_t extent : parameters_[i].shape()) sizes += message(sizes.empty() ? "" : "x", extent);
    text += message(i == 0 ? "" : "\n", "  (", i, "): Parameter containing: [torch.", parameters_[i].dtype(),
                    " of size ", sizes, "]");
  }
  return text;
}

Parameter& ParameterList::operator[](std::size_t index) { return const_cast<Parameter&>(std::as_const(*this)[index]); }

const Parameter& ParameterList::operator[](std::size_t index) const {
  if (index < size()) return parameters_[index];
  fail<IndexError>("index ", index, " is out of range for a ParameterList of ", size(), " parameters");
}

ModuleList& ModuleList::append(AnyModule module) {
  add(std::to_string(size()), std::move(module));
  return *this;
}

}  // namespace gradus::nn
