// The names in a StateDict.
#pragma once

#include <gradus/core/state_dict.hpp>

#include <string>
#include <vector>

namespace gradus::test {

inline std::vector<std::string> names(const StateDict& state) {
  std::vector<std::string> result;
  for (const auto& [name, tensor] : state) result.push_back(name);
  return result;
}

}  // namespace gradus::test
