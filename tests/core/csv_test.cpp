#include "errors.hpp"
#include "files.hpp"

#include <gradus/core/csv.hpp>

#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace gradus {
namespace {

using test::expect_error;
using test::TemporaryFolder;

struct Csv {
  TemporaryFolder folder;
  std::string path = folder / "numbers.csv";

  Tensor read(const std::string& text, const CsvOptions& options = {}) const {
    test::write_text(path, text);
    return read_csv(path, options);
  }
  void refuse(const std::string& text, const std::string& problem, const CsvOptions& options = {}) const {
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
  csv.refuse(
      "2\n3,4\n",
      "line 2: expected 1 columns as in the lines before it, got 2\nif what is above that line is no part of the "
      "table, say {.skip = 1}");
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

TEST(ReadCsv, ReadsFieldsInQuotes) {
  const Csv csv;
  expect_table(csv.read("\"1\",2\r\n\"3\" , \"4\"\r\n"), {2, 2}, {1, 2, 3, 4});
  expect_table(csv.read("\"a,\"\"b\"\"\nc\",d\n1,2\n", {.header = true}), {1, 2}, {1, 2});
  expect_table(csv.read("'1',2\n", {.quote = '\''}), {1, 2}, {1, 2});
  csv.refuse("1,2\n\"3,4\n5,6\n", "line 2: a \" that opens there is never closed");
  csv.refuse("1,2\n3,4\"5\n", "line 2: there is a \" within a field");
  csv.refuse("1,2\n3,\"4\"5\n", "line 2: there is a \" within a field");
  csv.refuse("1,2\n3,4\"5\n", "line 2, column 2: expected a number, got '4\"5'", {.quote = '\0'});
}

TEST(ReadCsv, ReadsEveryEndOfALineAndRunsOfBlanks) {
  const Csv csv;
  expect_table(csv.read("1,2\r3,4\r"), {2, 2}, {1, 2, 3, 4});
  csv.refuse("1,2\r3,x\r", "line 2, column 2");
  csv.refuse("1,2\r\n3,4\r\n5,x\r\n", "line 3, column 2");
  csv.refuse("\"1\n\",2\n3,x\n", "line 1, column 1: expected a number, got '1\\x0a'");
  expect_table(csv.read(" 0.00632  18.00\t 2.310\n0.02731 0.00   7.070  \n\n", {.separator = ' '}), {2, 3},
               {0.00632F, 18, 2.31F, 0.02731F, 0, 7.07F});
  std::string long_lines;  // longer than what is read at once
  for (int row = 0; row < 3; ++row) {
    for (int i = 0; i < 100'000; ++i) long_lines += std::to_string(i % 10) + ",";
    long_lines += std::to_string(row) + "\r\n";
  }
  const Tensor x = csv.read(long_lines);
  EXPECT_EQ(x.shape(), Shape({3, 100'001}));
  EXPECT_EQ(x[2][100'000].item<float>(), 2);
  csv.refuse(long_lines + "x\n", "line 4, column 1");
}

TEST(ReadCsv, LeavesOutLinesAndComments) {
  const Csv csv;
  expect_table(csv.read("# by hand\n1,2 # the first\n  # none\n3,4\n", {.comment = '#'}), {2, 2}, {1, 2, 3, 4});
  csv.refuse("# by hand\n1,x\n", "line 2, column 2: expected a number, got 'x'", {.comment = '#'});
  expect_table(csv.read("\"#\",b\n1,2\n", {.header = true, .comment = '#'}), {1, 2}, {1, 2});
  expect_table(csv.read("a file\nof 2002\na,b\n1,2\n", {.header = true, .skip = 2}), {1, 2}, {1, 2});
  csv.refuse("a\n1,x\n", "line 2, column 2", {.skip = 1});
  csv.refuse("1\n2\n", "there are no numbers in it", {.skip = 2});
}

TEST(ReadCsv, TakesTheColumnsThatAreNamed) {
  const Csv csv;
  const std::string text = "id,width,kind,height\nx1,1,a,2\nx2,3,b,4\n";
  expect_table(csv.read(text, {.header = true, .columns = {"height", "width"}}), {2, 2}, {2, 1, 4, 3});
  expect_table(csv.read(text, {.header = true, .columns = {1, -1, "width"}}), {2, 3}, {1, 2, 1, 3, 4, 3});
  expect_table(csv.read("5.1,setosa\n7.0,versicolor\n", {.columns = {0}}), {2, 1}, {5.1F, 7});
  expect_error<KeyError>("there is no column 'depth'\nThere are: id, width, kind, height",
                         [&] { csv.read(text, {.header = true, .columns = {"depth"}}); });
  expect_error<KeyError>("there is no column 'width'\nWithout a header",
                         [&] { csv.read("1,2\n", {.columns = {"width"}}); });
  expect_error<IndexError>("there is no column 4, there are 4",
                           [&] { csv.read(text, {.header = true, .columns = {4}}); });
  csv.refuse(text, "line 2, column 3: expected a number, got 'a'", {.header = true, .columns = {"kind"}});
  csv.refuse("1,2\n3\n", "line 2: expected 2 columns as in the lines before it, got 1", {.columns = {0}});
}

TEST(ReadCsv, ReadsMissingNumbersAsNanWhereAsked) {
  const Csv csv;
  const Tensor x = csv.read("1,2,?\n3,NA,4\n5, ,-999\n", {.missing = {"?", "NA", "", "-999"}});
  ASSERT_EQ(x.shape(), Shape({3, 3}));
  for (const int i : {2, 4, 7, 8}) EXPECT_TRUE(std::isnan(x.data<float>()[static_cast<std::size_t>(i)])) << i;
  EXPECT_EQ(x[1][2].item<float>(), 4);
  csv.refuse("1,2\n3,?\n", "line 2, column 2: expected a number, got '?'\nto read it as NaN, say {.missing = {\"?\"}}");
  csv.refuse("1,2\n3,\n", "line 2, column 2: a number is missing\nto read it as NaN, say {.missing = {\"\"}}");
  csv.refuse("1,2\n3,\n", "line 2, column 2: a number is missing, and int64 has no NaN",
             {.missing = {""}, .dtype = int64});
}

TEST(ReadCsv, ReadsTheDtypeThatIsAskedFor) {
  const Csv csv;
  const Tensor x = csv.read("1700000000.25,1e-60\n", {.dtype = float64});
  EXPECT_EQ(x.dtype(), float64);
  EXPECT_EQ(x.data<double>()[0], 1700000000.25);
  EXPECT_EQ(x.data<double>()[1], 1e-60);
  const Tensor n = csv.read("9223372036854775807,-3\n+5,0\n", {.dtype = int64});
  EXPECT_EQ(n.data<std::int64_t>()[0], INT64_MAX);
  EXPECT_EQ(n.data<std::int64_t>()[2], 5);
  csv.refuse("1,2.5\n", "line 1, column 2: expected an integer, got '2.5'", {.dtype = int64});
  csv.refuse("9223372036854775808\n", "line 1, column 1: '9223372036854775808' is beyond the range of int64",
             {.dtype = int64});
  csv.refuse("1e999\n", "line 1, column 1: '1e999' is beyond the range of float64", {.dtype = float64});
  expect_error<ValueError>("read_csv: expected the dtype float32, float64 or int64, got bool",
                           [&] { csv.read("1\n", {.dtype = boolean}); });
}

TEST(ReadCsv, ReadsWhatIsTooSmallAsZero) {
  const Tensor x = Csv().read("1e-400,-1e-400,0.000e-99999999999999999999,1e-60\n1,0." + std::string(400, '0') +
                              "1,1234567890e-400,-0.01E-500\n");
  for (const int i : {0, 1, 2, 3, 5, 6, 7}) EXPECT_EQ(x.data<float>()[static_cast<std::size_t>(i)], 0) << i;
  EXPECT_TRUE(std::signbit(x.data<float>()[1]));
  const Csv csv;
  csv.refuse("1e99999999999999999999\n", "line 1, column 1: '1e99999999999999999999' is beyond");
  csv.refuse("0.001e+400\n", "line 1, column 1: '0.001e+400' is beyond");
  csv.refuse(std::string(400, '9') + "\n", "line 1, column 1: '" + std::string(40, '9') + "' is beyond");
}

TEST(ReadCsv, AdvisesWhatHelpsAndNothingElse) {
  const auto advice = [](const std::string& text, const CsvOptions& options = {}) -> std::string {
    const Csv csv;
    try {
      csv.read(text, options);
    } catch (const FileError& error) {
      const std::string what = error.what();
      return what.find('\n') == what.npos ? "" : what.substr(what.find('\n') + 1);
    }
    return "nothing was thrown";
  };
  const std::string header = "if the first line holds names, say {.header = true}";
  EXPECT_EQ(advice("width,height\n1,2\n"), header);
  EXPECT_EQ(advice(",height\n1,2\n"), header);  // the numbers of rows have no name
  EXPECT_EQ(advice("\"first, last\",\"b\"\n1,x\n"), header);
  for (const char* text : {"?,1\n2,3\n", "5.1,setosa\n7.0,versicolor\n", "setosa,5.1\nversicolor,7\n", "abc,1\n2,3\n",
                           "a,b\nc,d\n", "a\n", "NA,NA\n1,2\n", " ,x\n1,2,3\n", "?,?\n1,2\n"}) {
    EXPECT_EQ(advice(text).find("header"), std::string::npos) << text << advice(text);
  }
  EXPECT_EQ(advice("1;2\n"), "if that separates the numbers, say {.separator = ';'}");
  EXPECT_EQ(advice("1\t2\n"), "if that separates the numbers, say {.separator = '\\t'}");
  EXPECT_EQ(advice("1 2\n"), "if that separates the numbers, say {.separator = ' '}");
  EXPECT_NE(advice("5.1,setosa\n").find("read_table()"), std::string::npos);
}

TEST(ReadCsv, EscapesWhatATerminalWouldObey) {
  const Csv csv;
  csv.refuse(std::string("1,2\n3\0003,4\n", 11), "line 2, column 1: expected a number, got '3\\x003'");
  csv.refuse("1,\x1b[2J\n", "line 1, column 2: expected a number, got '\\x1b[2J'");
  csv.refuse("1,\xff\n", "line 1, column 2: expected a number, got '\\xff'");
}

TEST(ReadCsv, ReadsGzipAndRefusesOtherBytes) {
  const Csv csv;
  // gzip of "1,2\n3,4\n"
  const std::string packed(
      "\x1f\x8b\x08\0\0\0\0\0\x02\x03\x33\xd4\x31\xe2\x32\xd6\x31\xe1\x02\0\x47\x93\x6c\xaf\x08\0\0\0", 28);
  expect_table(csv.read(packed), {2, 2}, {1, 2, 3, 4});
  test::write_text(csv.path, packed.substr(0, 15));
  expect_error<FileError>("cannot read '" + csv.path + "' as gzip", [&] { read_csv(csv.path); });
  csv.refuse(std::string("\xff\xfe\x31\0", 4), "it is text of 16 bits a character");
}

TEST(ReadCsv, SurvivesEveryTruncationAndEveryChangedByte) {
  const Csv csv;
  const std::string text = "\"a\",b # c\r\n1,\"2\"\n3.5,NA\n";
  const CsvOptions options{.header = true, .comment = '#', .missing = {"NA"}};
  std::mt19937 random(1);
  for (std::size_t i = 0; i < text.size(); ++i) {
    std::string changed = text.substr(0, i);
    for (int change = 0; change < 4; ++change) {
      try {
        csv.read(changed, options);
      } catch (const FileError&) {
      }
      changed = text;
      changed[i] = static_cast<char>(random());
    }
  }
}

}  // namespace
}  // namespace gradus
