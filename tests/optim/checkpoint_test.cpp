#include "errors.hpp"
#include "files.hpp"
#include "near.hpp"

#include <gradus/nn/activation.hpp>
#include <gradus/nn/batch_norm.hpp>
#include <gradus/nn/linear.hpp>
#include <gradus/nn/sequential.hpp>
#include <gradus/optim/adam.hpp>
#include <gradus/optim/checkpoint.hpp>
#include <gradus/optim/sgd.hpp>

#include <gtest/gtest.h>

namespace gradus::test {
namespace {

/// A training on random batches.
template <class Optimizer>
struct Training {
  explicit Training(std::uint64_t seed)
      : generator(seed), net(make_net(seed)), optimizer(net.parameters(), {.lr = 0.1}) {}
  static nn::Sequential make_net(std::uint64_t seed) {
    manual_seed(seed);
    return nn::Sequential{nn::Linear(3, 5), nn::BatchNorm1d(5), nn::ReLU(), nn::Linear(5, 2)};
  }

  /// One step on a random batch; returns the loss.
  double step() {
    const Tensor x = randn({7, 3}, float32, generator);
    optimizer.zero_grad();
    const Tensor loss = net(x).square().sum();
    loss.backward();
    optimizer.step();
    schedule.step();
    return loss.item();
  }
  optim::TrainingState state() { return {net, optimizer, &schedule, &generator}; }

  Generator generator;
  nn::Sequential net;
  Optimizer optimizer;
  optim::CosineAnnealingLR schedule{optimizer, 9};
};

TEST(Checkpoint, TrainingGoesOnToTheBit) {
  const TemporaryFolder folder;
  for (const char* name : {"a.safetensors", "a.pt"}) {
    Training<optim::AdamW> whole(1), resumed(2);
    for (int i = 0; i < 4; ++i) whole.step();
    Value progress;
    progress["epoch"] = 4;
    optim::save_checkpoint(folder / name, whole.state(), progress);
    EXPECT_EQ(optim::load_checkpoint(folder / name, resumed.state()).at("epoch").as_int(), 4);
    for (int i = 0; i < 4; ++i) EXPECT_EQ(resumed.step(), whole.step()) << name << ", step " << i;
  }
}

TEST(Checkpoint, RefusesAnotherTrainingAndChangesNothing) {
  const TemporaryFolder folder;
  Training<optim::AdamW> saved(1);
  saved.step();
  optim::save_checkpoint(folder / "a.pt", saved.state());

  Training<optim::Adam> other(2);
  const Value before = other.optimizer.state_dict();
  const Tensor weight = other.net.parameters()[0].detach().clone();
  expect_error<RuntimeError>("load_checkpoint: the file is of a training with AdamW, not with Adam",
                             [&] { optim::load_checkpoint(folder / "a.pt", other.state()); });

  optim::StepLR steps(saved.optimizer, 3);
  expect_error<RuntimeError>("load_checkpoint: the file is of a training with CosineAnnealingLR, not with StepLR", [&] {
    optim::load_checkpoint(folder / "a.pt", {saved.net, saved.optimizer, &steps, nullptr});
  });

  nn::Sequential small{nn::Linear(3, 4)};
  optim::AdamW optimizer(small.parameters());
  EXPECT_THROW(optim::load_checkpoint(folder / "a.pt", {small, optimizer}), RuntimeError);
  EXPECT_THROW(optim::load_checkpoint(folder / "b.pt", saved.state()), FileError);

  EXPECT_EQ(max_distance(other.net.parameters()[0], weight), 0);
  EXPECT_EQ(other.optimizer.state_dict()["state"].size(), before["state"].size());
}

TEST(Checkpoint, ReadsOneWithoutProgressAndRefusesWhatIsNone) {
  const TemporaryFolder folder;
  Training<optim::SGD> saved(1), other(2);
  saved.step();
  optim::save_checkpoint(folder / "a.pt", saved.state());
  const Value all = load_value(folder / "a.pt");
  save_value(Value::dict({{"model", all["model"]}, {"optimizer", all["optimizer"]}}), folder / "b.pt");
  EXPECT_EQ(optim::load_checkpoint(folder / "b.pt", {other.net, other.optimizer}).size(), 0u);
  EXPECT_EQ(max_distance(other.net.parameters()[0], saved.net.parameters()[0]), 0);

  save(saved.net.state_dict(), folder / "weights.pt");
  save_value(zeros({2}), folder / "tensor.pt");
  for (const char* name : {"weights.pt", "tensor.pt"}) {
    expect_error<KeyError>("load_checkpoint: '" + (folder / name) + "' has no keys 'model' and 'optimizer'",
                           [&] { optim::load_checkpoint(folder / name, other.state()); });
  }
}

TEST(Checkpoint, RestoresThePartsBeforeTheOneThatDoesNotFit) {
  const TemporaryFolder folder;
  Training<optim::SGD> saved(1), other(2);
  saved.step();
  saved.optimizer.add_param_group({zeros({2})});
  optim::save_checkpoint(folder / "a.pt", saved.state());
  const Tensor weight = other.net.parameters()[0].detach().clone();
  expect_error<ValueError>("loaded state dict has a different number of parameter groups",
                           [&] { optim::load_checkpoint(folder / "a.pt", other.state()); });
  EXPECT_EQ(max_distance(other.net.parameters()[0], weight), 0);
}

}  // namespace
}  // namespace gradus::test
