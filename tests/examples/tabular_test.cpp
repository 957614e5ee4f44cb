// examples/11_tabular as its users meet it.
#include "files.hpp"
#include "paths.hpp"
#include "run.hpp"

#include <gradus/gradus.hpp>

#include <algorithm>
#include <cmath>

namespace gradus::test {
namespace {

const std::string iris = source_path("examples/data/iris.csv");

class Tabular : public ::testing::Test {
 protected:
  std::string path(const std::string& name) const { return folder_ / name; }
  Outcome run(const std::string& arguments) const {
    return run_example("11_tabular " + arguments, folder_.path().string());
  }
  std::string text_of(const std::string& arguments) const {
    const Outcome outcome = run(arguments);
    EXPECT_EQ(outcome.status, 0) << arguments << '\n' << outcome.out;
    return outcome.out;
  }
  void expect_text(const std::string& arguments, const std::string& part) const {
    const std::string text = text_of(arguments);
    EXPECT_NE(text.find(part), text.npos) << text;
  }
  void expect_refusal(const std::string& arguments, const std::string& text) const {
    const Outcome outcome = run(arguments);
    EXPECT_EQ(outcome.status, 1) << arguments;
    EXPECT_NE(outcome.out.find("tabular: " + text), outcome.out.npos) << outcome.out;
  }

  /// A table without a header: kind, size, weight = (10 for "b") + 3 size, and noise nobody can predict.
  void write_numbers(const std::string& name, int rows, bool weights) const {
    std::string text;
    for (int i = 0; i < rows; ++i) {
      const double size = (i * 37 % 100) / 10.0;
      text += std::string(i % 3 == 0 ? "b" : "a") + "," + (i % 11 == 5 ? "?" : std::to_string(size));
      text += weights ? "," + std::to_string((i % 3 == 0 ? 10 : 0) + 3 * size) + "\n" : "\n";
    }
    write_text(path(name), text);
  }

 private:
  TemporaryFolder folder_;
};

double number_after(const std::string& text, const std::string& name) {
  const std::size_t at = text.find(name);
  return at == text.npos ? NAN : std::stod(text.substr(at + name.size()));
}

TEST_F(Tabular, LearnsIris) {
  const std::string text = text_of(iris + " --target species --save iris.pt");
  EXPECT_NE(text.find("rows: 150, columns: 5 (numbers 4, text 1), missing values: 0\n"), text.npos) << text;
  EXPECT_NE(
      text.find("classification of 'species', 3 classes, from 4 columns, 4 numbers; rows: training 90, validation "
                "30, test 30\n"),
      text.npos)
      << text;
  EXPECT_GE(number_after(text, "test accuracy "), 0.9) << text;
  EXPECT_EQ(text, text_of(iris + " --target -1 --save iris.pt"));  // the same column and seed

  write_text(path("new.csv"), "petal_width,petal_length,sepal_width,sepal_length\n0.2,1.4,3.5,5.1\n2.3,5.2,3.0,6.7\n");
  const std::string predicted = text_of("--model iris.pt --predict new.csv");
  EXPECT_EQ(predicted.find("prediction,probability\nsetosa,"), 0u) << predicted;
  EXPECT_NE(predicted.find("\nvirginica,"), predicted.npos) << predicted;
  expect_text("--model iris.pt --predict new.csv --out out.csv", "wrote out.csv, rows: 2\n");
  EXPECT_EQ(read_text(path("out.csv")), predicted);
}

/// The last number of the row of a table.
double last_of(const std::string& text, const std::string& row) {
  const std::size_t begin = text.find("\n" + row + "  "), end = text.find('\n', begin + 1);
  return begin == text.npos ? NAN : std::stod(text.substr(text.rfind(' ', end)));
}

TEST_F(Tabular, LearnsNumbersFromTextAndWhatIsMissing) {
  write_numbers("all.data", 300, true);
  const std::string text = text_of("all.data --target 2 --save net.safetensors --epochs 100");
  EXPECT_NE(text.find("rows: 300, columns: 3 (numbers 2, text 1), missing values: 27\n"), text.npos) << text;
  EXPECT_NE(text.find("regression of '2' from 2 columns, 3 numbers"), text.npos) << text;
  EXPECT_GE(last_of(text, "test"), 0.8) << text;
  EXPECT_LE(last_of(text, "mean of train"), 0.1) << text;

  write_numbers("new.data", 12, false);
  const std::string predicted = text_of("--model net.safetensors --predict new.data --header no");
  EXPECT_EQ(std::count(predicted.begin(), predicted.end(), '\n'), 13) << predicted;
  write_text(path("unknown.data"), "a,1\nc,2\n");
  expect_refusal("--model net.safetensors --predict unknown.data --header no",
                 "column '0' has the unknown value 'c'; Known are: a, b");
  write_text(path("text.data"), "a,1\na,two\n");
  expect_refusal("--model net.safetensors --predict text.data --header no",
                 "cannot read 'text.data' as CSV: line 2, column 2: expected a number, got 'two'");
  write_text(path("short.data"), "kind,weight\na,1\n");
  expect_refusal("--model net.safetensors --predict short.data --header yes", "there is no column '0'");
}

TEST_F(Tabular, KnowsACategoryThatTheTrainingRowsLack) {
  std::string text = "kind,size\n";
  for (int i = 0; i < 60; ++i)
    text += (i % 6 == 0 ? "rare" + std::to_string(i) : "usual") + "," + std::to_string(i) + "\n";
  write_text(path("rare.csv"), text);
  expect_text("rare.csv --target size --epochs 1", "regression of 'size' from 1 columns, 11 numbers");
}

TEST_F(Tabular, FindsOutHowAFileIsWritten) {
  std::string text = "'size of it'  'kind'\n";
  for (int i = 0; i < 20; ++i) text += " " + std::to_string(i) + "\t" + (i % 2 == 0 ? "'a b'\n" : "c\n");
  write_text(path("blanks.txt"), text);
  expect_text("blanks.txt --target kind --epochs 1", "rows: 20, columns: 2 (numbers 1, text 1)");
  expect_text("blanks.txt --target kind --epochs 1", "2 classes, from 1 columns");
  write_text(path("semicolons.txt"), "size;kind\n1;a\n2;c\n");
  expect_refusal("semicolons.txt --target kind", "expected at least 10 rows with a value of 'kind', got 2");
}

TEST_F(Tabular, RefusesWhatItCannotLearn) {
  write_text(path("one.csv"), "x,y\n1,2\n");
  expect_refusal("one.csv --target y", "expected at least 10 rows with a value of 'y', got 1");
  std::string same = "x,y\n", missing = "x,y\n", nothing = "x,y\n";
  for (int i = 0; i < 20; ++i) {
    same += std::to_string(i) + ",yes\n";
    missing += "?," + std::to_string(i % 2) + "\n";
    nothing += std::to_string(i) + ",\n";
  }
  write_text(path("same.csv"), same);
  expect_refusal("same.csv --target y", "the target 'y' has one value only, 'yes': there is nothing to learn");
  write_text(path("missing.csv"), missing);
  expect_refusal("missing.csv --target y", "no column is left to predict 'y' from");
  write_text(path("nothing.csv"), nothing);
  expect_refusal("nothing.csv --target y", "expected at least 10 rows with a value of 'y', got 0");
  expect_refusal("same.csv --target z", "there is no column 'z'; There are: x, y");
  expect_refusal("missing.csv --target y --drop w", "there is no column 'w'");
  expect_refusal("same.csv", "name a table, and its column with --target");
  expect_refusal("no.csv --target y", "cannot open 'no.csv'");
  expect_refusal("--model same.csv --predict same.csv",
                 "cannot read 'same.csv': the extension of 'same.csv' tells no format");
  save({{"x", ones({2})}}, path("other.pt"));
  expect_refusal("--model other.pt --predict same.csv", "'other.pt' is no net of this program: no key 'features'");
  EXPECT_EQ(run(iris + " --target species --epochs 1 > /dev/full").status, 1);
}

}  // namespace
}  // namespace gradus::test
