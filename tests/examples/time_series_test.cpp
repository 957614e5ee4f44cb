#include "run.hpp"

#include <gtest/gtest.h>

#include <regex>

namespace gradus::test {
namespace {

TEST(TimeSeries, TellsShapesApartAndFuses) {
  const Outcome run = run_example("13_time_series --epochs 4 --count 1000");
  ASSERT_EQ(run.status, 0) << run.out;
  std::smatch found;
  ASSERT_TRUE(std::regex_search(run.out, found, std::regex("epoch 4 .* test ([0-9.]+) %"))) << run.out;
  EXPECT_GT(std::stod(found[1]), 90) << run.out;
  ASSERT_TRUE(
      std::regex_search(run.out, found, std::regex("fused: 8 layers instead of 10, largest difference (.*)\n")));
  EXPECT_LE(std::stod(found[1]), 1e-4) << run.out;
}

}  // namespace
}  // namespace gradus::test
