// 15_deploy trains a net, and everything that it writes answers as the net does.
#include "files.hpp"
#include "run.hpp"

#include <gtest/gtest.h>

#include <map>
#include <sstream>

namespace gradus::test {
namespace {

TEST(Deploy, EveryFormIsRightAsOften) {
  const TemporaryFolder folder;
  const std::string options = " --compiler 'c++ -O1' --epochs 3 --folder " + folder.path().string();
  const Outcome outcome = run_example("15_deploy" + options);
  ASSERT_EQ(outcome.status, 0) << outcome.out;
  std::map<std::string, double> right;
  std::istringstream lines(outcome.out);
  for (std::string line; std::getline(lines, line);) {
    const std::size_t gap = line.find("  ");  // behind the name
    if (line.find(" %") != line.npos) right[line.substr(0, gap)] = std::stod(line.substr(gap));
  }
  ASSERT_GE(right.size(), 5u) << outcome.out;
  EXPECT_GT(right.at("the net"), 90);
  for (const auto& [name, share] : right) {
    const bool exact = name.find("half") == name.npos && name.find("int8") == name.npos;
    EXPECT_NEAR(share, right.at("the net"), exact ? 0 : 1) << name;
  }
}

TEST(Deploy, SaysWhenTheCompilerRefuses) {
  const TemporaryFolder folder;
  const Outcome outcome = run_example("15_deploy --epochs 1 --compiler false --folder " + folder.path().string());
  EXPECT_EQ(outcome.status, 1);
  EXPECT_NE(outcome.out.find("15_deploy: the compiler, 'false', refused the header"), std::string::npos) << outcome.out;
}

}  // namespace
}  // namespace gradus::test
