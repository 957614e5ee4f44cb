#include "run.hpp"

#include <gtest/gtest.h>

namespace gradus::test {
namespace {

TEST(OwnOperation, ThreeOfThemAgreeWithTheLayer) {
  const Outcome run = run_example("10_own_operation");
  EXPECT_EQ(run.status, 0) << run.out;
  for (const char* name : {"xtensor, as in NumPy", "gradus operations", "fused"}) {
    EXPECT_NE(run.out.find(name), std::string::npos) << run.out;
  }
}

}  // namespace
}  // namespace gradus::test
