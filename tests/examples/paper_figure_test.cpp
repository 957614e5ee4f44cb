#include "../../examples/07_paper_figure/percentiles.hpp"
#include "run.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <sstream>

namespace gradus::test {
namespace {

TEST(Percentiles, InterpolateBetweenNeighbours) {
  std::vector<float> values{40, 10, 30, 20};  // in order, p is at the position p / 100 * 3: 0.45, 1.5, 2.55
  const Percentiles result = percentiles(values);
  EXPECT_DOUBLE_EQ(result.p15, 14.5);
  EXPECT_DOUBLE_EQ(result.p50, 25);
  EXPECT_DOUBLE_EQ(result.p85, 35.5);
}

TEST(Percentiles, OfOneValueAreThatValue) {
  std::vector<float> values{7};
  const Percentiles result = percentiles(values);
  EXPECT_EQ(result.p15, 7);
  EXPECT_EQ(result.p50, 7);
  EXPECT_EQ(result.p85, 7);
}

/// Whether every element ends where it must, every attribute is quoted and every & begins an entity.
bool is_well_formed(const std::string& xml) {
  std::vector<std::string> open;
  bool had_root = false;
  for (std::size_t at = 0; at < xml.size();) {
    if (xml[at] != '<') {
      if (xml[at] == '&' && xml.find(';', at) > at + 5) return false;
      if (open.empty() && !std::isspace(static_cast<unsigned char>(xml[at]))) return false;
      ++at;
      continue;
    }
    const std::size_t end = xml.find('>', at);
    if (end == std::string::npos) return false;
    const std::string tag = xml.substr(at + 1, end - at - 1);
    at = end + 1;
    if (tag[0] == '?') continue;
    if (std::count(tag.begin(), tag.end(), '"') % 2 != 0 || tag.find('<') != std::string::npos) return false;
    if (tag[0] == '/') {
      if (open.empty() || open.back() != tag.substr(1)) return false;
      open.pop_back();
      continue;
    }
    if (open.empty() && std::exchange(had_root, true)) return false;
    if (tag.back() != '/') open.push_back(tag.substr(0, tag.find_first_of(" \n")));
  }
  return had_root && open.empty();
}

TEST(IsWellFormed, SeesWhatIsWrong) {
  EXPECT_TRUE(is_well_formed("<a b=\"1\"><c/>x &amp; y</a>\n"));
  for (const char* wrong : {"", "<a>", "<a></b>", "<a b=\"1></a>", "<a>x & y</a>", "<a/><b/>", "<a></a>x"}) {
    EXPECT_FALSE(is_well_formed(wrong)) << wrong;
  }
}

std::vector<std::string> cut(const std::string& text, char separator) {
  std::vector<std::string> parts;
  std::istringstream in(text);
  for (std::string part; std::getline(in, part, separator);) parts.push_back(part);
  return parts;
}

class PaperFigure : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() / ("gradus_paper_figure_" + std::to_string(getpid()));
    std::filesystem::create_directories(folder_ / "out");
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string out(const std::string& name) const { return (folder_ / "out" / name).string(); }
  bool nothing_written() const { return std::filesystem::is_empty(folder_ / "out"); }
  Outcome draw(const std::string& arguments, const std::string& name = "figure") const {
    return run_example("07_paper_figure --threads 1 --out " + out(name) + " " + arguments);
  }

  /// The four files of MNIST with images of 28 x 28 pixels, which show a bright stripe where their label says.
  std::string write_mnist(const std::string& name, int images) const {
    const std::filesystem::path data = folder_ / name;
    std::filesystem::create_directories(data);
    const auto big_endian = [](int n) { return std::string{0, 0, static_cast<char>(n >> 8), static_cast<char>(n)}; };
    for (const char* part : {"train", "t10k"}) {
      std::string pixels = std::string("\0\0\x08\x03", 4) + big_endian(images) + big_endian(28) + big_endian(28);
      std::string labels = std::string("\0\0\x08\x01", 4) + big_endian(images);
      for (int i = 0; i < images; ++i) {
        std::string image(28 * 28, '\x10');
        image.replace(static_cast<std::size_t>(i % 10 * 56), 28, 28, '\xf0');
        pixels += image;
        labels += static_cast<char>(i % 10);
      }
      std::ofstream(data / (std::string(part) + "-images-idx3-ubyte"), std::ios::binary) << pixels;
      std::ofstream(data / (std::string(part) + "-labels-idx1-ubyte"), std::ios::binary) << labels;
    }
    return data.string();
  }

  std::filesystem::path folder_;
};

TEST_F(PaperFigure, WritesATableAndAPicture) {
  const Outcome run = draw("--steps 250 --eval-every 100 --lr 0.2 --threshold 0.25 --unit 7 --seed 3");
  ASSERT_EQ(run.status, 0) << run.out;
  const auto rows = cut(read_file(out("figure.csv")), '\n');
  ASSERT_EQ(rows.size(), 4u);
  EXPECT_EQ(rows[0],
            "step,plain_accuracy,batch_norm_accuracy,plain_p15,plain_p50,plain_p85,batch_norm_p15,batch_norm_p50,"
            "batch_norm_p85");
  const char* steps[] = {"100", "200", "250"};
  for (std::size_t row = 1; row < rows.size(); ++row) {
    const auto cells = cut(rows[row], ',');
    ASSERT_EQ(cells.size(), 9u) << rows[row];
    EXPECT_EQ(cells[0], steps[row - 1]);
    for (const std::size_t p15 : {3u, 6u}) {
      EXPECT_LT(std::stod(cells[p15]), std::stod(cells[p15 + 1]));
      EXPECT_LT(std::stod(cells[p15 + 1]), std::stod(cells[p15 + 2]));
    }
    EXPECT_NEAR(std::stod(cells[7]), 0, 0.5);  // BatchNorm's bias is still small
    EXPECT_GT(std::stod(cells[2]), std::stod(cells[1]) + 0.3);
  }
  EXPECT_GE(std::stod(cut(rows[3], ',')[2]), 0.85);

  const std::string svg = read_file(out("figure.svg"));
  EXPECT_TRUE(is_well_formed(svg));
  for (const char* words :
       {"not a reproduction", "8 x 8 digits", "250 steps", "the 100 batches", "learning rate 0.2", "deviation 0.1",
        "pixels above 0.25", "sigmoid 7", "seed 3", "1,437 images", "(a) ", "(b) ", "(c) "}) {
    EXPECT_NE(svg.find(words), std::string::npos) << words;
  }
  for (std::size_t at = 0; (at = svg.find("http", at)) != std::string::npos; ++at) {
    EXPECT_EQ(svg.substr(at, 18), "http://www.w3.org/");  // it needs nothing from elsewhere
  }
}

TEST_F(PaperFigure, TheSameSettingsGiveTheSameFiles) {
  const std::string options = "--quiet --steps 60 ";
  ASSERT_EQ(draw(options, "first").status, 0);
  ASSERT_EQ(draw(options, "again").status, 0);
  ASSERT_EQ(draw(options + "--seed 1", "other").status, 0);
  ASSERT_EQ(draw(options + "--unit 1", "unit").status, 0);
  EXPECT_EQ(read_file(out("first.csv")), read_file(out("again.csv")));
  EXPECT_EQ(read_file(out("first.svg")), read_file(out("again.svg")));
  EXPECT_NE(read_file(out("first.csv")), read_file(out("other.csv")));
  const auto cells = [this](const char* name) { return cut(cut(read_file(out(name)), '\n').back(), ','); };
  EXPECT_EQ(cells("first.csv")[1], cells("unit.csv")[1]);  // who watches changes nothing
  EXPECT_NE(cells("first.csv")[4], cells("unit.csv")[4]);
}

TEST_F(PaperFigure, ManyPointsMakeNoLargePicture) {
  ASSERT_EQ(draw("--quiet --steps 1500 --eval-every 1 --data " + write_mnist("set", 60)).status, 0);
  EXPECT_EQ(cut(read_file(out("figure.csv")), '\n').size(), 1501u);
  EXPECT_LT(read_file(out("figure.svg")).size(), 100'000u);
}

TEST_F(PaperFigure, NamesAFolderOfImagesAndReadsIt) {
  const std::string data = write_mnist("a<b&c", 120);
  const Outcome run = draw("--steps 200 --data '" + data + "/'");
  ASSERT_EQ(run.status, 0) << run.out;
  EXPECT_NE(run.out.find("batch_norm_accuracy=1.0000"), std::string::npos) << run.out;
  const std::string svg = read_file(out("figure.svg"));
  EXPECT_TRUE(is_well_formed(svg));
  EXPECT_NE(svg.find("on a&lt;b&amp;c"), std::string::npos);
  EXPECT_NE(svg.find("120 images"), std::string::npos);
  EXPECT_EQ(svg.find("digits"), std::string::npos);
}

TEST_F(PaperFigure, WrongInputEndsWithOneLineAndNoFile) {
  const std::string few = write_mnist("few", 59), good = write_mnist("good", 60);
  for (const std::string& arguments :
       {std::string("--steps 0"), std::string("--steps x"), std::string("--steps 9000000000000000000"),
        std::string("--seed 99999999999999999999 --steps 10"), std::string("--lr nan"), std::string("--lr -1"),
        std::string("--steps 300 --lr 1e39"), std::string("--init-std 1e38"), std::string("--init-std -0.1"),
        std::string("--threshold 1"), std::string("--unit 100"), std::string("--unit -1"),
        std::string("--eval-every 11 --steps 10"), std::string("--threads -1"), std::string("--no-such-option"),
        "--data " + folder_.string() + "/nowhere", "--data " + few, std::string("--data ''")}) {
    const Outcome run = draw("--quiet " + arguments);
    EXPECT_EQ(run.status, 1) << arguments << '\n' << run.out;
    EXPECT_FALSE(run.out.empty()) << arguments;
    EXPECT_LE(std::count(run.out.begin(), run.out.end(), '\n'), 2) << arguments << '\n' << run.out;
    EXPECT_TRUE(nothing_written()) << arguments;
  }
  EXPECT_EQ(draw("--quiet --steps 10", "no/such/folder/figure").status, 1);
  EXPECT_EQ(run_example("07_paper_figure --quiet --steps 10 --out ''", out("")).status, 1);
  EXPECT_TRUE(nothing_written());
}

TEST_F(PaperFigure, InterruptedLeavesTheOldFiles) {
  std::ofstream(out("figure.csv")) << "old";
  const Outcome run = run_example("../examples/07_paper_figure --threads 1 --quiet --steps 1000000 --out " +
                                  out("figure") + " & child=$!; while [ ! -e " + out("figure.svg.part") +
                                  " ]; do :; done; kill -INT $child; wait $child");
  EXPECT_EQ(run.status, 130) << run.out;
  EXPECT_EQ(read_file(out("figure.csv")), "old");
  for (const char* name : {"figure.svg", "figure.svg.part", "figure.csv.part"}) {
    EXPECT_FALSE(std::filesystem::exists(out(name))) << name;
  }
}

}  // namespace
}  // namespace gradus::test
