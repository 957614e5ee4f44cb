#include "errors.hpp"
#include "files.hpp"

#include <gradus/core/data.hpp>

#include <gtest/gtest.h>

#include <cmath>

namespace gradus {
namespace {

using test::expect_error;
using test::TemporaryFolder;

struct Csv {
  TemporaryFolder folder;
  std::string path = folder / "numbers.csv";

  Tensor read(const std::string& text, CsvOptions options = {}) const {
    test::write_text(path, text);
    return read_csv(path, options);
  }
  void refuse(const std::string& text, const std::string& problem, CsvOptions options = {}) const {
    expect_error<FileError>("cannot read '" + path + "' as CSV: " + problem, [&] { read(text, options); });
  }
};

void expect_table(const Tensor& x, const Shape& shape, const std::vector<float>& elements) {
  ASSERT_EQ(x.shape(), shape);
  ASSERT_EQ(x.dtype(), float32);
  for (std::size_t i = 0; i < elements.size(); ++i) EXPECT_EQ(x.data<float>()[i], elements[i]) << "element " << i;
}

TEST(ReadCsv, ReadsRowsOfNumbers) {
  const Csv csv;
  expect_table(csv.read("1,2,3\n4,5,6\n"), {2, 3}, {1, 2, 3, 4, 5, 6});
  expect_table(csv.read("1,2\n3,4"), {2, 2}, {1, 2, 3, 4});  // the last line may lack its end
  expect_table(csv.read("7"), {1, 1}, {7});
  expect_table(csv.read("-1.5, +2e3 ,\t0.1\r\n1e-3,-0,.5\r\n"), {2, 3}, {-1.5F, 2000, 0.1F, 0.001F, -0.0F, 0.5F});
  expect_table(csv.read("\n1,2\n\n \n3,4\n\n"), {2, 2}, {1, 2, 3, 4});
  expect_table(csv.read("\xEF\xBB\xBF"
                        "1,2\n"),
               {1, 2}, {1, 2});
  expect_table(csv.read("1;2\n3;4\n", {.separator = ';'}), {2, 2}, {1, 2, 3, 4});
  expect_table(csv.read("1\t2\n3\t4\n", {.separator = '\t'}), {2, 2}, {1, 2, 3, 4});
  expect_table(csv.read("width,height\n1,2\n", {.header = true}), {1, 2}, {1, 2});
  expect_table(csv.read("16777217,0.1\n"), {1, 2}, {16777216, 0.1F});  // the nearest float32
}

TEST(ReadCsv, ReadsWhatIsNotFinite) {
  const Tensor x = Csv().read("inf,-inf,nan,Infinity\n");
  EXPECT_EQ(x.data<float>()[0], INFINITY);
  EXPECT_EQ(x.data<float>()[1], -INFINITY);
  EXPECT_TRUE(std::isnan(x.data<float>()[2]));
  EXPECT_EQ(x.data<float>()[3], INFINITY);
}

TEST(ReadCsv, NamesThePlaceOfAMistake) {
  const Csv csv;
  csv.refuse("1,2\n3,four\n", "line 2, column 2: expected a number, got 'four'");
  csv.refuse("1,2\n\n3,4x\n", "line 3, column 2: expected a number, got '4x'");
  csv.refuse("1,,3\n", "line 1, column 2: a number is missing");
  csv.refuse("1,2,\n", "line 1, column 3: a number is missing");
  csv.refuse("1,2\n3\n", "line 2: expected 2 columns as in the lines before it, got 1");
  csv.refuse("1,2\n3,4,5\n", "line 2: expected 2 columns as in the lines before it, got 3");
  csv.refuse("1 2\n", "line 1, column 1: expected a number, got '1 2'");
  csv.refuse("1,0x10\n", "line 1, column 2: expected a number, got '0x10'");
  csv.refuse("1,+-3\n", "line 1, column 2: expected a number, got '+-3'");
  csv.refuse("1,1e39\n", "line 1, column 2: '1e39' is beyond the range of float32");
  csv.refuse("1,1e999\n", "line 1, column 2: '1e999' is beyond the range of float32");
  csv.refuse("1," + std::string(1000, 'a') + "\n",
             "line 1, column 2: expected a number, got '" + std::string(40, 'a') + "'");
  csv.refuse("1,2\n3," + std::string("4\0", 2) + "\n", "line 2, column 2: expected a number");
}

TEST(ReadCsv, SaysHowToSkipALineOfNames) {
  const Csv csv;
  csv.refuse("width,height\n1,2\n",
             "line 1, column 1: expected a number, got 'width'\nif the first line holds names, say {.header = true}");
  csv.refuse("width,height\nx,2\n", "line 2, column 1: expected a number, got 'x'", {.header = true});
}

TEST(ReadCsv, RefusesFilesWithoutNumbers) {
  const Csv csv;
  csv.refuse("", "there are no numbers in it");
  csv.refuse("\n \n", "there are no numbers in it");
  csv.refuse("width,height\n", "there are no numbers in it", {.header = true});
  const std::string missing = csv.folder / "missing.csv";
  expect_error<FileError>("cannot open '" + missing + "'", [&] { read_csv(missing); });
  const std::string folder = csv.folder.path();
  expect_error<FileError>("cannot read '" + folder + "': it is not a regular file", [&] { read_csv(folder); });
}

}  // namespace
}  // namespace gradus
