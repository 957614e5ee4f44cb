// The exercise as its student meets it: the file as shipped, a solution, and typical wrong answers with the diagnosis
// that each of them needs.
#include "../../examples/17_exercise/check.hpp"
#include "run.hpp"

#include <gtest/gtest.h>

namespace exercise {
namespace {

using lesson::over_batch;

double rows(const Tensor& dy) { return static_cast<double>(dy.size(0)); }

/// A solution.
void solution(const Tensor& dy, const Nodes& node, const Tensor& weight, Derivatives& d) {
  d = lesson::ByHand{weight, {}}.backward(dy, node);
}

struct Answer {
  const char* what;
  Backward backward;
  const char* line;
  const char* diagnosis;
};

/// The solution with one line of its own; what follows from the line is left as it was.
#define GRADUS_ANSWER(...)                                                                                          \
  [](const Tensor& dy, [[maybe_unused]] const Nodes& node, [[maybe_unused]] const Tensor& weight, Derivatives& d) { \
    solution(dy, node, weight, d);                                                                                  \
    __VA_ARGS__;                                                                                                    \
  }

const Answer wrong_answers[] = {
    {"nothing at all", [](const Tensor& dy, const Nodes&, const Tensor&, Derivatives& d) { d.y = dy; }, "d.bias",
     "is not filled in yet"},
    {"no sum over the batch", GRADUS_ANSWER(d.bias = dy), "d.bias", "the sum over the batch is missing"},
    {"a dimension lost", GRADUS_ANSWER(d.bias = dy.sum(0)), "d.bias", "keeps the dimension"},
    {"a mean for a sum", GRADUS_ANSWER(d.bias = dy.mean(over_batch, true)), "d.bias", "N times too small"},
    {"weight's sum forgotten", GRADUS_ANSWER(d.weight = d.scaled * node.xhat), "d.weight",
     "the sum over the batch is missing"},
    {"weight forgotten", GRADUS_ANSWER(d.xhat = d.scaled), "d.xhat", "forgets weight"},
    {"y instead of xhat", GRADUS_ANSWER(d.weight = (dy * node.y).sum(over_batch, true)), "d.weight", "another value"},
    {"a sign in 1/std", GRADUS_ANSWER(d.std = -d.std), "d.std", "wrong sign"},
    {"the 2 of the root", GRADUS_ANSWER(d.var = d.std / node.std), "d.var", "twice what it should be"},
    {"N - 1", GRADUS_ANSWER(d.square = (d.var / (rows(dy) - 1)).expand(dy.shape())), "d.square", "divides by N - 1"},
    {"1/N forgotten", GRADUS_ANSWER(d.square = d.var.expand(dy.shape())), "d.square", "N times too large"},
    {"not repeated", GRADUS_ANSWER(d.square = d.var / rows(dy)), "d.square", "one value for each row"},
    {"the 2 of the square", GRADUS_ANSWER(d.through_var = d.square * node.centered), "d.through_var",
     "a factor 2 is missing"},
    {"var as a constant", GRADUS_ANSWER(d.centered = d.direct), "d.centered", "lacks a path to x: through_var"},
    {"one path overwrites the other", GRADUS_ANSWER(d.centered = d.through_var), "d.centered",
     "lacks a path to x: direct"},
    {"the sign of the mean", GRADUS_ANSWER(d.mean = -d.mean), "d.mean", "wrong sign"},
    {"a mean of a mean", GRADUS_ANSWER(d.through_mean = d.mean.expand(dy.shape())), "d.through_mean",
     "N times too large"},
    {"mean as a constant", GRADUS_ANSWER(d.x = d.centered), "d.x", "lacks a path to x: through_mean"},
    {"both as constants", GRADUS_ANSWER(d.x = d.direct), "d.x", "only direct is left"},
};

TEST(Exercise, SolutionHasNoMistake) { EXPECT_FALSE(first_mistake(solution).has_value()); }

TEST(Exercise, NamesTheFirstWrongLineAndWhatIsWrongWithIt) {
  for (const Answer& answer : wrong_answers) {
    SCOPED_TRACE(answer.what);
    const auto mistake = first_mistake(answer.backward);
    ASSERT_TRUE(mistake.has_value());
    EXPECT_EQ(mistake->line, answer.line);
    EXPECT_NE(mistake->diagnosis.find(answer.diagnosis), std::string::npos) << mistake->diagnosis;
    EXPECT_FALSE(mistake->hint.empty());
  }
}

TEST(Exercise, NamesTheLineBeforeAnError) {
  const auto mistake = first_mistake([](const Tensor& dy, const Nodes&, const Tensor& weight, Derivatives& d) {
    d.bias = dy.sum(over_batch, true);
    d.xhat = d.scaled * weight;  // d.scaled is undefined
  });
  ASSERT_TRUE(mistake.has_value());
  EXPECT_EQ(mistake->line, "d.scaled");
  EXPECT_NE(mistake->diagnosis.find("stops with an error"), std::string::npos) << mistake->diagnosis;
}

TEST(Exercise, StopsAtStepOneAsShipped) {
  const auto run = gradus::test::run_example("17_exercise");
  EXPECT_EQ(run.status, 1);
  EXPECT_NE(run.out.find("d.bias is not filled in yet"), std::string::npos) << run.out;
  EXPECT_EQ(run.out.find("Step 2"), std::string::npos) << run.out;
}

TEST(Exercise, SolvedItPassesEveryStep) {
  const auto run = gradus::test::run_example("17_exercise_solved");
  EXPECT_EQ(run.status, 0) << run.out;
  for (const char* text : {"Step 1: every line", "Step 2: gradcheck", "Step 3: training"}) {
    EXPECT_NE(run.out.find(text), std::string::npos) << run.out;
  }
}

}  // namespace
}  // namespace exercise
