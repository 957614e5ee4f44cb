#include "paths.hpp"

namespace gradus::test {

std::string source_path(const std::string& path) { return GRADUS_SOURCE_DIR "/" + path; }

std::string example_path(const std::string& program) { return GRADUS_EXAMPLES_DIR "/" + program; }

}  // namespace gradus::test
