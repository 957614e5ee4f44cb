#include "run.hpp"

#include <gtest/gtest.h>

namespace gradus::test {
namespace {

TEST(PolicyGradient, BalancesThePole) {
  for (const char* seed : {"0", "1"}) {
    const Outcome run = run_example(std::string("14_policy_gradient ") + seed);
    EXPECT_EQ(run.status, 0) << run.out;
    const std::string line = "100 games with the likelier action: ";
    const std::size_t at = run.out.find(line);
    ASSERT_NE(at, std::string::npos) << run.out;
    EXPECT_GE(std::stod(run.out.substr(at + line.size())), 195) << run.out;
  }
}

}  // namespace
}  // namespace gradus::test
