#include "paths.hpp"
#include "run.hpp"

#include <gtest/gtest.h>

namespace gradus::test {
namespace {

TEST(Notebook, PrintsEveryCellAsPyTorchDoes) {
  const Outcome run = run_example("02_notebook");
  EXPECT_EQ(run.status, 0);
  EXPECT_EQ(run.out, read_file(source_path("tests/golden/notebook.txt")));
}

}  // namespace
}  // namespace gradus::test
