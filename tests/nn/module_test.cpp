#include "errors.hpp"
#include "names.hpp"

#include <gradus/core/autograd.hpp>
#include <gradus/core/random.hpp>
#include <gradus/nn/activation.hpp>
#include <gradus/nn/batch_norm.hpp>
#include <gradus/nn/dropout.hpp>

#include <gtest/gtest.h>

#include <set>

namespace gradus {
namespace {

using test::expect_error;
using test::names;

/// A user's module: two children, a parameter and a buffer of its own.
struct Net : nn::Module {
  void state(nn::StateList& list) override {
    list("scale", scale)("calls", calls)("hidden", hidden)("norm", norm)("out", out);
  }
  Tensor forward(const Tensor& x) const override { return out(relu(norm(hidden(x)))) * scale; }

  nn::Parameter scale{ones({2})};
  nn::Buffer calls{zeros({}, int64)};
  nn::Linear hidden{3, 4};
  nn::BatchNorm1d norm{4};
  nn::Linear out{4, 2, {.bias = false}};
};

/// Two layers that share their weight.
struct Tied : nn::Module {
  Tied() { second.weight.tie(first.weight); }
  void state(nn::StateList& list) override { list("first", first)("second", second); }
  Tensor forward(const Tensor& x) const override { return second(first(x)); }

  nn::Linear first{3, 3, {.bias = false}}, second{3, 3, {.bias = false}};
};

void step(nn::Module& module, const Tensor& x) {
  module.zero_grad();
  module(x).square().sum().backward();
  const NoGradGuard no_grad;
  for (Tensor parameter : module.parameters()) {
    if (parameter.grad().defined()) parameter.sub_(parameter.grad(), 0.01);
  }
}

StateDict values(const nn::Module& module) {
  StateDict copy;
  for (const auto& [name, value] : module.state_dict()) copy[name] = value.clone();
  return copy;
}

bool holds(const nn::Module& module, const StateDict& expected) {
  const StateDict state = module.state_dict();
  for (const auto& [name, value] : expected) {
    if (!equal(state.at(name), value)) return false;
  }
  return state.size() == expected.size();
}

// --- the list of state

TEST(Module, ListsOwnStateBeforeThatOfChildren) {
  const Net net;
  EXPECT_EQ(
      names(net.state_dict()),
      (std::vector<std::string>{"scale", "calls", "hidden.weight", "hidden.bias", "norm.weight", "norm.bias",
                                "norm.running_mean", "norm.running_var", "norm.num_batches_tracked", "out.weight"}));
  EXPECT_EQ(net.parameters().size(), 6U);
  EXPECT_EQ(net.named_parameters()[1].first, "hidden.weight");
  EXPECT_TRUE(net.named_parameters()[1].second.is_same(net.hidden.weight));
  EXPECT_EQ(net.buffers().size(), 4U);
  EXPECT_TRUE(net.named_buffers()[0].second.is_same(net.calls));
}

TEST(Module, ListsModulesDepthFirst) {
  Net net;
  const auto named = net.named_modules();
  ASSERT_EQ(named.size(), 4U);
  EXPECT_EQ(named[0].first, "");
  EXPECT_EQ(named[0].second, &net);
  EXPECT_EQ(named[2].first, "norm");
  EXPECT_EQ(named[2].second, &net.norm);
  EXPECT_EQ(net.modules()[3], &net.out);
}

TEST(Module, ATiedParameterIsListedOnceButSavedUnderBothNames) {
  const Tied tied;
  EXPECT_EQ(tied.parameters().size(), 1U);
  EXPECT_EQ(tied.named_parameters().at(0).first, "first.weight");
  EXPECT_EQ(names(tied.state_dict()), (std::vector<std::string>{"first.weight", "second.weight"}));
}

TEST(Module, RefusesNamesThatStateDictsCannotHold) {
  struct Named : nn::Module {
    explicit Named(const char* given) : name(given) {}
    void state(nn::StateList& list) override { list("weight", weight)(name, other); }
    const char* name;
    nn::Parameter weight{ones({1})}, other{zeros({1})};
  };
  EXPECT_EQ(Named("bias").state_dict().size(), 2U);
  expect_error<KeyError>("attribute 'weight' already exists", [] { return Named("weight").state_dict(); });
  expect_error<KeyError>("parameter name can't contain \".\"", [] { return Named("a.b").state_dict(); });
  expect_error<KeyError>("parameter name can't be empty string \"\"", [] { return Named("").state_dict(); });
}

TEST(Module, StateDictFollowsTraining) {
  nn::Linear layer(3, 2);
  const StateDict state = layer.state_dict();
  step(layer, randn({4, 3}));
  EXPECT_TRUE(equal(state.at("weight"), layer.weight));
  EXPECT_FALSE(state.at("weight").requires_grad());
}

TEST(Module, WithoutForwardCannotBeCalled) {
  struct Shell : nn::Module {};
  expect_error<NotImplementedError>("Module [Shell] is missing the required \"forward\" function",
                                    [] { Shell()(ones({1})); });
}

// --- copies

TEST(Module, ACopyTrainsOnItsOwn) {
  Net net;
  const Tensor x = randn({5, 3});
  step(net, x);
  Net copy = net;
  EXPECT_TRUE(equal(copy(x), Net(net)(x)));
  EXPECT_FALSE(copy.hidden.weight.grad().defined());
  EXPECT_TRUE(copy.hidden.weight.requires_grad() && copy.hidden.weight.is_leaf());
  EXPECT_FALSE(copy.hidden.weight.shares_storage(net.hidden.weight));

  const StateDict before = values(net);
  step(copy, x);
  EXPECT_TRUE(holds(net, before));
  EXPECT_FALSE(equal(copy.hidden.weight, net.hidden.weight));
  EXPECT_FALSE(equal(copy.norm.running_mean, net.norm.running_mean));

  net = copy;
  EXPECT_TRUE(holds(net, values(copy)));
  EXPECT_FALSE(net.hidden.weight.shares_storage(copy.hidden.weight));
}

TEST(Module, ACopyKeepsWhatIsFrozenAndTheMode) {
  Net net;
  net.hidden.weight.requires_grad_(false);
  net.eval();
  const Net copy = net;
  EXPECT_FALSE(copy.hidden.weight.requires_grad());
  EXPECT_TRUE(copy.hidden.bias.requires_grad());
  EXPECT_FALSE(copy.training() || copy.norm.training());
}

TEST(Module, MovingKeepsTheTensors) {
  Net net;
  const Tensor weight = net.hidden.weight;
  const Net moved = std::move(net);
  EXPECT_TRUE(moved.hidden.weight.is_same(weight));
}

TEST(Module, ParametersAreChosenAndCounted) {
  Net net;
  EXPECT_EQ(net.parameters([](const std::string& name, const Tensor&) { return name.ends_with("bias"); }).size(), 2U);
  const auto [decay, no_decay] = nn::decay_groups(net);
  EXPECT_EQ(decay.size(), 2U);
  EXPECT_EQ(no_decay.size(), 4U);
  net.hidden.requires_grad_(false);
  EXPECT_EQ(nn::summary(net),
            "Net                           2\n"
            "  hidden: Linear             16\n"
            "  norm: BatchNorm1d           8\n"
            "  out: Linear                 8\n"
            "total                        34\n"
            "trainable                    18\n");
  EXPECT_NE(nn::summary(Tied()).find("  second: Linear           0\ntotal                      9\n"),
            std::string::npos);
}

TEST(Module, CloneKeepsTies) {
  const Tied tied;
  const Tied clone = nn::clone(tied);
  EXPECT_TRUE(clone.first.weight.is_same(clone.second.weight));
  EXPECT_FALSE(clone.first.weight.shares_storage(tied.first.weight));
  EXPECT_TRUE(equal(clone.first.weight, tied.first.weight));
}

TEST(Module, TiedParametersGatherBothGradients) {
  Tied tied;
  nn::Linear first(3, 3, {.bias = false}), second(3, 3, {.bias = false});
  first.load_state_dict({{"weight", tied.first.weight}});
  second.load_state_dict({{"weight", tied.first.weight}});
  const Tensor x = randn({4, 3});
  tied(x).square().sum().backward();
  second(first(x)).square().sum().backward();
  EXPECT_TRUE(allclose(tied.first.weight.grad(), first.weight.grad() + second.weight.grad(), 1e-5, 1e-6));
}

// --- loading

TEST(Module, LoadsWhatAnotherSaved) {
  Net from, into;
  step(from, randn({5, 3}));
  const Tensor handle = into.hidden.weight;
  const nn::LoadReport report = into.load_state_dict(from.state_dict());
  EXPECT_TRUE(holds(into, values(from)));
  EXPECT_TRUE(into.hidden.weight.is_same(handle) && handle.requires_grad());
  EXPECT_FALSE(into.hidden.weight.shares_storage(from.hidden.weight));
  EXPECT_TRUE(report.missing.empty() && report.unexpected.empty() && report.defaulted.empty());
}

TEST(Module, LoadingConvertsFloatingDtypes) {
  nn::Linear layer(2, 3);
  const Tensor weight = randn({3, 2}, float64);
  layer.load_state_dict({{"weight", weight}, {"bias", zeros({3}, float64)}});
  EXPECT_EQ(layer.weight.dtype(), float32);
  EXPECT_TRUE(equal(layer.weight, weight.to(float32)));
}

/// A state of Net with one mistake of every kind.
StateDict wrong_state(const Net& net) {
  StateDict state = values(net);
  state["scale"] = full({2}, 9.0);
  state.erase("hidden.bias");
  state["more"] = ones({1});
  state["out.weight"] = ones({2, 5});
  state["calls"] = tensor(1.5);
  return state;
}

TEST(Module, LoadingTellsEveryMistakeAndChangesNothing) {
  Net net;
  const StateDict before = values(net);
  const std::string told =
      "Error(s) in loading state_dict for Net:\n"
      "\tMissing key(s) in state_dict: \"hidden.bias\". \n"
      "\tUnexpected key(s) in state_dict: \"more\". \n"
      "\tsize mismatch for out.weight: copying a param with shape torch.Size([2, 5]) from checkpoint, the shape in "
      "current model is torch.Size([2, 4]).\n"
      "\tdtype mismatch for calls: copying a param of dtype float32 from checkpoint, the dtype in current model is "
      "int64.";
  expect_error<RuntimeError>(told, [&] { net.load_state_dict(wrong_state(net)); });
  EXPECT_TRUE(holds(net, before));
}

TEST(Module, LooseLoadingForgivesKeysOnly) {
  Net net;
  StateDict state = wrong_state(net);
  const StateDict before = values(net);
  expect_error<RuntimeError>("Error(s) in loading state_dict for Net:\n\tsize mismatch for out.weight",
                             [&] { net.load_state_dict(state, {.strict = false}); });
  EXPECT_TRUE(holds(net, before));

  state.erase("out.weight");
  state.erase("calls");
  const nn::LoadReport report = net.load_state_dict(state, {.strict = false});
  EXPECT_EQ(report.missing, (std::vector<std::string>{"calls", "hidden.bias", "out.weight"}));
  EXPECT_EQ(report.unexpected, std::vector<std::string>{"more"});
  EXPECT_TRUE(equal(net.scale, full({2}, 9.0)));
  EXPECT_TRUE(equal(net.hidden.bias, before.at("hidden.bias")));
}

TEST(Module, AMissingBatchCounterKeepsItsValueAndIsReported) {
  Net net;
  step(net, randn({5, 3}));
  StateDict state = values(net);
  state.erase("norm.num_batches_tracked");
  const nn::LoadReport report = net.load_state_dict(state);
  EXPECT_EQ(report.defaulted, std::vector<std::string>{"norm.num_batches_tracked"});
  EXPECT_TRUE(report.missing.empty());
  EXPECT_EQ(net.norm.num_batches_tracked.item<std::int64_t>(), 1);
  EXPECT_EQ(to_string(report), "<All keys matched successfully>");
}

TEST(Module, OneElementFitsAScalarButNotTheOtherWayRound) {
  Net net;
  StateDict state = values(net);
  state["norm.num_batches_tracked"] = tensor({7});
  net.load_state_dict(state);
  EXPECT_EQ(net.norm.num_batches_tracked.item<std::int64_t>(), 7);
  EXPECT_EQ(net.norm.num_batches_tracked.dim(), 0);

  nn::Linear layer(1, 1);
  expect_error<RuntimeError>("Error(s) in loading state_dict for Linear:\n\tsize mismatch for bias", [&] {
    layer.load_state_dict({{"weight", ones({1, 1})}, {"bias", tensor(1.0)}});
  });
}

TEST(Module, AnUndefinedTensorIsAMissingOne) {
  nn::Linear layer(1, 1);
  StateDict state = values(layer);
  state["bias"] = Tensor();
  expect_error<RuntimeError>("Error(s) in loading state_dict for Linear:\n\tMissing key(s) in state_dict: \"bias\". ",
                             [&] { layer.load_state_dict(state); });
}

// --- what reaches all modules below

TEST(Module, TrainAndEvalReachEveryModule) {
  nn::Sequential net{nn::Sequential{nn::Dropout(), nn::BatchNorm1d(2)}, nn::ReLU()};
  for (const nn::Module* module : net.modules()) EXPECT_TRUE(module->training());
  EXPECT_EQ(&net.eval(), &net);
  for (const nn::Module* module : net.modules()) EXPECT_FALSE(module->training());
  net.train();
  for (const nn::Module* module : net.modules()) EXPECT_TRUE(module->training());
}

TEST(Module, ZeroGradForgetsAndRequiresGradFreezes) {
  Net net;
  const Tensor x = randn({5, 3});
  net(x).sum().backward();
  EXPECT_TRUE(net.out.weight.grad().defined());
  net.zero_grad();
  for (const Tensor& parameter : net.parameters()) EXPECT_FALSE(parameter.grad().defined());

  net.requires_grad_(false);
  EXPECT_FALSE(net(x).requires_grad());
  net.out.requires_grad_();
  net(x).sum().backward();
  EXPECT_TRUE(net.out.weight.grad().defined());
  EXPECT_FALSE(net.hidden.weight.grad().defined());
}

TEST(Module, ConvertingKeepsHandles) {
  Net net;
  const Tensor x = randn({5, 3});
  net(x).sum().backward();
  const Tensor weight = net.hidden.weight, before = weight.clone();
  net.to(float64);
  EXPECT_TRUE(net.hidden.weight.is_same(weight));
  EXPECT_EQ(weight.dtype(), float64);
  EXPECT_TRUE(weight.requires_grad() && weight.is_leaf());
  EXPECT_EQ(weight.grad().dtype(), float64);
  EXPECT_TRUE(equal(weight.to(float32), before));
  EXPECT_EQ(net.norm.running_mean.dtype(), float64);
  EXPECT_EQ(net.norm.num_batches_tracked.dtype(), int64);
  EXPECT_EQ(net(x.to(float64)).dtype(), float64);
  step(net, x.to(float64));
  net.to(float32);
  EXPECT_EQ(net(x).dtype(), float32);
}

TEST(Module, ConvertingBetweenForwardAndBackwardIsNoticed) {
  nn::Linear linear(3, 2);
  const Tensor loss = linear(ones({4, 3})).sum();
  linear.to(float64);
  test::expect_error<RuntimeError>("a leaf of the graph was float32 in the forward pass and is float64 now",
                                   [&] { loss.backward(); });
}

TEST(Module, ConvertingTiedParametersKeepsThemTied) {
  Tied tied;
  tied.to(float64);
  EXPECT_TRUE(tied.first.weight.is_same(tied.second.weight));
  EXPECT_EQ(tied(randn({2, 3}, float64)).dtype(), float64);
}

TEST(Module, ConvertsToFloatingDtypesOnly) {
  Net net;
  expect_error<TypeError>("Module::to expects float32 or float64, got int64", [&] { net.to(int64); });
  EXPECT_EQ(net.scale.dtype(), float32);
}

TEST(Module, AppliesAFunctionToChildrenFirst) {
  Net net;
  std::vector<std::string> order;
  EXPECT_EQ(&net.apply([&](nn::Module& module) { order.push_back(module.name()); }), &net);
  EXPECT_EQ(order, (std::vector<std::string>{"Linear", "BatchNorm1d", "Linear", "Net"}));

  nn::Sequential nested{nn::Sequential{nn::ReLU(), nn::Tanh()}, nn::Sigmoid()};
  order.clear();
  nested.apply([&](nn::Module& module) { order.push_back(module.name()); });
  EXPECT_EQ(order, (std::vector<std::string>{"ReLU", "Tanh", "Sequential", "Sigmoid", "Sequential"}));
}

TEST(Module, TrainsAndForgetsItsGraphs) {
  const std::int64_t before = live_nodes();
  {
    Net net;
    const Tensor x = randn({8, 3}), start = net(x).square().sum().detach();
    for (int i = 0; i < 20; ++i) step(net, x);
    EXPECT_LT(net(x).square().sum().item(), start.item());
    EXPECT_EQ(net.norm.num_batches_tracked.item<std::int64_t>(), 22);
  }
  EXPECT_EQ(live_nodes(), before);
}

}  // namespace
}  // namespace gradus
