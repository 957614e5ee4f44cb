#include "files.hpp"
#include "tensors.hpp"

#include <gradus/core/table.hpp>

#include <cmath>

namespace gradus::test {
namespace {

constexpr const char* people =
    "name,age,city,height\n"
    "\"Doe, John\",31,Rome,1.80\n"
    "Ann,?,Oslo,1.70\n"
    "Bob,40,,1.65\n"
    "Cy,22,Rome,NA\n";

struct File {
  TemporaryFolder folder;
  std::string path = folder / "table.csv";

  Table read(const std::string& text, const TableOptions& options = {}) const {
    write_text(path, text);
    return read_table(path, options);
  }
  void refuse(const std::string& text, const std::string& problem, const TableOptions& options = {}) const {
    expect_error<FileError>("cannot read '" + path + "' as CSV: " + problem, [&] { read(text, options); });
  }
};

using Texts = std::vector<std::string>;

TEST(ReadTable, GuessesKindsFromAllRows) {
  const Table table = File().read(people);
  EXPECT_EQ(table.rows(), 4);
  ASSERT_EQ(table.columns().size(), 4u);
  EXPECT_TRUE(table.column("name").is_text);
  EXPECT_FALSE(table.column("age").is_text);
  EXPECT_EQ(table.column("name").texts[0], "Doe, John");
  EXPECT_EQ(table.column("age").numbers[2], 40);
  EXPECT_TRUE(std::isnan(table.column("age").numbers[1]));
  EXPECT_EQ(table.column("city").texts, (Texts{"Rome", "Oslo"}));
  EXPECT_EQ(table.column("city").codes, (std::vector<std::int32_t>{0, 1, -1, 0}));
  EXPECT_EQ(table.missing("age"), 1);
  EXPECT_EQ(table.missing(), 3);

  const Table late = File().read("a,b\n1,2\n1.50,3\nlast,4\n");  // text in the last row alone
  EXPECT_EQ(late.column("a").texts, (Texts{"1", "1.50", "last"}));
  EXPECT_EQ(late.column("b").numbers, (std::vector<double>{2, 3, 4}));
}

TEST(ReadTable, IsToldKindsColumnsAndMissingTexts) {
  const File file;
  EXPECT_EQ(file.read("zip,x\n01234,1\n00099,2\n", {.text = {"zip"}}).column("zip").texts, (Texts{"01234", "00099"}));
  file.refuse("a,b\n1,2\n3,x\n", "line 3, column 2: expected a number, got 'x'", {.numbers = {"b"}});
  file.refuse("x,\"1\n2\"\n", "line 1, column 1: expected a number, got 'x'", {.header = false, .numbers = {0}});
  const Table part = file.read(people, {.columns = {"height", 0}});
  ASSERT_EQ(part.columns().size(), 2u);
  EXPECT_EQ(part.columns()[0].name, "height");
  EXPECT_EQ(part.columns()[1].name, "name");
  EXPECT_EQ(file.read("a\nNA\nx\n", {.missing = {}}).missing(), 0);
  EXPECT_EQ(file.read("a\n-9\n1\n", {.missing = {"-9"}}).missing("a"), 1);
  const Table bare = file.read("5.1,setosa\n7.0,versicolor\n", {.header = false});
  EXPECT_EQ(bare.columns()[1].name, "1");
  EXPECT_EQ(bare.rows(), 2);
  EXPECT_TRUE(file.read("a,b\n?,1\n?,2\n").column("a").numbers.size() == 2);  // nothing but missing values
}

TEST(ReadTable, RefusesFilesThatAreNoTable) {
  const File file;
  file.refuse("", "there are no rows in it");
  file.refuse("a,b\n", "there are names, but no rows in it");
  file.refuse("a,b\n1,2\n3\n", "line 3: expected 2 columns as in the header, got 1");
  file.refuse(
      "a,b\n1,2,3\n",
      "line 2: expected 2 columns as in the header, got 3\nif what is above that line is no part of the table, say "
      "{.skip = 1}");
  file.refuse("title\n1,2\n", "line 2: expected 1 columns as in the first line, got 2\nif what is above that line",
              {.header = false});
  file.refuse("a,b,a\n1,2,3\n", "the columns 1 and 3 have one name, 'a'");
  file.refuse("a,b\n1,\"2\n", "line 2: a \" that opens there is never closed");
  file.refuse(std::string("a\nx\0y\n", 6), "line 2, column 1: there is a zero byte in it");
  file.refuse("a\n1e999\n", "line 2, column 1: '1e999' is beyond the range of float64");
  expect_error<KeyError>("there is no column 'c'\nThere are: a, b",
                         [&] { file.read("a,b\n1,2\n", {.columns = {"c"}}); });
  std::string wide = "0";
  for (int i = 1; i < 1'000'000; ++i) wide += ",0";
  file.refuse(wide + "\n", "there are 1000000 columns, a table has at most 100000", {.header = false});
  std::string changed = people;
  for (std::size_t i = 0; i < changed.size(); ++i) {
    try {
      file.read(std::string(people).substr(0, i));
    } catch (const FileError&) {
    }
  }
}

TEST(Table, GivesTensors) {
  const Table table = File().read(people);
  const Tensor x = table.tensor({"height", "age"});
  EXPECT_EQ(x.shape(), Shape({4, 2}));
  EXPECT_EQ(x.dtype(), float32);
  EXPECT_EQ(x[0][0].item<float>(), 1.8f);
  EXPECT_EQ(x[3][1].item<float>(), 22);
  EXPECT_TRUE(std::isnan(x[1][1].item<float>()));
  EXPECT_EQ(table.tensor({"age"}, float64).dtype(), float64);
  EXPECT_EQ(table.drop_missing({"age"}).tensor({"age"}, int64)[1][0].item<std::int64_t>(), 40);
  expect_error<ValueError>("Table::tensor: row 1 of column 'age' is nan, which int64 cannot hold",
                           [&] { table.tensor({"age"}, int64); });
  expect_error<ValueError>("Table::tensor: row 0 of column 'height' is 1.8, which int64 cannot hold",
                           [&] { table.tensor({"height"}, int64); });
  expect_error<TypeError>("column 'city' holds text\nMake numbers of it", [&] { table.tensor({"city"}); });
  expect_error<KeyError>("there is no column 'weight'\nThere are: name, age, city, height",
                         [&] { table.tensor({"weight"}); });
}

TEST(Table, GivesCodesAndOneHotColumns) {
  const Table all = File().read(people);
  expect_error<ValueError>("column 'city' lacks 1 values\nDrop those rows", [&] { all.codes("city"); });
  const Table table = all.drop_missing({"city"});
  const Codes codes = table.codes("city");
  EXPECT_EQ(codes.names, (Texts{"Rome", "Oslo"}));
  expect_tensor(codes.codes, tensor({0, 1, 0}));
  const Codes sorted = table.codes("city", CodeOrder::sorted);
  EXPECT_EQ(sorted.names, (Texts{"Oslo", "Rome"}));
  expect_tensor(sorted.codes, tensor({1, 0, 1}));
  expect_tensor(table.codes("city", {"Bonn", "Oslo", "Rome"}), tensor({2, 1, 2}));
  expect_tensor(table.one_hot("city"), tensor({{0., 1.}, {1., 0.}, {0., 1.}}));
  expect_tensor(table.one_hot("city", {"Bonn", "Oslo", "Rome"}), tensor({{0., 0., 1.}, {0., 1., 0.}, {0., 0., 1.}}));
  expect_error<ValueError>("column 'city' has the unknown value 'Oslo'\nKnown are: Rome",
                           [&] { table.codes("city", {"Rome"}); });
  const Codes numbers = File().read("y\n10\n2.5\n10\n").codes("y");
  EXPECT_EQ(numbers.names, (Texts{"2.5", "10"}));
  expect_tensor(numbers.codes, tensor({1, 0, 1}));
}

TEST(Table, DropsAndFillsWhatIsMissing) {
  Table table = File().read(people);
  EXPECT_EQ(table.drop_missing().rows(), 1);
  EXPECT_EQ(table.drop_missing({"age", "height"}).rows(), 2);
  table.fill_missing("age", Fill::mean);
  EXPECT_EQ(table.column("age").numbers[1], 31);
  table.fill_missing("height", Fill::median);
  EXPECT_EQ(table.column("height").numbers[3], 1.70);
  table.fill_missing("city", "nowhere");
  EXPECT_EQ(table.codes("city").names, (Texts{"Rome", "Oslo", "nowhere"}));
  EXPECT_EQ(table.missing(), 0);
  Table more = File().read("a,b\n1,?\n4,?\n?,?\n");
  more.fill_missing("a", Fill::median);
  EXPECT_EQ(more.column("a").numbers[2], 2.5);
  expect_error<ValueError>("column 'b' has no value at all", [&] { more.fill_missing("b", Fill::mean); });
  more.fill_missing("b", 7);
  EXPECT_EQ(more.column("b").numbers, (std::vector<double>{7, 7, 7}));
  expect_error<TypeError>("column 'city' holds text", [&] { table.fill_missing("city", 1.0); });
  expect_error<TypeError>("column 'age' holds numbers", [&] { table.fill_missing("age", "old"); });
}

TEST(Table, TakesRowsAndIsMadeOfColumns) {
  const Table table = File().read(people).select(tensor({2, 0}));
  EXPECT_EQ(table.rows(), 2);
  EXPECT_EQ(table.column("height").numbers, (std::vector<double>{1.65, 1.80}));
  EXPECT_EQ(table.missing("city"), 1);
  expect_error<IndexError>("Table::select: there is no row 2, there are 2", [&] { table.select(tensor({2})); });
  expect_error<TypeError>("Table::select: expected int64 numbers of rows", [&] { table.select(tensor({1.5})); });
  expect_error<ValueError>("Table: two columns have the name 'a'", [] {
    Table({{.name = "a", .numbers = {1}}, {.name = "a", .numbers = {2}}});
  });
  expect_error<ValueError>("Table: expected columns of one length, got 1 and 2", [] {
    Table({{.name = "a", .numbers = {1}}, {.name = "b", .numbers = {1, 2}}});
  });
  EXPECT_EQ(Table().rows(), 0);
}

}  // namespace
}  // namespace gradus::test
