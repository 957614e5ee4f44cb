// What files_against_torch_test says with PyTorch at hand, said by the small files that it wrote once: see
// tests/golden/files/make_files.py.
#include "files.hpp"
#include "paths.hpp"
#include "tensors.hpp"

#include <gradus/gradus.hpp>

#include <gtest/gtest.h>

namespace gradus::test {
namespace {

const std::string golden = source_path("tests/golden/files/");

nn::Sequential net() {
  return nn::Sequential({{"hidden", nn::Linear(3, 4, {.bias = false})},
                         {"norm", nn::BatchNorm1d(4)},
                         {"relu", nn::ReLU()},
                         {"out", nn::Linear(4, 2)}});
}

TEST(GoldenFiles, HoldTheSameWeightsInEveryFormat) {
  const StateDict expected = load(golden + "state_dict.pt");
  for (const char* name : {"state_dict.safetensors", "state_dict.npz"}) {
    const StateDict state = load(golden + name);
    ASSERT_EQ(state.size(), expected.size());
    for (const auto& [key, tensor] : expected) expect_tensor(state.at(key), tensor);
    EXPECT_NO_THROW(net().load_state_dict(state));
  }
}

TEST(GoldenFiles, AreWrittenAsTheReferenceDoes) {
  const TemporaryFolder folder;
  save(load(golden + "state_dict.pt"), folder / "again.safetensors");
  EXPECT_EQ(read_text(folder / "again.safetensors"), read_text(golden + "state_dict.safetensors"));
}

TEST(GoldenFiles, GiveTheOutputsOfPyTorch) {
  const Value checkpoint = load_value(golden + "checkpoint.pt");
  nn::Sequential model = net();
  model.load_state_dict(checkpoint["model_state_dict"].as_state_dict());
  model.eval();
  EXPECT_LE(max_distance(model(checkpoint["input"].as_tensor()), checkpoint["output"].as_tensor()), 1e-6);
}

template <class Optimizer, class Options>
void expect_same_losses(const std::string& file, const Options& options) {
  const Value saved = load_value(golden + file);
  nn::Sequential model = net();
  model.load_state_dict(saved["model"].as_state_dict());
  Optimizer optimizer(model.parameters(), options);
  optimizer.load_state_dict(saved["optimizer"]);
  EXPECT_EQ(saved["losses"].size(), 10u);
  for (const Value& expected : saved["losses"].as_list()) {
    optimizer.zero_grad();
    const Tensor loss = nn::functional::cross_entropy(model(saved["x"].as_tensor()), saved["y"].as_tensor());
    loss.backward();
    optimizer.step();
    EXPECT_NEAR(loss.item(), expected.as_double(), 1e-5) << file;
  }
}

TEST(GoldenFiles, TrainOnWherePyTorchStopped) {
  // All options but those that the constructors ask for come from the files.
  expect_same_losses<optim::SGD>("training_sgd.pt", optim::SGDOptions{.lr = 1});
  expect_same_losses<optim::Adam>("training_adam.pt", optim::AdamOptions{});
}

}  // namespace
}  // namespace gradus::test
