#include "run.hpp"

#include <gradus/core/io.hpp>

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

namespace gradus::test {
namespace {

class TrainMlp : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() / ("gradus_train_mlp_" + std::to_string(getpid()));
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string path(const std::string& name) const { return (folder_ / name).string(); }
  static Outcome train(const std::string& arguments) { return run_example("03_train_mlp --threads 1 " + arguments); }

  std::filesystem::path folder_;
};

double field(const std::string& line, const std::string& name) {
  const auto at = line.rfind(name + "=");
  return at == std::string::npos ? -1 : std::stod(line.substr(at + name.size() + 1));
}

TEST_F(TrainMlp, LearnsTheDigitsAndShowsIt) {
  const Outcome run = train("--csv " + path("log.csv"));
  ASSERT_EQ(run.status, 0) << run.out;
  EXPECT_GE(field(run.out, "test_accuracy"), 0.97);
  EXPECT_NE(run.out.find("true \\ predicted"), std::string::npos);
  const std::string csv = read_file(path("log.csv"));
  EXPECT_EQ(csv.substr(0, csv.find('\n')), "epoch,train_loss,train_accuracy,test_loss,test_accuracy,seconds");
  EXPECT_EQ(std::count(csv.begin(), csv.end(), '\n'), 21);
  // What PyTorch 1.13 reports for the same recipe and seed: mean loss of the first epoch.
  const auto row = csv.find("\n1,") + 3;
  EXPECT_NEAR(std::stod(csv.substr(row)), 0.6274547981827155, 1e-4);
}

TEST_F(TrainMlp, ResumedTrainingEqualsUninterrupted) {
  const std::string options = "--quiet --epochs 4 --seed 3 --optimizer adam ";
  ASSERT_EQ(train(options + "--save " + path("straight.safetensors")).status, 0);
  // Stopped in the middle of an epoch, by the same signal as Ctrl-C, as soon as there is a checkpoint.
  const std::string saved = path("stopped.safetensors");
  const Outcome stopped =
      run_example("../examples/03_train_mlp --threads 1 " + options + "--save-every 7 --save " + saved +
                  " & child=$!; while [ ! -e " + saved + " ]; do :; done; kill -INT $child; wait $child");
  ASSERT_TRUE(stopped.status == 130 || stopped.status == 0) << stopped.out;
  ASSERT_EQ(train(options + "--resume " + saved + " --save " + saved).status, 0);
  EXPECT_EQ(read_file(saved), read_file(path("straight.safetensors")));
}

TEST_F(TrainMlp, EvaluatesWeightsAndCheckpointsOfEveryFormat) {
  for (const char* name : {"net.safetensors", "net.pt"}) {
    const Outcome trained = train("--quiet --epochs 2 --save " + path(name));
    ASSERT_EQ(trained.status, 0) << trained.out;
    const Outcome tested = train("--quiet --eval " + path(name));
    EXPECT_EQ(tested.status, 0) << tested.out;
    EXPECT_EQ(field(tested.out, "test_accuracy"), field(trained.out, "test_accuracy"));
  }
}

TEST_F(TrainMlp, EvaluatesWeightsAloneAndFusedOnes) {
  const std::string file = path("net.pt");
  const Outcome trained = train("--quiet --epochs 2 --save " + file);
  ASSERT_EQ(trained.status, 0) << trained.out;
  const auto expect_same = [&](const std::string& arguments) {
    const Outcome tested = train("--quiet --eval " + arguments);
    EXPECT_EQ(tested.status, 0) << arguments << '\n' << tested.out;
    EXPECT_NEAR(field(tested.out, "test_loss"), field(trained.out, "test_loss"), 1.1e-4) << arguments;
  };
  StateDict prefixed;
  for (const auto& [name, tensor] : load(file).part("model.")) prefixed["module." + name] = tensor;
  for (const char* extension : {".safetensors", ".pth", ".npz"}) {
    save(load(file).part("model."), path("weights") + extension);
    expect_same(path("weights") + extension);
    save(prefixed, path("prefixed") + extension);
    expect_same(path("prefixed") + extension);
  }
  ASSERT_EQ(run_example("08_convert --fuse-batchnorm --renumber " + file + " " + path("fused.npz")).status, 0);
  expect_same(path("fused.npz") + " --no-batchnorm");
}

TEST_F(TrainMlp, WrongInputEndsWithOneLineAndStatusOne) {
  ASSERT_EQ(train("--quiet --epochs 1 --save " + path("net.safetensors")).status, 0);
  const std::string whole = read_file(path("net.safetensors"));
  std::ofstream(path("cut.safetensors"), std::ios::binary) << whole.substr(0, whole.size() / 2);
  for (const std::string& arguments :
       {std::string("--batch-size 1"),
        std::string("--lr nan"),
        std::string("--epochs 0"),
        std::string("--epochs x"),
        std::string("--seed 99999999999999999999 --epochs 1"),
        std::string("--data ''"),
        std::string("--optimizer lbfgs"),
        std::string("--no-such-option"),
        std::string("--batch-size 100000"),
        "--data " + path("nowhere"),
        std::string("--dataset mnist"),
        "--dataset mnist --data " + path(""),
        "--eval " + path("none.pt"),
        "--eval " + path("cut.safetensors"),
        "--resume " + path("cut.safetensors"),
        "--no-batchnorm --eval " + path("net.safetensors"),
        "--no-batchnorm --epochs 1 --resume " + path("net.safetensors"),
        "--epochs 1 --save " + path("no/such/folder/net.pt"),
        "--epochs 1 --save " + path("net.xyz"),
        std::string("--save ''"),
        std::string("--resume ''"),
        std::string("--eval ''"),
        std::string("--save-every 2"),
        "--eval " + path("net.safetensors") + " --save " + path("other.pt"),
        "--eval " + path("net.safetensors") + " --csv " + path("log.csv"),
        "--epochs 1 --resume " + path("net.safetensors") + " --csv " + path("net.safetensors"),
        "--epochs 1 --save " + path("net.safetensors") + " --csv " + path("net.safetensors")}) {
    const Outcome run = train("--quiet " + arguments);
    EXPECT_EQ(run.status, 1) << arguments << '\n' << run.out;
    EXPECT_FALSE(run.out.empty()) << arguments;
    EXPECT_LE(std::count(run.out.begin(), run.out.end(), '\n'), 2) << arguments << '\n' << run.out;
  }
  EXPECT_EQ(read_file(path("net.safetensors")), whole);
}

TEST_F(TrainMlp, SaysThatItDiverged) {
  for (const char* arguments : {"--lr 1e30", "--lr 1e30 --no-batchnorm"}) {
    const Outcome run = train(std::string("--quiet --epochs 2 ") + arguments);
    EXPECT_EQ(run.status, 1) << arguments;
    EXPECT_NE(run.out.find("the training diverged at step "), std::string::npos) << run.out;
    EXPECT_NE(run.out.find("take a smaller --lr"), std::string::npos) << run.out;
  }
}

TEST_F(TrainMlp, FailsWhenItCannotPrint) { EXPECT_EQ(train("--quiet --epochs 1 >/dev/full").status, 1); }

TEST_F(TrainMlp, GoesOnOnlyWithWhatTheCheckpointHoldsFor) {
  const std::string file = path("net.pt");
  ASSERT_EQ(train("--quiet --epochs 2 --seed 3 --save " + file).status, 0);
  const auto refused = [&](const std::string& other, const std::string& began_with) {
    const Outcome run = train(other + " --quiet --resume " + file);
    EXPECT_EQ(run.status, 1) << other;
    EXPECT_NE(run.out.find("this training began with " + began_with), std::string::npos) << run.out;
    EXPECT_NE(run.out.find("repeat the former to go on"), std::string::npos) << run.out;
  };
  refused("--epochs 3 --seed 3", "--epochs 2, not --epochs 3;");
  refused("--epochs 2 --seed 3 --lr 0.2", "--lr 0.1, not --lr 0.2;");
  refused("--epochs 2 --seed 3 --batch-size 50", "--batch-size 60, not --batch-size 50;");
  refused("--epochs 3 --lr 0.2 --seed 4", "--epochs 2 --lr 0.1 --seed 3, not --epochs 3 --lr 0.2 --seed 4;");
  EXPECT_EQ(train("--quiet --epochs 2 --seed 3 --resume " + file).status, 0);
  // With another seed other images are for testing.
  const Outcome tested = train("--quiet --eval " + file);
  EXPECT_EQ(tested.status, 1);
  EXPECT_NE(tested.out.find("trained with --seed 3"), std::string::npos) << tested.out;
  EXPECT_EQ(train("--quiet --seed 3 --eval " + file).status, 0);
}

/// Needs gnuplot, which examples/run and tests/run install.
TEST_F(TrainMlp, DrawsTheCurvesOfTwoRuns) {
  if (std::system("command -v gnuplot >/dev/null") != 0) GTEST_SKIP() << "gnuplot is not installed";
  ASSERT_EQ(train("--quiet --epochs 2 --no-batchnorm --csv '" + path("plain net.csv") + "'").status, 0);
  const Outcome run =
      train("--quiet --epochs 3 --beside '" + path("plain net.csv") + "' --plot '" + path("curves.svg") + "'");
  ASSERT_EQ(run.status, 0) << run.out;
  const std::string svg = read_file(path("curves.svg"));
  for (const char* words : {"<svg", "mean loss of the epoch", "accuracy, test images", "with BatchNorm", "plain net"}) {
    EXPECT_NE(svg.find(words), std::string::npos) << words;
  }
}

TEST_F(TrainMlp, RefusesAPlotBeforeItTrains) {
  for (const std::string& arguments :
       {"--plot " + path("no/such/folder.svg"), "--plot " + path("a.svg") + " --beside " + path("none.csv"),
        "--beside " + path("none.csv"), std::string("--plot ''"), "--eval x --plot " + path("a.svg")}) {
    const Outcome run = train("--quiet --epochs 100000 " + arguments);
    EXPECT_EQ(run.status, 1) << arguments;
    EXPECT_FALSE(std::filesystem::exists(path("a.svg"))) << arguments;
  }
}

}  // namespace
}  // namespace gradus::test
