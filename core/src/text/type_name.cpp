#include "text/type_name.hpp"

#include <cxxabi.h>

#include <cstdlib>

namespace gradus::detail {

std::string type_name_of(const std::type_info& type) {
  int status = 0;
  char* demangled = abi::__cxa_demangle(type.name(), nullptr, nullptr, &status);
  const std::string full = status == 0 ? demangled : type.name();
  std::free(demangled);
  std::size_t begin = full.size();
  for (int depth = 0; begin > 0 && (depth > 0 || full[begin - 1] != ':'); --begin) {
    depth += (full[begin - 1] == '>') - (full[begin - 1] == '<');  // a template's arguments keep their namespaces
  }
  return full.substr(begin);
}

}  // namespace gradus::detail
