// Where the tests find files. paths.cpp alone is compiled with the folders of this machine, so that what a test
// compiles to does not depend on them, and ccache finds it again from another folder.
#pragma once

#include <string>

namespace gradus::test {

/// A file of the repository.
std::string source_path(const std::string& path);

/// A program of the examples, of the build that the test belongs to.
std::string example_path(const std::string& program);

}  // namespace gradus::test
