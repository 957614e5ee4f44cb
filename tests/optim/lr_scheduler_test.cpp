#include "errors.hpp"
#include "golden.hpp"

#include <gradus/optim/adam.hpp>
#include <gradus/optim/lr_scheduler.hpp>
#include <gradus/optim/rmsprop.hpp>
#include <gradus/optim/sgd.hpp>

#include <cmath>
#include <memory>

namespace gradus::test {
namespace {

using namespace optim;

Tensor leaf() {
  Tensor x = zeros({2});
  x.requires_grad_();
  return x;
}

template <class T>
T argument(const json& args, const char* name, T otherwise) {
  return args.contains(name) ? args.at(name).get<T>() : otherwise;
}

OneCycleOptions read_one_cycle(const json& args) {
  OneCycleOptions options{.max_lr = args.at("max_lr").get<double>()};
  for (const auto& [name, member] : {std::pair{"total_steps", &options.total_steps},
                                     {"epochs", &options.epochs},
                                     {"steps_per_epoch", &options.steps_per_epoch}}) {
    if (args.contains(name)) *member = args.at(name).get<std::int64_t>();
  }
  options.pct_start = argument(args, "pct_start", options.pct_start);
  if (argument<std::string>(args, "anneal_strategy", "cos") == "linear") options.anneal_strategy = Anneal::linear;
  options.cycle_momentum = argument(args, "cycle_momentum", true);
  options.div_factor = argument(args, "div_factor", options.div_factor);
  options.final_div_factor = argument(args, "final_div_factor", options.final_div_factor);
  options.three_phase = argument(args, "three_phase", false);
  return options;
}

std::unique_ptr<LRScheduler> make_schedule(Optimizer& optimizer, const std::string& kind, const json& args) {
  if (kind == "StepLR") return std::make_unique<StepLR>(optimizer, args.at("step_size"), args.at("gamma"));
  if (kind == "ExponentialLR") return std::make_unique<ExponentialLR>(optimizer, args.at("gamma"));
  if (kind == "OneCycleLR") return std::make_unique<OneCycleLR>(optimizer, read_one_cycle(args));
  if (kind == "MultiStepLR") {
    return std::make_unique<MultiStepLR>(optimizer, args.at("milestones").get<std::vector<std::int64_t>>(),
                                         args.at("gamma"));
  }
  return std::make_unique<CosineAnnealingLR>(optimizer, args.at("T_max"), argument(args, "eta_min", 0.0));
}

std::unique_ptr<Optimizer> make_optimizer(const json& schedule) {
  const double lr = schedule.at("lr");
  if (schedule.at("optimizer") == "Adam") return std::make_unique<Adam>(std::vector{leaf()}, AdamOptions{.lr = lr});
  return std::make_unique<SGD>(std::vector{leaf()}, SGDOptions{.lr = lr, .momentum = 0.9});
}

TEST(LRScheduler, SetsTheRatesOfPyTorch) {
  const json golden = load_golden("optim.json");
  ASSERT_EQ(golden.at("schedules").size(), 9u);
  for (const json& recorded : golden.at("schedules")) {
    const std::string what = recorded.at("scheduler").get<std::string>() + recorded.at("args").dump();
    const auto optimizer = make_optimizer(recorded);
    const auto schedule = make_schedule(*optimizer, recorded.at("scheduler"), recorded.at("args"));
    for (std::size_t epoch = 0; epoch < recorded.at("lr_used").size(); ++epoch) {
      EXPECT_EQ(optimizer->lr(), recorded.at("lr_used")[epoch].get<double>()) << what << ", epoch " << epoch;
      EXPECT_EQ(optimizer->momentum(), recorded.at("momentum_used")[epoch].get<double>())
          << what << ", epoch " << epoch;
      EXPECT_EQ(schedule->last_lr(), std::vector{optimizer->lr()});
      schedule->step();
    }
    EXPECT_EQ(schedule->last_epoch(), static_cast<std::int64_t>(recorded.at("lr_used").size()));
  }
}

TEST(LRScheduler, KeepsChangesFromOutside) {
  SGD optimizer({leaf()}, {.lr = 1});
  StepLR schedule(optimizer, 2, 0.5);
  schedule.step();
  optimizer.set_lr(0, 0.25);
  schedule.step();
  EXPECT_EQ(optimizer.lr(), 0.125);
}

TEST(LRScheduler, SetsEveryGroupFromItsOwnRate) {
  SGD optimizer({{{leaf()}, {.lr = 1}}, {{leaf()}, {.lr = 0.5}}});
  CosineAnnealingLR schedule(optimizer, 2, 0.25);
  schedule.step();
  EXPECT_NEAR(optimizer.lr(0), 0.625, 1e-15);
  EXPECT_NEAR(optimizer.lr(1), 0.375, 1e-15);
  EXPECT_EQ(schedule.last_lr().size(), 2u);
}

/// The rates of a group that is added, with 0.5, after the first step of a schedule from 1.
template <class Schedule, class... Args>
std::vector<double> rates_of_late_group(std::size_t steps, const Args&... args) {
  SGD optimizer({leaf()}, {.lr = 1});
  Schedule schedule(optimizer, args...);
  schedule.step();
  optimizer.add_param_group({leaf()}, {.lr = 0.5});
  std::vector<double> rates;
  for (std::size_t i = 0; i < steps; ++i) {
    rates.push_back(optimizer.lr(1));
    schedule.step();
    EXPECT_EQ(schedule.last_lr(), (std::vector{optimizer.lr(0), optimizer.lr(1)}));
  }
  return rates;
}

TEST(LRScheduler, SetsGroupsThatCameLater) {
  EXPECT_EQ(rates_of_late_group<StepLR>(3, 1, 0.5), (std::vector{0.5, 0.25, 0.125}));
  EXPECT_EQ(rates_of_late_group<ExponentialLR>(3, 0.5), (std::vector{0.5, 0.25, 0.125}));
  EXPECT_EQ(rates_of_late_group<MultiStepLR>(3, std::vector<std::int64_t>{2, 3}, 0.5), (std::vector{0.5, 0.25, 0.125}));
  EXPECT_EQ(rates_of_late_group<CosineAnnealingLR>(3, 4),  // PyTorch 1.13
            (std::vector{0.5, 0.2928932188134525, 0.08578643762690497}));
  const std::vector<double> rises = rates_of_late_group<CosineAnnealingLR>(8, 3);
  EXPECT_NEAR(rises[2], 0, 1e-15);  // after T_max it rises again, towards the rate it came with
  EXPECT_NEAR(rises[3], 0.125, 1e-15);
}

TEST(LRScheduler, ResumesWithAGroupThatCameLater) {
  SGD whole({leaf()}, {.lr = 1}), resumed({{{leaf()}, {.lr = 1}}, {{leaf()}, {.lr = 0.5}}});
  CosineAnnealingLR schedule(whole, 3, 0.1);
  schedule.step();
  whole.add_param_group({leaf()}, {.lr = 0.5});
  for (const bool seen : {false, true}) {
    if (seen) schedule.step();
    CosineAnnealingLR other(resumed, 3, 0.1);
    resumed.load_state_dict(whole.state_dict());
    other.load_state_dict(schedule.state_dict());
    for (int epoch = 0; epoch < 7; ++epoch) {
      schedule.step();
      other.step();
      EXPECT_EQ(resumed.lr(0), whole.lr(0)) << epoch;
      EXPECT_EQ(resumed.lr(1), whole.lr(1)) << epoch;
    }
  }
}

TEST(OneCycleLR, RefusesAGroupThatCameLaterAndChangesNothing) {
  SGD optimizer({leaf()}, {.lr = 1});
  OneCycleLR schedule(optimizer, {.max_lr = 1, .total_steps = 9});
  optimizer.add_param_group({leaf()}, {.lr = 0.5});
  const double lr = optimizer.lr(0);
  expect_error<KeyError>("OneCycleLR: no max_lr for parameter group 1, which was added later",
                         [&] { schedule.step(); });
  EXPECT_EQ(optimizer.lr(0), lr);
  EXPECT_EQ(optimizer.lr(1), 0.5);
  EXPECT_EQ(schedule.last_epoch(), 0);
}

TEST(LRScheduler, ASecondScheduleStartsFromTheFirstRate) {
  SGD optimizer({leaf()}, {.lr = 1});
  ExponentialLR warm(optimizer, 0.5);
  warm.step();
  CosineAnnealingLR cosine(optimizer, 1);
  EXPECT_EQ(optimizer.lr(), 0.5);
  EXPECT_EQ(optimizer.schedule(0).at("initial_lr"), 1);
}

TEST(LRScheduler, CosineRisesAgain) {
  SGD optimizer({leaf()}, {.lr = 0.1});
  CosineAnnealingLR schedule(optimizer, 3, 0.01);
  for (int epoch = 0; epoch < 3; ++epoch) schedule.step();
  EXPECT_NEAR(optimizer.lr(), 0.01, 1e-15);
  for (int epoch = 0; epoch < 3; ++epoch) schedule.step();
  EXPECT_NEAR(optimizer.lr(), 0.1, 1e-15);
}

TEST(LRScheduler, LeavesItsNumbersInThePrintedGroup) {
  SGD optimizer({leaf()}, {.lr = 0.1});
  StepLR schedule(optimizer, 1);
  schedule.step();
  EXPECT_NE(to_string(optimizer).find("    foreach: None\n    initial_lr: 0.1\n    lr: 0.01"), std::string::npos)
      << to_string(optimizer);
}

TEST(LRScheduler, RefusesParameters) {
  SGD optimizer({leaf()}, {.lr = 0.1});
  expect_error<ValueError>("StepLR: expected a positive step_size, got 0", [&] { StepLR(optimizer, 0); });
  expect_error<ValueError>("Invalid gamma: nan", [&] { StepLR(optimizer, 1, NAN); });
  expect_error<ValueError>("Invalid gamma: -1.0", [&] { MultiStepLR(optimizer, {1}, -1); });
  expect_error<ValueError>("Invalid gamma: inf", [&] { ExponentialLR(optimizer, INFINITY); });
  expect_error<ValueError>("CosineAnnealingLR: expected a positive T_max, got -5",
                           [&] { CosineAnnealingLR(optimizer, -5); });
  expect_error<ValueError>("Invalid eta_min: -1.0", [&] { CosineAnnealingLR(optimizer, 5, -1); });
  EXPECT_TRUE(optimizer.schedule(0).empty());
}

TEST(OneCycleLR, RefusesOptions) {
  SGD optimizer({leaf()}, {.lr = 0.1});
  const auto refuse = [&](const std::string& text, const OneCycleOptions& options) {
    expect_error<ValueError>(text, [&] { OneCycleLR(optimizer, options); });
  };
  refuse("You must define either total_steps OR (epochs AND steps_per_epoch)", {.max_lr = 1});
  refuse("You must define either total_steps OR (epochs AND steps_per_epoch)", {.max_lr = 1, .epochs = 3});
  refuse("Expected positive integer total_steps, but got 0", {.max_lr = 1, .total_steps = 0});
  refuse("Expected positive integer epochs, but got -1", {.max_lr = 1, .epochs = -1, .steps_per_epoch = 3});
  refuse("Expected positive integer steps_per_epoch, but got 0", {.max_lr = 1, .epochs = 1, .steps_per_epoch = 0});
  refuse("Expected float between 0 and 1 pct_start, but got 1.5", {.max_lr = 1, .total_steps = 5, .pct_start = 1.5});
  refuse("expected 1 values for max_lr, got 2", {.max_lr = {1, 2}, .total_steps = 5});
  refuse("expected 1 values for max_lr, got 0", {.total_steps = 5});
  refuse("Invalid learning rate: -1.0", {.max_lr = -1, .total_steps = 5});
  refuse("Invalid learning rate: inf", {.max_lr = 1, .total_steps = 5, .div_factor = 0});
  refuse("Invalid momentum value: 1.0", {.max_lr = 1, .total_steps = 5, .max_momentum = 1});
  EXPECT_EQ(optimizer.lr(), 0.1);
  EXPECT_TRUE(optimizer.schedule(0).empty());
}

TEST(OneCycleLR, RefusesToStepTooFar) {
  SGD optimizer({leaf()}, {.lr = 0.1});
  OneCycleLR schedule(optimizer, {.max_lr = 1, .total_steps = 3});
  for (int step = 0; step < 3; ++step) schedule.step();  // the last of these is one too many, which is tolerated
  const double lr = optimizer.lr();
  for (int again = 0; again < 2; ++again) {
    expect_error<ValueError>("Tried to step 5 times. The specified number of total steps is 3",
                             [&] { schedule.step(); });
  }
  EXPECT_EQ(optimizer.lr(), lr);
  EXPECT_EQ(schedule.last_epoch(), 3);
}

TEST(OneCycleLR, StaysInRangeInTheToleratedStep) {
  Adam optimizer({leaf()});
  OneCycleLR schedule(optimizer, {.max_lr = 1, .total_steps = 2, .anneal_strategy = Anneal::linear});
  schedule.step();
  schedule.step();
  EXPECT_NEAR(optimizer.lr(), 1 / 25.0 / 1e4, 1e-15);
  EXPECT_NEAR(optimizer.momentum(), 0.95, 1e-15);
}

TEST(OneCycleLR, AcceptsAPhaseWithoutLength) {
  SGD optimizer({leaf()}, {.lr = 0.1});
  OneCycleLR schedule(optimizer, {.max_lr = 1, .total_steps = 10, .pct_start = 0.1});  // the rise ends in step 0
  EXPECT_EQ(optimizer.lr(), 1);
  for (int step = 0; step < 9; ++step) schedule.step();
  EXPECT_DOUBLE_EQ(optimizer.lr(), 1 / 25.0 / 1e4);
}

TEST(OneCycleLR, TakesOneValueForEachGroup) {
  RMSprop optimizer({{{leaf()}, {}}, {{leaf()}, {}}});
  OneCycleLR schedule(optimizer,
                      {.max_lr = {1, 2}, .total_steps = 10, .base_momentum = {0.5, 0.25}, .max_momentum = 0.75});
  schedule.step();
  schedule.step();  // the peak
  EXPECT_EQ(optimizer.lr(0), 1);
  EXPECT_EQ(optimizer.lr(1), 2);
  EXPECT_EQ(optimizer.momentum(0), 0.5);
  EXPECT_EQ(optimizer.momentum(1), 0.25);
  EXPECT_EQ(optimizer.schedule(1).at("max_lr"), 2);
}

/// Goes on from a state saved in the middle and compares with a run without interruption.
template <class Schedule, class... Args>
void expect_resumable(const Args&... args) {
  SGD whole({leaf()}, {.lr = 0.7, .momentum = 0.5}), resumed({leaf()}, {.lr = 0.3, .momentum = 0.1});
  Schedule schedule(whole, args...), other(resumed, args...);
  for (int epoch = 0; epoch < 4; ++epoch) schedule.step();
  resumed.load_state_dict(whole.state_dict());
  other.load_state_dict(schedule.state_dict());
  EXPECT_EQ(other.last_epoch(), 4);
  EXPECT_EQ(other.last_lr(), schedule.last_lr());
  for (int epoch = 4; epoch < 9; ++epoch) {
    EXPECT_EQ(resumed.lr(), whole.lr()) << schedule.name() << ", epoch " << epoch;
    EXPECT_EQ(resumed.momentum(), whole.momentum()) << schedule.name() << ", epoch " << epoch;
    schedule.step();
    other.step();
  }
}

TEST(LRScheduler, ResumesExactly) {
  expect_resumable<StepLR>(3, 0.3);
  expect_resumable<MultiStepLR>(std::vector<std::int64_t>{2, 5, 5, 7}, 0.3);
  expect_resumable<ExponentialLR>(0.9);
  expect_resumable<CosineAnnealingLR>(3, 0.01);
  expect_resumable<OneCycleLR>(OneCycleOptions{.max_lr = 0.9, .total_steps = 9, .three_phase = true});
}

TEST(LRScheduler, LoadsItsParametersToo) {
  SGD optimizer({leaf()}, {.lr = 1});
  MultiStepLR schedule(optimizer, {1, 1}, 0.5), other(optimizer, {7}, 0.1);
  other.load_state_dict(schedule.state_dict());
  other.step();
  EXPECT_EQ(optimizer.lr(), 0.25);
}

TEST(LRScheduler, ReadsWhatPyTorchSaves) {
  SGD optimizer({leaf()}, {.lr = 1});
  StepLR schedule(optimizer, 5, 0.5);
  Value saved;
  saved["step_size"] = 2;
  saved["gamma"] = 0.25;
  saved["base_lrs"] = Value::list({1});
  saved["last_epoch"] = 3;
  saved["_step_count"] = 4;
  saved["verbose"] = false;
  saved["_get_lr_called_within_step"] = false;
  saved["_last_lr"] = Value::list({0.25});
  schedule.load_state_dict(saved);
  schedule.step();
  EXPECT_EQ(schedule.last_epoch(), 4);
  EXPECT_EQ(optimizer.lr(), 0.25);
}

TEST(LRScheduler, RefusesTheStateOfAnother) {
  SGD optimizer({leaf()}, {.lr = 1}), two({{{leaf()}, {.lr = 1}}, {{leaf()}, {.lr = 1}}});
  StepLR step(optimizer, 3), step_two(two, 3);
  CosineAnnealingLR cosine(optimizer, 3);
  ExponentialLR exponential(optimizer, 0.5);
  const Value before = step.state_dict();
  const auto with = [&](const char* key, const Value& value) {
    Value state = before;
    state[key] = value;
    return state;
  };
  expect_error<RuntimeError>(
      "Error(s) in loading state_dict for StepLR:\n\tMissing key(s) in state_dict: \"step_size\", \"gamma\". "
      "\n\tUnexpected key(s) in state_dict: \"T_max\", \"eta_min\". ",
      [&] { step.load_state_dict(cosine.state_dict()); });
  expect_error<RuntimeError>(
      "Error(s) in loading state_dict for ExponentialLR:\n\tUnexpected key(s) in state_dict: \"step_size\". ",
      [&] { exponential.load_state_dict(before); });
  expect_error<RuntimeError>(
      "Error(s) in loading state_dict for StepLR:\n\tmismatch for base_lrs: expected 1 numbers, got 2.",
      [&] { step.load_state_dict(step_two.state_dict()); });
  expect_error<RuntimeError>("StepLR.load_state_dict: expected the nested dict that state_dict() makes, got a flat one",
                             [&] { step.load_state_dict(with("base_lrs", ones({1}, float64))); });
  expect_error<ValueError>("StepLR: expected a positive step_size, got 0",
                           [&] { step.load_state_dict(with("step_size", 0)); });
  EXPECT_THROW(step.load_state_dict(with("last_epoch", 1.5)), RuntimeError);
  EXPECT_THROW(step.load_state_dict(with("last_epoch", -1)), ValueError);
  EXPECT_THROW(step.load_state_dict(Value::dict()), RuntimeError);
  EXPECT_THROW(step.load_state_dict(Value(3)), RuntimeError);
  for (const char* key : {"step_size", "gamma", "last_epoch"}) {
    EXPECT_EQ(step.state_dict()[key].as_double(), before[key].as_double()) << key;
  }
}

}  // namespace
}  // namespace gradus::test
