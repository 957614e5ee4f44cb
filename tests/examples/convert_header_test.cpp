// 08_convert makes the header that export_header makes of the net itself.
#include "files.hpp"
#include "run.hpp"

#include <gradus/gradus.hpp>

namespace gradus::test {
namespace {

/// What `08_convert` says; `arguments` are relative to the folder.
Outcome convert(const TemporaryFolder& folder, const std::string& arguments) {
  return run_example("08_convert " + arguments, folder.path().string());
}

nn::Sequential perceptron() {
  nn::Sequential net{nn::Linear(5, 7), nn::BatchNorm1d(7), nn::Tanh(), nn::Linear(7, 6), nn::Tanh(), nn::Linear(6, 2)};
  net.at<nn::BatchNorm1d>(1).running_mean.fill_(0.25);
  net.eval();
  return net;
}

TEST(ConvertHeader, WritesWhatExportHeaderWrites) {
  const TemporaryFolder folder;
  nn::Sequential net = perceptron();
  for (const std::string weights : {"net.pt", "net.safetensors"}) {
    save(net.state_dict(), folder / weights);
    for (const std::string header : {"net.hpp", "net.h"}) {
      const Outcome outcome = convert(folder, weights + " " + header + " --activation tanh --name digits");
      ASSERT_EQ(outcome.status, 0) << outcome.out;
      EXPECT_NE(outcome.out.find("(2): Tanh()"), std::string::npos) << "it says what it took the net to be";
      nn::export_header(net, folder / ("expected_" + header), {.name = "digits"});
      EXPECT_EQ(read_text(folder / header), read_text(folder / ("expected_" + header)));
    }
  }
}

TEST(ConvertHeader, RefusesWhatIsNoPerceptron) {
  const TemporaryFolder folder;
  save(StateDict{{"0.weight", ones({2, 3, 4})}}, folder / "net.pt");
  const Outcome outcome = convert(folder, "net.pt net.hpp");
  EXPECT_EQ(outcome.status, 1);
  EXPECT_NE(outcome.out.find("'0' is neither a Linear nor a BatchNorm1d"), std::string::npos) << outcome.out;
  save(perceptron().state_dict(), folder / "net.pt");
  EXPECT_NE(convert(folder, "net.pt net.hpp --name 2x").out.find("cannot be a name in C++"), std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(folder / "net.hpp"));
}

}  // namespace
}  // namespace gradus::test
