// Optimisers and schedules as a user writes them: those of the comments in optimizer_with.hpp and schedule.hpp.
#include "errors.hpp"
#include "files.hpp"
#include "optim_golden.hpp"

#include <gradus/nn/linear.hpp>
#include <gradus/optim/checkpoint.hpp>
#include <gradus/optim/optimizer_with.hpp>

#include <algorithm>

namespace gradus::test {
namespace {

struct LionOptions {
  double lr = 1e-4;
  std::array<double, 2> betas = {0.9, 0.99};
  double weight_decay = 0;
  void check() const {
    if (!(lr >= 0)) throw ValueError("Invalid learning rate: " + std::to_string(lr));
  }
  void list(optim::FieldList& list) { list("lr", lr)("betas", betas)("weight_decay", weight_decay); }
};

struct LionState {
  Tensor exp_avg;
  void list(optim::FieldList& list) { list("exp_avg", exp_avg); }
};

struct Lion final : optim::OptimizerWith<LionOptions, LionState> {
  using OptimizerWith::OptimizerWith;
  const char* name() const override { return "Lion"; }
  void step() override {
    update_each([](const LionOptions& o, Tensor& p, const Tensor& g, LionState& state) {
      Tensor& m = state.exp_avg;
      if (!m.defined()) m = zeros_like(p);
      const Tensor c = o.betas[0] * m + (1 - o.betas[0]) * g;
      p.mul_(1 - o.lr * o.weight_decay).sub_(c / c.abs().clamp(1e-30), o.lr);
      m.mul_(o.betas[1]).add_(g, 1 - o.betas[1]);
    });
  }
};

class WarmUp final : public optim::LRScheduler {
 public:
  WarmUp(optim::Optimizer& optimizer, std::int64_t epochs) : LRScheduler(optimizer), epochs_(epochs) { start(); }
  const char* name() const override { return "WarmUp"; }

 private:
  void list(optim::FieldList& list) override { list("epochs", epochs_); }
  double lr_at(std::size_t group, std::int64_t epoch) const override {
    return base_lr(group) * std::min(1.0, static_cast<double>(epoch + 1) / static_cast<double>(epochs_));
  }
  std::int64_t epochs_;
};

struct Training {
  explicit Training(std::uint64_t seed, double lr, std::int64_t warm_up)
      : net((manual_seed(seed), nn::Linear(3, 2))),
        optimizer(net.parameters(), {.lr = lr, .weight_decay = lr}),
        schedule(optimizer, warm_up) {}
  double step(std::uint64_t batch) {
    manual_seed(batch);
    optimizer.zero_grad();
    const Tensor loss = (net(randn({5, 3})) - randn({5, 2})).square().mean();
    loss.backward();
    optimizer.step();
    schedule.step();
    return loss.item();
  }
  optim::TrainingState state() { return {net, optimizer, &schedule}; }

  nn::Linear net;
  Lion optimizer;
  WarmUp schedule;
};

TEST(OptimizerWith, StepsAsWritten) {
  const Tensor p = parameter(2, 0.5);
  Lion lion({p}, {.lr = 0.125, .betas = {0.5, 0.75}, .weight_decay = 0.5});
  lion.step();  // m was 0: the sign of g
  EXPECT_EQ(p.item(), 2 * (1 - 0.125 * 0.5) - 0.125);
  EXPECT_EQ(lion.state_dict()["state"][0]["exp_avg"].as_tensor().item(), 0.25 * 0.5);
  EXPECT_TRUE(p.is_leaf());
  EXPECT_EQ(live_nodes(), 0);
}

TEST(OptimizerWith, ResumesToTheBit) {
  const TemporaryFolder folder;
  for (const char* file : {"a.pt", "a.safetensors"}) {
    Training whole(1, 0.01, 7), resumed(2, 0.5, 2);
    for (std::uint64_t i = 0; i < 4; ++i) whole.step(i);
    optim::save_checkpoint(folder / file, whole.state());
    optim::load_checkpoint(folder / file, resumed.state());
    EXPECT_EQ(to_string(resumed.optimizer), to_string(whole.optimizer));
    for (std::uint64_t i = 4; i < 12; ++i) EXPECT_EQ(resumed.step(i), whole.step(i)) << file << ", step " << i;
    EXPECT_EQ(resumed.optimizer.lr(), whole.optimizer.lr());
  }
}

TEST(OptimizerWith, PrintsAndChecksItsOptions) {
  Tensor p = zeros({2}).requires_grad_();
  Lion lion({p});
  EXPECT_EQ(to_string(lion),
            "Lion (\nParameter Group 0\n    betas: (0.9, 0.99)\n    lr: 0.0001\n    weight_decay: 0\n)");
  EXPECT_EQ(lion.momentum(), 0.9);
  expect_error<ValueError>("Invalid learning rate: -1", [&] { lion.set_lr(0, -1); });
  lion.param_groups()[0].options.lr = -2;
  expect_error<ValueError>("Invalid learning rate: -2", [&] { lion.step(); });
}

struct PlainOptions {
  double lr = 0.5;
  std::string note = "none";
  void check() const {}
  void list(optim::FieldList& list) { list("lr", lr)("note", note); }
};

struct PlainState {
  Tensor rows, seen;
  double weight = 1;
  void list(optim::FieldList& list) { list.any_shape("rows", rows).any_shape("seen", seen).tensor("weight", weight); }
};

/// An optimiser with state of other shapes and dtypes, and without a momentum.
struct Plain final : optim::OptimizerWith<PlainOptions, PlainState> {
  using OptimizerWith::OptimizerWith;
  const char* name() const override { return "Plain"; }
  void step() override {
    update_each([](const PlainOptions& o, Tensor& p, const Tensor& g, PlainState& state) {
      if (!state.rows.defined()) state.rows = zeros({p.size(0)}), state.seen = zeros({}, int64);
      state.rows.add_(g.square().sum(1));
      state.seen.add_(1);
      state.weight *= 0.5;
      p.sub_(g, o.lr * state.weight);
    });
  }
};

TEST(OptimizerWith, KeepsStateOfAnyShape) {
  Tensor p = ones({2, 3}).requires_grad_(), q = ones({2, 3}).requires_grad_();
  p.set_grad(full({2, 3}, 0.5));
  q.set_grad(full({2, 3}, 0.5));
  Plain first({p}, {.note = "kept"}), second({q});
  first.step();
  first.step();
  second.load_state_dict(first.state_dict());
  const Value state = second.state_dict()["state"][0];
  EXPECT_EQ(state["rows"].as_tensor().shape(), Shape({2}));
  EXPECT_EQ(state["seen"].as_tensor().item<std::int64_t>(), 2);
  EXPECT_EQ(state["weight"].as_tensor().item(), 0.25);
  EXPECT_EQ(second.param_groups()[0].options.note, "kept");
  EXPECT_EQ(second.momentum(), 0);
  expect_error<ValueError>("Plain has neither momentum nor betas", [&] { second.set_momentum(0, 0.5); });
}

/// A schedule whose first rate is a part of the base rate.
struct FirstFromBase final : optim::LRScheduler {
  explicit FirstFromBase(optim::Optimizer& o) : LRScheduler(o) { start(); }
  const char* name() const override { return "FirstFromBase"; }
  void check() const override {}
  void list(optim::FieldList&) override {}
  double first_lr(std::size_t group) const override { return base_lr(group) * 0.25; }
  double lr_at(std::size_t group, std::int64_t) const override { return base_lr(group); }
};

/// A schedule that forgets to start.
struct Unstarted final : optim::LRScheduler {
  explicit Unstarted(optim::Optimizer& o) : LRScheduler(o) {}
  const char* name() const override { return "Unstarted"; }
  double lr_at(std::size_t, std::int64_t) const override { return 1; }
};

/// A schedule that one group refuses.
struct Negative final : optim::LRScheduler {
  explicit Negative(optim::Optimizer& o) : LRScheduler(o) { start(); }
  const char* name() const override { return "Negative"; }
  double lr_at(std::size_t group, std::int64_t epoch) const override { return epoch > 0 && group == 1 ? -1 : 0.5; }
};

TEST(Schedule, MayAskForTheBaseRateAtOnce) {
  Tensor p = zeros({2}).requires_grad_();
  Lion lion({p}, {.lr = 0.5});
  FirstFromBase schedule(lion);
  EXPECT_EQ(lion.lr(), 0.125);
  lion.add_param_group({zeros({1}).requires_grad_()}, {.lr = 4});
  schedule.step();
  EXPECT_EQ(lion.lr(0), 0.125);
  EXPECT_EQ(lion.lr(1), 1);
}

TEST(Schedule, SaysThatItWasNotStarted) {
  Tensor p = zeros({2}).requires_grad_();
  Lion lion({p});
  Unstarted schedule(lion);
  expect_error<RuntimeError>("Unstarted: its constructor did not call start()", [&] { schedule.step(); });
}

TEST(Schedule, ChangesNoGroupWhenOneRefusesItsRate) {
  Tensor p = zeros({2}).requires_grad_(), q = zeros({1}).requires_grad_();
  Lion lion({{{p}, {.lr = 1}}, {{q}, {.lr = 2}}});
  Negative schedule(lion);
  lion.set_lr(0, 3);
  expect_error<ValueError>("Invalid learning rate: -1", [&] { schedule.step(); });
  EXPECT_EQ(lion.lr(0), 3);
  EXPECT_EQ(lion.lr(1), 0.5);
  EXPECT_EQ(schedule.last_epoch(), 0);
}

}  // namespace
}  // namespace gradus::test
