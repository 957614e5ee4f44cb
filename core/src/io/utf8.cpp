#include "io/utf8.hpp"

#include <gradus/core/error.hpp>

#include <nlohmann/json.hpp>

namespace gradus::detail {

void check_utf8(const std::string& text) { (void)json_quoted(text); }

std::string json_quoted(const std::string& text) {
  try {
    return nlohmann::json(text).dump();
  } catch (const nlohmann::json::type_error&) {
    throw ValueError("save: one of the names or strings is not UTF-8");
  }
}

}  // namespace gradus::detail
