// The recorded results of PyTorch in tests/golden: one JSON object per file. A tensor is {"dtype", "shape", "data"} with
// its elements flat in row-major order, in the shortest decimals that read back exactly (float32 as the equal double).
#pragma once

#include <concepts>
#include <cstdint>
#include <fstream>
#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace gradus::test {

using nlohmann::json;

/// The JSON object of `tests/golden/<name>`, e.g. `load_golden("rng.json")`.
inline json load_golden(const std::string& name) {
  const std::string path = std::string(GRADUS_GOLDEN_DIR) + "/" + name;
  std::ifstream file(path);
  if (!file) throw std::runtime_error("cannot open the fixture " + path);
  return json::parse(file);
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

}  // namespace gradus::test
