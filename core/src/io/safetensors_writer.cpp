#include "io/elements.hpp"
#include "io/safetensors.hpp"
#include "io/utf8.hpp"
#include "tensor/message.hpp"

#include <algorithm>

namespace gradus::detail {
namespace {

std::string_view dtype_name(Dtype dtype) {
  constexpr std::string_view names[] = {"BOOL", "I64", "F32", "F64"};
  return names[static_cast<int>(dtype)];
}

/// Position of a dtype in the file: the reference puts types of large alignment first.
int rank(Dtype dtype) {
  constexpr int ranks[] = {3, 0, 2, 1};
  return ranks[static_cast<int>(dtype)];
}

/// The tensors in the order in which the reference writes them.
std::vector<const StateDict::Entry*> file_order(const StateDict& tensors) {
  std::vector<const StateDict::Entry*> order;
  for (const auto& entry : tensors) order.push_back(&entry);
  std::sort(order.begin(), order.end(), [](const auto* a, const auto* b) {
    return std::pair(rank(a->second.dtype()), std::string_view(a->first)) <
           std::pair(rank(b->second.dtype()), std::string_view(b->first));
  });
  return order;
}

}  // namespace

std::string safetensors_header(const StateDict& tensors, const Metadata& metadata) {
  std::string json = "{";
  if (!metadata.empty()) {
    json += "\"__metadata__\":{";
    for (const auto& [key, value] : metadata) json += message(json_quoted(key), ":", json_quoted(value), ",");
    json.back() = '}';
    json += ',';
  }
  std::size_t offset = 0;
  for (const auto* entry : file_order(tensors)) {
    const auto& [name, tensor] = *entry;
    if (name == "__metadata__") throw ValueError("save: '__metadata__' cannot be the name of a tensor in safetensors");
    std::string shape;
    for (const std::int64_t extent : tensor.shape()) shape += message(shape.empty() ? "" : ",", extent);
    const std::size_t end = offset + element_bytes(tensor).size();
    json += message(json_quoted(name), ":{\"dtype\":\"", dtype_name(tensor.dtype()), "\",\"shape\":[", shape,
                    "],\"data_offsets\":[", offset, ",", end, "]},");
    offset = end;
  }
  if (json.back() == ',') json.pop_back();
  json += '}';
  json.resize((json.size() + 7) / 8 * 8, ' ');  // so that the elements are aligned to 8 bytes

  const std::uint64_t length = json.size();
  return std::string(reinterpret_cast<const char*>(&length), sizeof length) + json;
}

void write_safetensors(AtomicFile& file, const StateDict& tensors, const Metadata& metadata) {
  file.write(safetensors_header(tensors, metadata));
  for (const auto* entry : file_order(tensors)) file.write(element_bytes(entry->second));
}

}  // namespace gradus::detail
