// The name of a type, as its author wrote it.
#pragma once

#include <string>
#include <typeinfo>

namespace gradus::detail {

/// Without the namespaces, classes or functions that it is declared in: "MyLayer".
std::string type_name_of(const std::type_info& type);

}  // namespace gradus::detail
