#include "paths.hpp"
#include "run.hpp"

#include <gtest/gtest.h>

namespace gradus::test {
namespace {

TEST(Readme, FirstBlockIsTheFirstExample) {
  const std::string readme = read_file(source_path("README.md"));
  const std::string opening = "```cpp\n";
  const auto begin = readme.find(opening) + opening.size();
  const std::string block = readme.substr(begin, readme.find("```", begin) - begin);
  EXPECT_EQ(block, read_file(source_path("examples/01_tensors_and_gradients.cpp")));
  EXPECT_EQ(run_example("01_tensors_and_gradients").status, 0);
}

TEST(Readme, ShowsTheOperationOfTheExample) {
  const std::string begin = "struct NumpyBatchNorm", end = "\n};\n";
  const auto block = [&](const std::string& path) {
    const std::string text = read_file(source_path(path));
    const auto first = text.find(begin);
    return first == text.npos ? "" : text.substr(first, text.find(end, first) - first);
  };
  EXPECT_NE(block("README.md"), "");
  EXPECT_EQ(block("README.md"), block("examples/10_own_operation.cpp"));
}

TEST(Examples, RunToTheEnd) {
  for (const char* program : {"04_xtensor_interop", "05_save_and_load"}) {
    const Outcome run = run_example(program);
    EXPECT_EQ(run.status, 0) << program << '\n' << run.out;
  }
}

}  // namespace
}  // namespace gradus::test
