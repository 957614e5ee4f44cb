#include "run.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

namespace gradus::test {
namespace {

class Graph : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() / ("gradus_graph_" + std::to_string(getpid()));
    run_ = run_example("09_graph " + folder_.string());
    ASSERT_EQ(run_.status, 0) << run_.out;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string file(const std::string& name) const { return read_file((folder_ / (name + ".dot")).string()); }

  std::filesystem::path folder_;
  Outcome run_;
};

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

TEST_F(Graph, GradientsAppearWithBackward) {
  for (const std::string name : {"expression", "batch_norm_training", "batch_norm_evaluation"}) {
    const std::string before = file(name + "_before"), after = file(name + "_after");
    EXPECT_TRUE(has(before, ">no gradient yet<")) << name;
    EXPECT_FALSE(has(before, ">grad ")) << name;
    EXPECT_TRUE(has(after, ">grad ")) << name;
    EXPECT_FALSE(has(after, "no gradient yet")) << name;
    EXPECT_FALSE(has(after, "freed")) << name;
  }
}

/// The gradients of x that nn/README.md derives, for x = (1, 7, 9, 15), dy = (1, -1, 2, 0), weight = 2, eps = 0.
TEST_F(Graph, ShowsTheGradientOfBatchNorm) {
  const std::string line_end = "<br align=\"left\"/>&#8203;&#160;      ";
  const std::string training = file("batch_norm_training_after"), evaluation = file("batch_norm_evaluation_after");
  EXPECT_TRUE(
      has(training, "grad  [[ 0.0880]," + line_end + "[-0.6160]," + line_end + "[ 0.6160]," + line_end + "[-0.0880]]"));
  // dy weight / sqrt(running_var + eps), running_var = 0.9 + 0.1 * 100 / 3
  EXPECT_TRUE(has(evaluation,
                  "grad  [[ 0.9721]," + line_end + "[-0.9721]," + line_end + "[ 1.9441]," + line_end + "[ 0.0000]]"));
  EXPECT_TRUE(has(evaluation, "<b>buffer running_mean<"));
  EXPECT_TRUE(has(evaluation, "value [0.8000]"));
}

/// direct, through var, through mean, and what the first two come to at centered.
TEST_F(Graph, ShowsTheThreePathsAtTheArrows) {
  const std::string training = file("batch_norm_training_after");
  for (const char* share : {"[[ 0.4000],", "[[-0.1120],", "[[-0.2000],", "[[ 0.2880],"}) {
    EXPECT_TRUE(has(training, std::string(" [label=<<font color=\"#0b5394\">grad ") + share)) << share;
  }
}

TEST_F(Graph, GraphvizReadsEveryFile) {
  if (std::system("command -v dot >/dev/null") != 0) GTEST_SKIP() << "graphviz is not installed";
  EXPECT_EQ(std::system(("dot -Tsvg -O " + folder_.string() + "/*.dot").c_str()), 0);
}

TEST_F(Graph, SaysWhereItCannotWrite) {
  const Outcome refused = run_example("09_graph /dev/null/folder");
  EXPECT_EQ(refused.status, 1);
  EXPECT_TRUE(has(refused.out, "/dev/null/folder")) << refused.out;
}

TEST_F(Graph, MakesTheFolderAloneThatItIsAskedFor) {
  const std::string inside = folder_.string();
  EXPECT_EQ(run_example("09_graph no/such/folder", inside).status, 1);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "no"));
  const Outcome help = run_example("09_graph --help", inside);
  EXPECT_EQ(help.status, 0);
  EXPECT_TRUE(has(help.out, "FOLDER")) << help.out;
  EXPECT_FALSE(std::filesystem::exists(folder_ / "--help"));
}

}  // namespace
}  // namespace gradus::test
