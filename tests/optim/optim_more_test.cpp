// Optimisers and schedules beside PyTorch 1.13: tests/golden/optim_more.json, and what is saved of them in the middle.
#include "errors.hpp"
#include "optim_golden.hpp"

#include <gradus/optim/adagrad.hpp>
#include <gradus/optim/lr_scheduler.hpp>
#include <gradus/optim/nadam.hpp>
#include <gradus/optim/sgd.hpp>

#include <cmath>
#include <memory>

namespace gradus::test {
namespace {

using namespace optim;

const json& golden() { return load_golden("optim_more.json"); }

AdagradOptions read_adagrad(const json& args) {
  AdagradOptions o;
  read_option(args, "lr", o.lr);
  read_option(args, "lr_decay", o.lr_decay);
  read_option(args, "weight_decay", o.weight_decay);
  read_option(args, "initial_accumulator_value", o.initial_accumulator_value);
  read_option(args, "eps", o.eps);
  read_option(args, "maximize", o.maximize);
  return o;
}

NAdamOptions read_nadam(const json& args) {
  NAdamOptions o;
  read_option(args, "lr", o.lr);
  read_option(args, "betas", o.betas);
  read_option(args, "eps", o.eps);
  read_option(args, "weight_decay", o.weight_decay);
  read_option(args, "momentum_decay", o.momentum_decay);
  return o;
}

TEST(Adagrad, StepsAsPyTorch) { expect_golden_runs<Adagrad>("Adagrad", 3, read_adagrad, "optim_more.json"); }
TEST(NAdam, StepsAsPyTorch) { expect_golden_runs<NAdam>("NAdam", 2, read_nadam, "optim_more.json"); }

template <class Kind>
void expect_resumable() {
  Tensor a = ones({3}).requires_grad_(), b = ones({3}).requires_grad_();
  Kind whole({a}, {.lr = 0.1, .weight_decay = 0.1}), resumed({b});
  for (int step = 0; step < 6; ++step) {
    const Tensor g = tensor({1.0, -0.5, 0.25 * step});
    a.set_grad(g.to(float32).clone());
    b.set_grad(g.to(float32).clone());
    if (step == 3) {
      const NoGradGuard no_grad;
      b.copy_(a);
      resumed.load_state_dict(whole.state_dict());
    }
    if (step >= 3) resumed.step();
    whole.step();
  }
  expect_same_bits(b, a, whole.name());
}

TEST(Adagrad, Resumes) { expect_resumable<Adagrad>(); }
TEST(NAdam, Resumes) { expect_resumable<NAdam>(); }

TEST(Adagrad, RefusesOptions) {
  const Tensor p = parameter(1, 1);
  expect_error<ValueError>("Invalid lr_decay value: -1.0", [&] { Adagrad({p}, {.lr_decay = -1}); });
  expect_error<ValueError>("Invalid initial_accumulator_value value: nan",
                           [&] { Adagrad({p}, {.initial_accumulator_value = NAN}); });
  Adagrad adagrad({p});
  expect_error<ValueError>("Adagrad has neither momentum nor betas",
                           [&] { OneCycleLR(adagrad, {.max_lr = 1, .total_steps = 5}); });
}

TEST(NAdam, RefusesOptions) {
  const Tensor p = parameter(1, 1);
  expect_error<ValueError>("Invalid beta parameter at index 1: 1.0", [&] { NAdam({p}, {.betas = {0.5, 1}}); });
  expect_error<ValueError>("Invalid momentum_decay value: -1.0", [&] { NAdam({p}, {.momentum_decay = -1}); });
}

/// An optimiser with two groups, as those of the fixture, and a second one to go on with.
struct Groups {
  std::vector<Tensor> leaves{zeros({2}).requires_grad_(), zeros({2}).requires_grad_()};
  SGD optimizer{{{{leaves[0]}, {.lr = 0.7, .momentum = 0.9}}, {{leaves[1]}, {.lr = 0.3, .momentum = 0.9}}}};
};

std::vector<double> rates(const Optimizer& optimizer) { return {optimizer.lr(0), optimizer.lr(1)}; }

/// Compares the rates of every epoch, and again from a state saved after each. `make` makes the schedule of an
/// optimiser, `step` steps it the i-th time.
template <class Make, class Step>
void expect_rates(const json& recorded, const std::string& what, Make make, Step step) {
  for (std::size_t saved = 0; saved < recorded.size(); ++saved) {
    Groups first, second;
    second.optimizer.set_lr(0, 0.01);
    auto schedule = make(first.optimizer), other = make(second.optimizer);
    for (std::size_t i = 0; i < recorded.size(); ++i) {
      if (i == saved) {
        second.optimizer.load_state_dict(first.optimizer.state_dict());
        other->load_state_dict(schedule->state_dict());
        EXPECT_EQ(other->last_lr(), schedule->last_lr());
        EXPECT_EQ(other->last_epoch(), schedule->last_epoch());
      }
      EXPECT_EQ(rates(first.optimizer), recorded[i].get<std::vector<double>>()) << what << ", epoch " << i;
      if (i >= saved) {
        EXPECT_EQ(rates(second.optimizer), rates(first.optimizer)) << what << ", resumed at " << saved;
      }
      step(*schedule, i);
      if (i >= saved) step(*other, i);
    }
  }
}

double power(std::int64_t epoch) { return std::pow(0.95, static_cast<double>(epoch)); }

template <class T>
T argument(const json& args, const char* name, T otherwise) {
  read_option(args, name, otherwise);
  return otherwise;
}

std::unique_ptr<LRScheduler> make_schedule(Optimizer& o, const std::string& name, const json& args) {
  if (name == "LambdaLR") return std::make_unique<LambdaLR>(o, power);
  if (name == "CosineAnnealingWarmRestarts") {
    return std::make_unique<CosineAnnealingWarmRestarts>(o, args.at("T_0"), argument<std::int64_t>(args, "T_mult", 1),
                                                         argument(args, "eta_min", 0.0));
  }
  const auto total = argument<std::int64_t>(args, "total_iters", 5);
  if (name == "ConstantLR") return std::make_unique<ConstantLR>(o, argument(args, "factor", 1.0 / 3), total);
  return std::make_unique<LinearLR>(o, argument(args, "start_factor", 1.0 / 3), argument(args, "end_factor", 1.0),
                                    total);
}

TEST(LRScheduler, MoreKindsSetTheRatesOfPyTorch) {
  ASSERT_EQ(golden().at("schedules").size(), 8u);
  for (const json& run : golden().at("schedules")) {
    const auto make = [&run](Optimizer& o) { return make_schedule(o, run.at("scheduler"), run.at("args")); };
    expect_rates(run.at("lr_used"), run.at("scheduler"), make, [](LRScheduler& s, std::size_t) { s.step(); });
  }
}

TEST(ReduceLROnPlateau, SetsTheRatesOfPyTorch) {
  const json& metrics = golden().at("metrics");
  ASSERT_EQ(golden().at("plateaus").size(), 5u);
  for (const json& run : golden().at("plateaus")) {
    const json& args = run.at("args");
    PlateauOptions o;
    if (argument<std::string>(args, "mode", "min") == "max") o.mode = PlateauMode::max;
    if (argument<std::string>(args, "threshold_mode", "rel") == "abs") o.threshold_mode = ThresholdMode::abs;
    read_option(args, "patience", o.patience);
    read_option(args, "cooldown", o.cooldown);
    read_option(args, "factor", o.factor);
    read_option(args, "threshold", o.threshold);
    read_option(args, "eps", o.eps);
    if (args.contains("min_lr")) o.min_lr = args.at("min_lr").get<std::vector<double>>();
    expect_rates(
        run.at("lr_used"), args.dump(),
        [&o](Optimizer& optimizer) { return std::make_unique<ReduceLROnPlateau>(optimizer, o); },
        [&metrics](ReduceLROnPlateau& s, std::size_t i) { s.step(golden_number<double>(metrics.at(i))); });
  }
}

TEST(CosineAnnealingWarmRestarts, GoesToPartsOfEpochs) {
  for (const json& run : golden().at("warm_restarts")) {
    Groups groups;
    const auto schedule = make_schedule(groups.optimizer, "CosineAnnealingWarmRestarts", run.at("args"));
    auto& restarts = dynamic_cast<CosineAnnealingWarmRestarts&>(*schedule);
    const json& fractions = golden().at("fractions");
    for (std::size_t i = 0; i < fractions.size(); ++i) {
      restarts.step(fractions.at(i).get<double>());
      EXPECT_EQ(rates(groups.optimizer), run.at("lr_used")[i].get<std::vector<double>>()) << fractions.at(i);
    }
    restarts.step();
    EXPECT_EQ(rates(groups.optimizer), run.at("lr_used").back().get<std::vector<double>>());
    EXPECT_EQ(restarts.last_epoch(), 3);
    expect_error<ValueError>("Expected non-negative epoch, but got -0.5", [&] { restarts.step(-0.5); });
  }
}

/// A SequentialLR with the schedules that it is made of.
template <class... Parts>
struct Sequence {
  Sequence(Optimizer& o, std::vector<std::int64_t> milestones, std::unique_ptr<Parts>... parts)
      : held{std::move(parts)...}, all(o, pointers(), std::move(milestones)) {}
  std::vector<LRScheduler*> pointers() const {
    return std::apply([](const auto&... part) { return std::vector<LRScheduler*>{part.get()...}; }, held);
  }
  SequentialLR* operator->() { return &all; }
  SequentialLR& operator*() { return all; }
  std::tuple<std::unique_ptr<Parts>...> held;
  SequentialLR all;
};

template <class... Parts>
auto sequence(Optimizer& o, std::vector<std::int64_t> milestones, std::unique_ptr<Parts>... parts) {
  return std::make_unique<Sequence<Parts...>>(o, std::move(milestones), std::move(parts)...);
}

/// What expect_rates wants of a schedule.
template <class S>
struct Handle {
  std::unique_ptr<S> sequence;
  SequentialLR* operator->() const { return &sequence->all; }
  SequentialLR& operator*() const { return sequence->all; }
};
template <class S>
Handle(std::unique_ptr<S>) -> Handle<S>;

TEST(SequentialLR, SetsTheRatesOfPyTorch) {
  const json& runs = golden().at("sequential");
  const auto step = [](LRScheduler& s, std::size_t) { s.step(); };
  expect_rates(
      runs.at("linear_cosine"), "linear_cosine",
      [](Optimizer& o) {
        auto warm_up = std::make_unique<LinearLR>(o, 0.1, 1.0, 3);
        return Handle{sequence(o, {3}, std::move(warm_up), std::make_unique<CosineAnnealingLR>(o, 7, 0.01))};
      },
      step);
  expect_rates(
      runs.at("constant_step_exponential"), "constant_step_exponential",
      [](Optimizer& o) {
        auto constant = std::make_unique<ConstantLR>(o, 0.5, 2);
        auto steps = std::make_unique<StepLR>(o, 2, 0.5);
        return Handle{
            sequence(o, {3, 8}, std::move(constant), std::move(steps), std::make_unique<ExponentialLR>(o, 0.9))};
      },
      step);
  expect_rates(
      runs.at("lambda_restarts"), "lambda_restarts",
      [](Optimizer& o) {
        auto lambda = std::make_unique<LambdaLR>(o, power);
        return Handle{sequence(o, {4}, std::move(lambda), std::make_unique<CosineAnnealingWarmRestarts>(o, 2, 2))};
      },
      step);
}

TEST(SequentialLR, RefusesWhatIsNoSequence) {
  Groups groups, others;
  StepLR first(groups.optimizer, 2), second(groups.optimizer, 3), third(groups.optimizer, 4),
      foreign(others.optimizer, 2);
  const auto refuse = [&](const std::string& text, std::vector<LRScheduler*> parts,
                          std::vector<std::int64_t> milestones) {
    expect_error<ValueError>(text, [&] { SequentialLR(groups.optimizer, parts, milestones); });
  };
  refuse("Sequential Schedulers expects number of schedulers provided to be one more than the number of milestone",
         {&first, &second}, {});
  const std::string same =
      "Sequential Schedulers expects all schedulers to belong to the same optimizer, but got "
      "schedulers at index 1 to be ";
  refuse(same + "of another optimizer", {&first, &foreign}, {2});
  refuse(same + "null", {&first, nullptr}, {2});
  refuse(same + "there twice", {&first, &first}, {2});
  refuse("SequentialLR: expected positive milestones", {&first, &second, &third}, {3, 3});
}

TEST(SequentialLR, RefusesAStateAsAWhole) {
  Groups groups;
  LinearLR warm_up(groups.optimizer, 0.1, 1.0, 3);
  StepLR steps(groups.optimizer, 2);
  SequentialLR schedule(groups.optimizer, {&warm_up, &steps}, {3});
  schedule.step();
  Value bad = schedule.state_dict();
  bad["_schedulers"].as_list()[0]["total_iters"] = 7;
  bad["_schedulers"].as_list()[1] = warm_up.state_dict();
  EXPECT_THROW(schedule.load_state_dict(bad), RuntimeError);
  EXPECT_EQ(warm_up.state_dict()["total_iters"].as_int(), 3);
  EXPECT_EQ(schedule.last_epoch(), 1);
  expect_error<RuntimeError>("Error(s) in loading state_dict for SequentialLR",
                             [&] { schedule.load_state_dict(steps.state_dict()); });
}

TEST(ReduceLROnPlateau, NeedsANumberAndRefusesOptions) {
  Groups groups;
  ReduceLROnPlateau plateau(groups.optimizer, {.patience = 0});
  LRScheduler& base = plateau;
  expect_error<ValueError>("ReduceLROnPlateau.step: expected the number that is to improve", [&] { base.step(); });
  plateau.step(full({}, 1.0));
  plateau.step(1.0);
  EXPECT_DOUBLE_EQ(groups.optimizer.lr(1), 0.03);
  groups.optimizer.add_param_group({zeros({1}).requires_grad_()}, {.lr = 1});
  plateau.step(1.0);
  EXPECT_DOUBLE_EQ(groups.optimizer.lr(2), 0.1);
  const auto refuse = [&](const std::string& text, const PlateauOptions& options) {
    expect_error<ValueError>(text, [&] { ReduceLROnPlateau(groups.optimizer, options); });
  };
  refuse("Factor should be < 1.0, got 1.0", {.factor = 1});
  refuse("Invalid factor: nan", {.factor = NAN});
  refuse("expected 3 values for min_lr, got 2", {.min_lr = {0.1, 0.2}});
  Value bad = plateau.state_dict();
  bad["mode"] = "best";
  expect_error<ValueError>("mode best is unknown!", [&] { plateau.load_state_dict(bad); });
}

TEST(LRScheduler, MoreKindsRefuseParameters) {
  Groups groups;
  SGD& o = groups.optimizer;
  expect_error<ValueError>("Starting multiplicative factor expected to be greater than 0", [&] { LinearLR(o, 0); });
  expect_error<ValueError>("Ending multiplicative factor expected to be between 0 and 1", [&] { LinearLR(o, 1, 2); });
  expect_error<ValueError>("LinearLR: expected a positive total_iters, got 0", [&] { LinearLR(o, 0.5, 1, 0); });
  expect_error<ValueError>("Constant multiplicative factor expected to be greater", [&] { ConstantLR(o, 1.5); });
  expect_error<ValueError>("Expected positive integer T_0, but got 0", [&] { CosineAnnealingWarmRestarts(o, 0); });
  expect_error<ValueError>("Expected integer T_mult >= 1, but got 0", [&] { CosineAnnealingWarmRestarts(o, 1, 0); });
  expect_error<ValueError>("Expected 2 lr_lambdas, but got 3", [&] { LambdaLR(o, power, power, power); });
  LambdaLR each(o, power, [](std::int64_t epoch) { return 1 + epoch; });
  each.step();
  EXPECT_EQ(o.lr(1), 0.6);
}

TEST(LRScheduler, MoreKindsSetGroupsThatCameLater) {
  Groups groups;
  CosineAnnealingWarmRestarts restarts(groups.optimizer, 2);
  restarts.step();
  groups.optimizer.add_param_group({zeros({1}).requires_grad_()}, {.lr = 1});
  restarts.step();
  EXPECT_EQ(groups.optimizer.lr(2), 1);
  restarts.step();
  EXPECT_DOUBLE_EQ(groups.optimizer.lr(2), 0.5);

  Groups others;
  LambdaLR lambda(others.optimizer, [](std::int64_t epoch) { return 1.0 / static_cast<double>(epoch + 1); });
  others.optimizer.add_param_group({zeros({1}).requires_grad_()}, {.lr = 1});
  lambda.step();
  EXPECT_EQ(others.optimizer.lr(2), 0.5);
}

}  // namespace
}  // namespace gradus::test
