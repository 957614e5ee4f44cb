// The recorded results of PyTorch in tests/golden: one JSON object per file. A tensor is {"dtype", "shape", "data"},
// all elements in row-major order, in the shortest decimals that read back exactly (float32 as the equal double).
#pragma once

#include "paths.hpp"

#include <gradus/core/tensor.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <concepts>
#include <cstdint>
#include <fstream>
#include <limits>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

namespace gradus::test {

using nlohmann::json;

/// The JSON object of `tests/golden/<name>`, e.g. `load_golden("rng.json")`. It lives as long as the program, so that a
/// loop may run over a part of it: `for (const json& entry : load_golden("rng.json").at("entries"))`.
inline const json& load_golden(const std::string& name) {
  static std::map<std::string, json> loaded;
  if (const auto found = loaded.find(name); found != loaded.end()) return found->second;
  const std::string path = source_path("tests/golden/") + name;
  std::ifstream file(path);
  if (!file) throw std::runtime_error("cannot open the fixture " + path);
  return loaded.emplace(name, json::parse(file)).first->second;
}

/// One element: a number, true or false, or one of the strings "nan", "inf" and "-inf".
template <class T>
T golden_number(const json& value) {
  if (!value.is_string()) return value.get<T>();
  if constexpr (std::floating_point<T>) {
    using Limits = std::numeric_limits<T>;
    const auto text = value.get<std::string>();
    if (text == "nan") return Limits::quiet_NaN();
    if (text == "inf") return Limits::infinity();
    if (text == "-inf") return -Limits::infinity();
  }
  throw std::runtime_error("not a number of this type: " + value.dump());
}

/// The elements of a fixture tensor, row-major. T is bool, an integer or a floating type; read float32 as float.
template <class T>
std::vector<T> golden_data(const json& tensor) {
  std::vector<T> elements;
  for (const json& value : tensor.at("data")) elements.push_back(golden_number<T>(value));
  return elements;
}

inline std::vector<std::int64_t> golden_shape(const json& tensor) {
  return tensor.at("shape").get<std::vector<std::int64_t>>();
}

/// "float32", "float64", "int64", "bool", …
inline std::string golden_dtype(const json& tensor) { return tensor.at("dtype").get<std::string>(); }

/// The fixture tensor as a Tensor; null becomes an undefined one.
inline Tensor golden_tensor(const json& tensor) {
  if (tensor.is_null()) return Tensor();
  for (const Dtype dtype : {boolean, int64, float32, float64}) {
    if (golden_dtype(tensor) != to_string(dtype)) continue;
    Tensor x = empty(golden_shape(tensor), dtype);
    visit(dtype, [&]<class T>(T*) { std::ranges::copy(golden_data<T>(tensor), x.data<T>().begin()); });
    return x;
  }
  throw std::runtime_error("no tensor has the dtype " + golden_dtype(tensor));
}

}  // namespace gradus::test
