#include "run.hpp"

#include <gtest/gtest.h>

namespace gradus::test {
namespace {

TEST(DataParallel, TrainsAsTheOnlyProcess) {
  const Outcome run = run_example("16_data_parallel --epochs 3");
  EXPECT_EQ(run.status, 0) << run.out;
  EXPECT_NE(run.out.find("rank 0 of 1: 4311 rows in 36 steps, 0.0 messages"), std::string::npos) << run.out;
  EXPECT_NE(run.out.find("\n9"), std::string::npos) << run.out;  // at least 90 % right
}

TEST(DataParallel, TellsAnErrorAndFails) {
  const Outcome run = run_example("16_data_parallel --data /nowhere");
  EXPECT_EQ(run.status, 1);
  EXPECT_EQ(run.out.rfind("gradus: rank 0 of 1: FileError: /nowhere", 0), 0U) << run.out;
}

}  // namespace
}  // namespace gradus::test
