// The lesson, as its reader runs it: true as a whole and section by section, and false with each of its switches.
#include "run.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>

namespace gradus::test {
namespace {

constexpr int kSections = 14;

/// Without the line of times, which goes to stderr.
Outcome lesson(const std::string& arguments) {
  Outcome run = run_example("06_batch_norm_by_hand " + arguments);
  const auto begin = run.out.find("section 5: forward and backward");
  if (begin != std::string::npos) run.out.erase(begin, run.out.find('\n', begin) + 1 - begin);
  return run;
}

/// All of it, run once.
const Outcome& whole() {
  static const Outcome run = lesson("");
  return run;
}

/// The text before the last paragraph, which counts the claims.
std::string body(const Outcome& run) { return run.out.substr(0, run.out.rfind("\n\n") + 1); }

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

TEST(BatchNormByHand, EveryClaimIsTrue) {
  const Outcome& run = whole();
  EXPECT_EQ(run.status, 0) << run.out;
  EXPECT_TRUE(contains(run.out, "claims, all of them true.\n"));
  EXPECT_FALSE(contains(run.out, "FALSE"));
  EXPECT_FALSE(contains(run.out, "nan"));
  EXPECT_GT(std::stoi(run.out.substr(run.out.rfind("\n\n") + 2)), 80);
  std::istringstream lines(run.out);
  for (std::string line; std::getline(lines, line);) {
    EXPECT_LE(line.size(), 100u) << line;
    EXPECT_FALSE(line.ends_with(' ')) << line;
    EXPECT_FALSE(contains(line, " -0.000000 ")) << line;
  }
}

TEST(BatchNormByHand, ShowsTheNumbersThatCanBeCheckedOnPaper) {
  const std::string& text = whole().out;
  for (const char* number :
       {"3.750000", "7.187500", "0.373002", "-1.025755  -0.652753  0.093250   1.585257",
        "-1.551509  -0.805506  0.686501   3.670514", "2.500000", "0.606128", "-0.084331", "-1.865008",
        "0.746003     0.115955     -0.466252    0.395706", "-0.746003     0.073789     -0.466252   -1.138466",
        "1.492007    -0.010541     -0.466252    1.015213", "0.373002    -0.179203     -0.466252   -0.272453",
        "6.2911e-07", "1.038e-06", "0.37500      1.85833", "1.416953, 2.884078, 5.818327, 11.686826"}) {
    EXPECT_TRUE(contains(text, number)) << number;
  }
}

TEST(BatchNormByHand, ReadmeShowsItsTable) {
  const std::string readme = read_file(std::string(GRADUS_SOURCE_DIR) + "/examples/README.md");
  const auto begin = readme.find("  x     direct");
  ASSERT_NE(begin, std::string::npos);
  EXPECT_TRUE(contains(whole().out, readme.substr(begin, readme.find("```", begin) - begin)));
}

TEST(BatchNormByHand, SectionsStandAlone) {
  for (int section = 1; section <= kSections; ++section) {
    const Outcome run = lesson("--section " + std::to_string(section));
    EXPECT_EQ(run.status, 0) << run.out;
    EXPECT_TRUE(run.out.starts_with("\n" + std::to_string(section) + ". ")) << run.out;
    EXPECT_TRUE(contains(whole().out, body(run))) << section;
  }
}

TEST(BatchNormByHand, SaysTheSameEveryTime) { EXPECT_EQ(lesson("").out, whole().out); }

TEST(BatchNormByHand, ListsItsSections) {
  const Outcome run = lesson("--list");
  EXPECT_EQ(run.status, 0);
  EXPECT_EQ(std::count(run.out.begin(), run.out.end(), '\n'), kSections);
  EXPECT_TRUE(run.out.starts_with(" 1  Forward, node by node\n 2  Backward, node by node\n"));
}

struct Switch {
  const char* name;
  const char* error;            // of dx for the four numbers
  std::vector<int> sections;    // those whose claims must notice
  const char* wrong_and_right;  // in the table of section 2
};

TEST(BatchNormByHand, EachSwitchMakesClaimsFalseAndNamesThem) {
  const Switch switches[] = {
      {"--drop-mean-path", "41.0 %", {2, 3, 4, 5, 6, 7, 8, 9, 10, 13}, "0.861958   0.395706     0.395706"},
      {"--drop-var-path", "15.7 %", {2, 3, 4, 5, 6, 7, 8, 9, 10, 13}, "0.279751   0.395706     0.395706"},
      {"--biased-mix", "3.9 %", {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 13}, "0.342"},
  };
  for (const Switch& broken : switches) {
    SCOPED_TRACE(broken.name);
    const Outcome run = lesson(broken.name);
    EXPECT_EQ(run.status, 1);
    EXPECT_TRUE(contains(run.out, " of them false:\n")) << run.out;
    EXPECT_TRUE(contains(run.out, broken.wrong_and_right));
    EXPECT_TRUE(contains(run.out, broken.error));
    EXPECT_EQ(lesson(std::string(broken.name) + " --section 2").status, 1);
    EXPECT_EQ(lesson(std::string(broken.name) + " --section 12").status, 0);  // it has no backward pass
    for (int section = 1; section <= kSections; ++section) {
      const bool notices = std::ranges::count(broken.sections, section) > 0;
      EXPECT_EQ(contains(run.out, "\n  section " + std::to_string(section) + ": "), notices) << section;
    }
  }
}

/// nn/README.md says which function holds which step.
TEST(BatchNormByHand, DerivationNamesWhatThereIs) {
  const std::string root = std::string(GRADUS_SOURCE_DIR) + "/";
  std::string sources;
  for (const char* file :
       {"examples/06_batch_norm_by_hand/by_hand.cpp", "examples/06_batch_norm_by_hand/by_hand.hpp",
        "nn/src/batch_norm.cpp", "core/src/kernels/body/batch_norm.hpp", "core/src/kernels/body/batch_norm_rows.hpp"}) {
    sources += read_file(root + file);
  }
  const std::string page = read_file(root + "nn/README.md");
  std::istringstream table(page.substr(page.find("|---|")));
  int names = 0;
  for (std::string row; std::getline(table, row) && row.starts_with('|');) {
    for (std::size_t end, begin = row.find('`'); begin != std::string::npos; begin = row.find('`', end + 1)) {
      end = row.find('`', begin + 1);
      const std::string name = row.substr(begin + 1, end - begin - 1);
      EXPECT_TRUE(contains(sources, name)) << name;
      ++names;
    }
  }
  EXPECT_GE(names, 20);
}

TEST(BatchNormByHand, WrongArgumentsAreNamed) {
  for (const char* arguments : {"--section 0", "--section 15", "--section two", "--section", "--no-such-switch"}) {
    const Outcome run = lesson(arguments);
    EXPECT_EQ(run.status, 1) << arguments;
    EXPECT_TRUE(contains(run.out, std::string(arguments).substr(0, 9))) << run.out;
    EXPECT_LE(std::count(run.out.begin(), run.out.end(), '\n'), 2) << run.out;
  }
}

}  // namespace
}  // namespace gradus::test
