#include "run.hpp"

#include <gtest/gtest.h>

#include <regex>

namespace gradus::test {
namespace {

TEST(Makemore, LearnsMakesNamesAndDifferentiatesByHand) {
  const Outcome run = run_example("12_makemore --epochs 10 --count 5");
  ASSERT_EQ(run.status, 0) << run.out;
  std::smatch loss;
  ASSERT_TRUE(std::regex_search(run.out, loss, std::regex("epoch 10  loss ([0-9.]+)"))) << run.out;
  EXPECT_LT(std::stod(loss[1]), 2.1) << "a guess by the frequencies of single letters gives 2.75";
  EXPECT_TRUE(std::regex_search(run.out, std::regex("\n\n([a-z]*\n){5}\nby hand"))) << run.out;
  for (const char* what : {"dx", "dweight", "dbias"}) {
    std::smatch difference;
    ASSERT_TRUE(std::regex_search(run.out, difference, std::regex("\n" + std::string(what) + " +([0-9.e+-]+)\n")));
    EXPECT_LE(std::stod(difference[1]), 1e-14) << run.out;
  }
}

TEST(Makemore, SaysWhatItCannotRead) {
  const Outcome run = run_example("12_makemore --names /no/such/file");
  EXPECT_EQ(run.status, 1);
  EXPECT_NE(run.out.find("/no/such/file"), std::string::npos) << run.out;
}

}  // namespace
}  // namespace gradus::test
