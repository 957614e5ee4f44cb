// Files that PyTorch writes and gradus reads, and the other way round, where this machine has PyTorch: the same nets
// give the same outputs, and a training goes on where the other side stopped.
#include "files.hpp"
#include "paths.hpp"

#include <gradus/gradus.hpp>

#include <gtest/gtest.h>

#include <cstdlib>

namespace gradus::test {
namespace {

constexpr int batches = 3, before = 5, after = 10;  // as in files_against_torch.py

/// Runs the other side; its exit status.
int run_python(const std::string& action, const TemporaryFolder& folder) {
  const char* python = std::getenv("PYTHON");
  const std::string script = source_path("tests/checks/files_against_torch.py");
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
  return {{"linear", Sequential{Linear(3, 2)}},
          {"norm", Sequential{Linear(3, 4, {.bias = false}), BatchNorm1d(4), nn::ReLU(), Linear(4, 2)}},
          {"not_affine", Sequential{BatchNorm1d(3, {.eps = 0.1, .affine = false}), Linear(3, 2)}},
          {"not_tracking", Sequential{BatchNorm1d(3, {.track_running_stats = false}), Linear(3, 2)}},
          {"cumulative", Sequential{BatchNorm1d(3, {.momentum = std::nullopt}), Linear(3, 2)}},
          {"double", Sequential{Linear(3, 4, {.dtype = float64}), BatchNorm1d(4, {.dtype = float64})}},
          {"named", Sequential({{"hidden", Linear(3, 4)}, {"norm", BatchNorm1d(4)}, {"out", Linear(4, 2)}})},
          {"deep", deep_net()}};
}

std::unique_ptr<optim::Optimizer> optimizer_of(const std::string& name, const std::vector<Tensor>& parameters) {
  using namespace optim;
  if (name == "plain") return std::make_unique<SGD>(parameters, SGDOptions{.lr = 0.1});
  if (name == "nesterov")
    return std::make_unique<SGD>(parameters, SGDOptions{.lr = 0.1, .momentum = 0.5, .nesterov = true});
  if (name == "adam") return std::make_unique<Adam>(parameters, AdamOptions{.lr = 0.01});
  if (name == "amsgrad") return std::make_unique<Adam>(parameters, AdamOptions{.lr = 0.01, .amsgrad = true});
  if (name == "adamw") return std::make_unique<AdamW>(parameters, AdamWOptions{.lr = 0.01});
  if (name == "rmsprop") return std::make_unique<RMSprop>(parameters, RMSpropOptions{.lr = 0.01, .momentum = 0.5});
  return std::make_unique<SGD>(parameters, SGDOptions{.lr = 0.1, .momentum = 0.9, .weight_decay = 0.01});
}

class Training {
 public:
  Training(nn::Sequential net, const std::string& optimizer)
      : net_(std::move(net)), optimizer_(optimizer_of(optimizer, net_.parameters())), schedule_(*optimizer_, 20) {}

  Value::List run(const Tensor& x, const Tensor& y, int first, int count) {
    Value::List losses;
    net_.train();
    for (int step = first; step < first + count; ++step) {
      optimizer_->zero_grad();
      const Tensor loss = nn::functional::cross_entropy(net_(x[step % batches]), y[step % batches]);
      loss.backward();
      optimizer_->step();
      schedule_.step();
      losses.push_back(loss.item());
    }
    return losses;
  }

  void load(const Value& checkpoint) {
    net_.load_state_dict(checkpoint["model"].as_state_dict());
    optimizer_->load_state_dict(checkpoint["optimizer"]);
    schedule_.load_state_dict(checkpoint["scheduler"]);
  }

  optim::TrainingState parts() { return {net_, *optimizer_, &schedule_}; }
  Dtype dtype() const { return net_.parameters()[0].dtype(); }

 private:
  nn::Sequential net_;
  std::unique_ptr<optim::Optimizer> optimizer_;
  optim::CosineAnnealingLR schedule_;
};

/// Calls f(name, training) for every net with one optimiser, and for one net with every optimiser.
template <class F>
void for_each_training(F f) {
  for (auto& [name, net] : nets()) {
    std::vector<std::string> optimizers{"sgd"};
    if (name == "deep") optimizers = {"sgd", "plain", "nesterov", "adam", "amsgrad", "adamw", "rmsprop"};
    for (const std::string& optimizer : optimizers) {
      Training training(net, optimizer);
      f(name + "_" + optimizer, training);
    }
  }
}

// --- from PyTorch

void expect_same_kinds(const TemporaryFolder& folder) {
  const Value kinds = load_value(folder / "torch_kinds.pt", {.share_storage = true});
  EXPECT_EQ(kinds.size(), 24u);
  for (const auto& [name, pair] : kinds.as_dict()) {
    const Tensor &value = pair["value"].as_tensor(), &expected = pair["expected"].as_tensor();
    EXPECT_EQ(value.dtype(), expected.dtype()) << name.as_string();
    EXPECT_EQ(value.shape(), expected.shape()) << name.as_string();
    EXPECT_TRUE(allclose(value, expected, 0, 0, true)) << name.as_string();
  }
  EXPECT_TRUE(kinds["tied"]["value"].as_tensor().shares_storage(kinds["parameter"]["value"].as_tensor()));
}

void expect_same_outputs(const TemporaryFolder& folder) {
  for (const char* extension : {".pt", ".safetensors", ".npz"}) {
    for (auto& [name, net] : nets()) {
      const StateDict file = load(folder / ("torch_" + name + extension));
      const nn::LoadReport report = net.load_state_dict(file.part("state."));
      EXPECT_TRUE(report.defaulted.empty());
      net.eval();
      EXPECT_TRUE(allclose(net(file.at("input")), file.at("output"), 1e-6, 1e-6)) << name << extension;
    }
  }
}

void expect_same_losses(const TemporaryFolder& folder) {
  for_each_training([&](const std::string& name, Training& training) {
    const Value checkpoint = load_value(folder / ("torch_train_" + name + ".pt"));
    training.load(checkpoint);
    const Value::List losses = training.run(checkpoint["x"].as_tensor(), checkpoint["y"].as_tensor(), before, after);
    const Value expected = load_value(folder / ("torch_losses_" + name + ".pt"));
    for (std::size_t i = 0; i < losses.size(); ++i) {
      EXPECT_NEAR(losses[i].as_double(), expected["losses"].as_list()[i].as_double(), 1e-5) << name << " step " << i;
    }
  });
}

// --- to PyTorch

Value kinds_of_values() {
  const double infinite = std::numeric_limits<double>::infinity(), nan = std::numeric_limits<double>::quiet_NaN();
  Value value;
  value["none"] = Value();
  value["yes"] = true;
  value["no"] = false;
  value["text"] = "Größe 𝄞";
  value["tuple"] = Value::tuple({1, Value::tuple(), Value::list({2.5, "x"})});
  value["list"] = Value::list({Value::list(), Value::dict()});
  value["integers"] = Value::list({0, -1, std::int64_t{1} << 31, INT64_MIN, INT64_MAX});
  value["reals"] = Value::list({0.1, -infinite, nan});
  value[7] = Value::dict({{-1, "minus one"}});
  const Tensor weight = randn({2, 3});
  value["tensors"] = StateDict{{"bool", tensor({true, false})},
                               {"int64", tensor({{INT64_MIN}, {INT64_MAX}})},
                               {"float64", tensor({0.1, 1.0 / 3}, float64)},
                               {"scalar", tensor(2.5)},
                               {"empty", zeros({0, 3})},
                               {"row", tensor({{1.0, 2.0}, {3.0, 4.0}})[1]},
                               {"special", tensor({nan, infinite, -0.0})},
                               {"weight", weight},
                               {"tied", weight}};
  return value;
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

/// As a trainer saves them, with the losses that follow.
void write_trainings(const TemporaryFolder& folder) {
  for_each_training([&](const std::string& name, Training& training) {
    const std::string path = folder / ("gradus_train_" + name + ".pt");
    const Tensor x = randn({batches, 8, 3}).to(training.dtype()), y = randint(0, 2, {batches, 8});
    training.run(x, y, 0, before);
    optim::save_checkpoint(path, training.parts());
    Value checkpoint = load_value(path);
    checkpoint["progress"] =
        Value::dict({{"x", x}, {"y", y}, {"losses", Value::list(training.run(x, y, before, after))}});
    save_value(checkpoint, path);
  });
}

TEST(FilesAgainstTorch, GoBothWays) {
  const TemporaryFolder folder;
  const int status = run_python("write", folder);
  if (status == 77 || status == 127) GTEST_SKIP() << "no PyTorch here; PYTHON names an interpreter that has it";
  ASSERT_EQ(status, 0);
  expect_same_kinds(folder);
  expect_same_outputs(folder);
  expect_same_losses(folder);

  manual_seed(0);
  save_value(kinds_of_values(), folder / "gradus_kinds.pt");
  write_outputs(folder);
  write_trainings(folder);
  EXPECT_EQ(run_python("check", folder), 0);
}

}  // namespace
}  // namespace gradus::test
