// The input is the JSON of a checkpoint in the metadata of a safetensors file. What is read is written again.
#include "fuzz.hpp"
#include "io/value_json.hpp"

#include <gradus/core/create.hpp>

using namespace gradus;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const StateDict tensors{{"x", ones({1})}, {"y", ones({2})}};
  return fuzz::feed(data, size, [](detail::Bytes bytes) {
    const std::string text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    const Value value = detail::value_from_json(text, tensors);
    detail::value_to_json(value, value.tensors());
  });
}
