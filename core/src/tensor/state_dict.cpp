#include "tensor/message.hpp"

#include <gradus/core/state_dict.hpp>

namespace gradus {
namespace {

/// The place of a name in the index of `state`. Throws KeyError when it has none.
auto find(const auto& index, std::string_view name, const StateDict& state) {
  const auto found = index.find(name);
  if (found == index.end()) {
    const auto names = detail::listed(state, [](const StateDict::Entry& entry) { return entry.first; });
    detail::fail<KeyError>("no tensor named '", detail::shown(name), "'\nThere are: ", names);
  }
  return found;
}

}  // namespace

StateDict::StateDict(std::initializer_list<Entry> entries) {
  for (const auto& [name, tensor] : entries) {
    detail::throw_if<KeyError>(contains(name), "two tensors are named '", name, "'");
    (*this)[name] = tensor;
  }
}

const Tensor& StateDict::at(std::string_view name) const& { return entries_[find(index_, name, *this)->second].second; }

Tensor& StateDict::operator[](std::string_view name) & {
  const auto found = index_.find(name);
  if (found != index_.end()) return entries_[found->second].second;
  entries_.emplace_back(name, Tensor());
  index_.emplace(name, entries_.size() - 1);
  return entries_.back().second;
}

void StateDict::erase(std::string_view name) {
  const auto found = find(index_, name, *this);
  const std::size_t position = found->second;
  entries_.erase(entries_.begin() + static_cast<std::ptrdiff_t>(position));
  index_.erase(found);
  for (auto& [other, index] : index_) {
    if (index > position) --index;
  }
}

StateDict StateDict::part(std::string_view prefix) const {
  StateDict result;
  for (const auto& [name, tensor] : entries_) {
    if (name.starts_with(prefix)) result[std::string_view(name).substr(prefix.size())] = tensor;
  }
  return result;
}

}  // namespace gradus
