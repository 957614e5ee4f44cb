// The lesson, as its reader runs it: true as a whole and section by section, and false with each of its switches.
#include "paths.hpp"
#include "run.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>

namespace gradus::test {
namespace {

constexpr int section_count = 16;

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
    EXPECT_LE(line.size(), 80u) << line;
    EXPECT_FALSE(line.ends_with(' ')) << line;
    EXPECT_FALSE(contains(line, " -0.000000 ")) << line;
  }
}

TEST(BatchNormByHand, ShowsTheNumbersThatCanBeCheckedOnPaper) {
  const std::string& text = whole().out;
  for (const char* numbers :
       {"     8   25    5   0.2\n", "   1        -7      49  -1.4    -2.8  -1.8                  -1.8\n",
        "xhat = -1.4, -0.2, 0.2, 1.4\n", "y = -1.8, 0.6, 1.4, 3.8\n", "dbias = 2\n", "dweight = -0.8\n",
        "dvar = 0.032\n", "dmean = -0.8\n", "dx = 0.088, -0.616, 0.616, -0.088\n", "direct = 0.4, -0.4, 0.8, 0\n",
        "through var = -0.112, -0.016, 0.016, 0.112\n", "0.104  -0.128  -0.072   0.096\n",
        "both        32               100       2         -0.8\n", "         = 8.33333\n"}) {
    EXPECT_TRUE(contains(text, numbers)) << numbers;
  }
}

/// x = 1, 2, 4, 8 beside what NumPy and PyTorch make of it.
TEST(BatchNormByHand, TakesNumbersOfTheReader) {
  const Outcome run = lesson("--x 1,2,4,8 --dy 1,-1,2,0.5 --bias 0.5 --eps 1e-5");
  EXPECT_EQ(run.status, 0) << run.out;
  for (const char* numbers :
       {"mean = 3.75", "var = 7.1875:", "= 0.373002", "-1.02575, -0.652753, 0.0932504, 1.58526",
        "-1.55151, -0.805506, 0.686501, 3.67051", "dbias = 2.5", "dweight = 0.606128", "dvar = -0.0843307",
        "dmean = -1.86501", "0.395706, -1.13847, 1.01521, -0.272453", "6.2911e-07", "1.03792e-06"}) {
    EXPECT_TRUE(contains(run.out, numbers)) << numbers;
  }
}

TEST(BatchNormByHand, ClaimsAreTrueForEveryExample) {
  for (const char* numbers :
       {"--x 3,4 --dy 1,2", "--x=-5,0,0,0,0.001,2,3,4 --dy 1,2,3,4,5,6,7,8 --weight 0 --bias 1000 --eps 1",
        "--x 1000000,999999,1000 --dy 0,0,0", "--dy 3,3,3,3 --weight=-0.5",
        "--x 1,1,1,5 --dy 0,0,0,1 --weight 1000 --eps 3", "--x 0.1,0.7,0.3 --dy=-1,0.5,0.25 --eps 1e-5"}) {
    const Outcome run = lesson(numbers);
    EXPECT_EQ(run.status, 0) << numbers << "\n" << run.out;
    EXPECT_FALSE(contains(run.out, "nan")) << numbers;
  }
}

TEST(BatchNormByHand, MistakesShowWithNumbersOfTheReader) {
  for (const char* name : {"--drop-mean-path", "--drop-var-path", "--biased-mix"}) {
    EXPECT_EQ(lesson(std::string("--x 0.1,0.7,0.3 --dy=-1,0.5,0.25 --section 3 ") + name).status, 1) << name;
  }
}

TEST(BatchNormByHand, RefusesNumbersThatMakeNoExample) {
  const std::pair<const char*, const char*> cases[] = {
      {"--x 1,1,1 --dy 1,2,3", "all values are equal"},
      {"--x 1 --dy 1", "2 to 8 numbers, 1 given"},
      {"--x 1,2,3,4,5,6,7,8,9", "2 to 8 numbers, 9 given"},
      {"--x 1,2 --dy 1", "2 expected, 1 given"},
      {"--x 1,nan --dy 1,2", "between -1e6 and 1e6"},
      {"--weight 1e7", "between -1e6 and 1e6"},
      {"--eps -1", "not negative"},
      {"--x 1,1.0000001 --dy 1,2", "too close together"},
      {"--x 1,a", "1,a"},
  };
  for (const auto& [arguments, message] : cases) {
    const Outcome run = lesson(arguments);
    EXPECT_EQ(run.status, 1) << arguments;
    EXPECT_TRUE(contains(run.out, message)) << run.out;
    EXPECT_LE(std::count(run.out.begin(), run.out.end(), '\n'), 2) << run.out;
  }
}

TEST(BatchNormByHand, ReadmeShowsItsTable) {
  const std::string readme = read_file(source_path("examples/README.md"));
  const auto begin = readme.find("   x  direct");
  ASSERT_NE(begin, std::string::npos);
  EXPECT_TRUE(contains(whole().out, readme.substr(begin, readme.find("```", begin) - begin)));
}

TEST(BatchNormByHand, SectionsStandAlone) {
  for (int section = 1; section <= section_count; ++section) {
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
  EXPECT_EQ(std::count(run.out.begin(), run.out.end(), '\n'), section_count);
  EXPECT_TRUE(run.out.starts_with(" 1  Forward, node by node\n 2  Backward, node by node\n"));
}

struct Switch {
  const char* name;
  const char* error;          // of dx for the example
  std::vector<int> sections;  // those whose claims must notice
  int names_its_line;
};

TEST(BatchNormByHand, EachSwitchMakesClaimsFalseAndNamesThem) {
  const Switch switches[] = {
      {"--drop-mean-path", "32.5 %", {2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 14, 16}, 3},
      {"--drop-var-path", "18.2 %", {2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 14, 16}, 3},
      {"--biased-mix", "3.9 %", {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 14, 16}, 1},
  };
  const std::string sources = read_file(source_path("examples/06_batch_norm_by_hand/by_hand.cpp")) +
                              read_file(source_path("examples/06_batch_norm_by_hand/by_hand.hpp"));
  for (const Switch& broken : switches) {
    SCOPED_TRACE(broken.name);
    const Outcome run = lesson(broken.name);
    EXPECT_EQ(run.status, 1);
    EXPECT_TRUE(contains(run.out, " of them false:\n")) << run.out;
    EXPECT_TRUE(contains(run.out, broken.error));
    EXPECT_EQ(lesson(std::string(broken.name) + " --section 2").status, 1);
    EXPECT_EQ(lesson(std::string(broken.name) + " --section 13").status, 0);  // it has no backward pass
    for (int section = 1; section <= section_count; ++section) {
      const bool notices = std::ranges::count(broken.sections, section) > 0;
      EXPECT_EQ(contains(run.out, "\n  section " + std::to_string(section) + ": "), notices) << section;
      EXPECT_EQ(contains(run.out, "\n" + std::to_string(section) + ". "), notices) << section;
    }
    const std::string intro = std::string(broken.name) + " breaks this line of by_hand.";
    const auto begin = run.out.find("\n\n    ", run.out.find(intro));
    ASSERT_NE(begin, std::string::npos);
    EXPECT_TRUE(contains(sources, run.out.substr(begin + 6, run.out.find('\n', begin + 6) - begin - 6)));
    EXPECT_TRUE(
        contains(lesson(std::string(broken.name) + " --section " + std::to_string(broken.names_its_line)).out, intro));
  }
}

/// nn/README.md says which function holds which step.
TEST(BatchNormByHand, DerivationNamesWhatThereIs) {
  const std::string root = source_path("");
  std::string sources;
  for (const char* file :
       {"examples/06_batch_norm_by_hand/by_hand.cpp", "examples/06_batch_norm_by_hand/by_hand.hpp",
        "nn/src/batch_norm.cpp", "nn/src/kernels/batch_norm_body.hpp", "nn/src/kernels/batch_norm_rows.hpp"}) {
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
  for (const char* arguments : {"--section 0", "--section 17", "--section two", "--section", "--no-such-switch"}) {
    const Outcome run = lesson(arguments);
    EXPECT_EQ(run.status, 1) << arguments;
    EXPECT_TRUE(contains(run.out, std::string(arguments).substr(0, 9))) << run.out;
    EXPECT_LE(std::count(run.out.begin(), run.out.end(), '\n'), 2) << run.out;
  }
}

}  // namespace
}  // namespace gradus::test
