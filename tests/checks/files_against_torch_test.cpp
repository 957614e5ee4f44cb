// Files that PyTorch writes and gradus reads, and the other way round, where this machine has PyTorch: the same nets
// give the same outputs, and a training goes on where the other side stopped.
#include <gradus/gradus.hpp>

#include <gtest/gtest.h>

#include <cstdlib>

#include "files.hpp"

namespace gradus::test {
namespace {

constexpr int batches = 3, before = 5, after = 10;  // as in files_against_torch.py

/// Runs the other side; its exit status.
int run_python(const std::string& action, const TemporaryFolder& folder) {
  const char* python = std::getenv("PYTHON");
  const std::string script = GRADUS_SOURCE_DIR "/tests/checks/files_against_torch.py";
  return std::system(
             ((python ? python : "python3") + (" '" + script + "' ") + action + " '" + folder / "" + "'").c_str()) /
         256;
}

void add_layer(nn::Sequential& net, std::int64_t in, std::int64_t out) {
  net.push_back(nn::Linear(in, out, {.bias = false}));
  net.push_back(nn::BatchNorm1d(out));
  net.push_back(nn::ReLU());
}

nn::Sequential deep_net() {
  nn::Sequential net;
  add_layer(net, 3, 6);
  add_layer(net, 6, 5);
  add_layer(net, 5, 4);
  net.push_back(nn::Linear(4, 2));
  return net;
}

std::vector<std::pair<std::string, nn::Sequential>> nets() {
  using nn::BatchNorm1d, nn::Linear, nn::Sequential;
  return {{"linear", Sequential(Linear(3, 2))},
          {"norm", Sequential(Linear(3, 4, {.bias = false}), BatchNorm1d(4), nn::ReLU(), Linear(4, 2))},
          {"not_affine", Sequential(BatchNorm1d(3, {.eps = 0.1, .affine = false}), Linear(3, 2))},
          {"not_tracking", Sequential(BatchNorm1d(3, {.track_running_stats = false}), Linear(3, 2))},
          {"cumulative", Sequential(BatchNorm1d(3, {.momentum = std::nullopt}), Linear(3, 2))},
          {"double", Sequential(Linear(3, 4, {.dtype = float64}), BatchNorm1d(4, {.dtype = float64}))},
          {"named", Sequential({{"hidden", Linear(3, 4)}, {"norm", BatchNorm1d(4)}, {"out", Linear(4, 2)}})},
          {"deep", deep_net()}};
}

std::unique_ptr<optim::Optimizer> optimizer_of(const std::string& name, const std::vector<Tensor>& parameters) {
  if (name == "adam") return std::make_unique<optim::Adam>(parameters, optim::AdamOptions{.lr = 0.01});
  if (name == "adamw") return std::make_unique<optim::AdamW>(parameters, optim::AdamWOptions{.lr = 0.01});
  if (name == "rmsprop")
    return std::make_unique<optim::RMSprop>(parameters, optim::RMSpropOptions{.lr = 0.01, .momentum = 0.5});
  return std::make_unique<optim::SGD>(parameters, optim::SGDOptions{.lr = 0.1, .momentum = 0.9, .weight_decay = 0.01});
}

const std::vector<std::string> optimizers{"sgd", "adam", "adamw", "rmsprop"};

Value::List train(nn::Module& net, optim::Optimizer& optimizer, const Tensor& x, const Tensor& y, int first,
                  int count) {
  Value::List losses;
  net.train();
  for (int step = first; step < first + count; ++step) {
    optimizer.zero_grad();
    const Tensor loss = nn::functional::cross_entropy(net(x[step % batches]), y[step % batches]);
    loss.backward();
    optimizer.step();
    losses.push_back(loss.item());
  }
  return losses;
}

void expect_same_outputs(const TemporaryFolder& folder) {
  for (auto& [name, net] : nets()) {
    const StateDict file = load(folder / ("torch_" + name + ".pt"));
    const nn::LoadReport report = net.load_state_dict(file.part("state."));
    EXPECT_TRUE(report.defaulted.empty());
    net.eval();
    EXPECT_TRUE(allclose(net(file.at("input")), file.at("output"), 1e-6, 1e-6)) << name;
  }
}

void expect_same_losses(const TemporaryFolder& folder) {
  for (const std::string& name : optimizers) {
    const Value checkpoint = load_value(folder / ("torch_train_" + name + ".pt"));
    nn::Sequential net = deep_net();
    net.load_state_dict(checkpoint["model"].as_state_dict());
    const auto optimizer = optimizer_of(name, net.parameters());
    optimizer->load_pytorch(checkpoint["optimizer"]);
    const Value::List losses =
        train(net, *optimizer, checkpoint["x"].as_tensor(), checkpoint["y"].as_tensor(), before, after);
    const Value expected = load_value(folder / ("torch_losses_" + name + ".pt"));
    for (std::size_t i = 0; i < losses.size(); ++i) {
      EXPECT_NEAR(losses[i].as_double(), expected["losses"].as_list()[i].as_double(), 1e-5) << name << " step " << i;
    }
  }
}

void write_outputs(const TemporaryFolder& folder) {
  for (auto& [name, net] : nets()) {
    const Dtype dtype = net.parameters()[0].dtype();
    for (int i = 0; i < 3; ++i) net(randn({7, 3}).to(dtype) * 2 + 1);
    net.eval();
    Value value;
    value["state"] = net.state_dict();
    value["input"] = randn({5, 3}).to(dtype);
    value["output"] = net(value["input"].as_tensor()).detach();
    const std::string path = folder / ("gradus_" + name);
    save_value(value, path + ".pt");
    save(value.tensors(), path + ".safetensors");
    save(value.tensors(), path + ".npz");
    save({{"output", value["output"].as_tensor()}}, path + ".npy");
  }
}

void write_trainings(const TemporaryFolder& folder) {
  for (const std::string& name : optimizers) {
    nn::Sequential net = deep_net();
    const auto optimizer = optimizer_of(name, net.parameters());
    const Tensor x = randn({batches, 8, 3}), y = randint(0, 2, {batches, 8});
    train(net, *optimizer, x, y, 0, before);
    Value checkpoint;
    for (const auto& [key, tensor] : net.state_dict()) checkpoint["model"][key] = tensor.clone();
    checkpoint["optimizer"] = optimizer->to_pytorch();
    checkpoint["x"] = x;
    checkpoint["y"] = y;
    checkpoint["losses"] = Value::list(train(net, *optimizer, x, y, before, after));
    save_value(checkpoint, folder / ("gradus_train_" + name + ".pt"));
  }
}

TEST(FilesAgainstTorch, GoBothWays) {
  const TemporaryFolder folder;
  const int status = run_python("write", folder);
  if (status == 77 || status == 127) GTEST_SKIP() << "no PyTorch here; PYTHON names an interpreter that has it";
  ASSERT_EQ(status, 0);
  expect_same_outputs(folder);
  expect_same_losses(folder);

  manual_seed(0);
  write_outputs(folder);
  write_trainings(folder);
  EXPECT_EQ(run_python("check", folder), 0);
}

}  // namespace
}  // namespace gradus::test
