// StateDict: tensors under names, in the order in which they were added. What a module saves and loads.
#pragma once

#include <gradus/core/tensor.hpp>

#include <map>
#include <string_view>

namespace gradus {

/// An ordered map from name to tensor, as `Module.state_dict()` of PyTorch. Copying it copies handles: the tensors stay
/// the same ones. `for (const auto& [name, tensor] : state)` visits them in order.
class StateDict {
 public:
  using Entry = std::pair<std::string, Tensor>;

  StateDict() = default;
  StateDict(std::initializer_list<Entry> entries);  ///< Throws KeyError when a name occurs twice.

  std::size_t size() const { return entries_.size(); }
  bool empty() const { return entries_.empty(); }
  auto begin() const { return entries_.begin(); }
  auto end() const { return entries_.end(); }
  const Entry& entry(std::size_t i) const { return entries_[i]; }

  bool contains(std::string_view name) const { return index_.contains(name); }
  const Tensor& at(std::string_view name) const&;  ///< Throws KeyError.
  Tensor& operator[](std::string_view name) &;     ///< adds an undefined tensor at the end when the name is new
  // Of a temporary a handle, which outlives it: `const Tensor w = load(path)["weight"];`.
  Tensor at(std::string_view name) && { return at(name); }
  Tensor operator[](std::string_view name) && { return at(name); }  ///< Throws KeyError.
  void erase(std::string_view name);                                ///< Throws KeyError.

  /// The entries whose name starts with `prefix`, without it: `checkpoint.part("model.")`.
  StateDict part(std::string_view prefix) const;

 private:
  std::vector<Entry> entries_;
  std::map<std::string, std::size_t, std::less<>> index_;  // name -> position in entries_
};

}  // namespace gradus
