#include "errors.hpp"
#include "optim_golden.hpp"

#include <gradus/core/autograd.hpp>
#include <gradus/core/random.hpp>
#include <gradus/optim/adam.hpp>
#include <gradus/optim/rmsprop.hpp>
#include <gradus/optim/sgd.hpp>

namespace gradus::test {
namespace {

using namespace optim;

/// Two parameters, of which the second gets a gradient in every other step only.
struct Parameters {
  explicit Parameters(Dtype dtype = float32) : a(full({3, 2}, 0.5, dtype)), b(full({4}, -1.0, dtype)) {
    a.requires_grad_();
    b.requires_grad_();
  }
  std::vector<Tensor> list() const { return {a, b}; }
  void set_gradients(int step) {
    manual_seed(static_cast<std::uint64_t>(step));
    a.set_grad(randn({3, 2}).to(a.dtype()));
    b.set_grad(step % 2 ? Tensor() : randn({4}).to(b.dtype()));
  }
  void copy_from(const Parameters& other) {
    const NoGradGuard no_grad;
    a.copy_(other.a);
    b.copy_(other.b);
  }
  Tensor a, b;
};

/// Trains for five steps, hands the state to a fresh optimiser and goes on with both.
template <class Kind, class Options>
void expect_resumable(const Options& options, Dtype dtype) {
  Parameters first(dtype), second(dtype);
  Kind whole(first.list(), options);
  for (int step = 0; step < 5; ++step) {
    first.set_gradients(step);
    whole.step();
  }
  whole.set_lr(0, 0.0123);
  second.copy_from(first);
  Kind resumed(second.list(), Options{.lr = 0.5});
  resumed.load_state_dict(whole.state_dict());
  EXPECT_EQ(to_string(resumed), to_string(whole));
  for (int step = 5; step < 10; ++step) {
    first.set_gradients(step);
    second.set_gradients(step);
    whole.step();
    resumed.step();
  }
  expect_same_bits(second.a, first.a, "a");
  expect_same_bits(second.b, first.b, "b");
}

TEST(OptimizerState, TrainingGoesOnToTheBit) {
  for (const Dtype dtype : {float32, float64}) {
    expect_resumable<SGD>(SGDOptions{.lr = 0.1}, dtype);
    expect_resumable<SGD>(SGDOptions{.lr = 0.1, .momentum = 0.9, .weight_decay = 0.1, .nesterov = true}, dtype);
    expect_resumable<Adam>(AdamOptions{.lr = 0.1, .betas = {0.5, 0.75}, .amsgrad = true}, dtype);
    expect_resumable<AdamW>(AdamWOptions{.lr = 0.1, .eps = 1e-3, .maximize = true}, dtype);
    expect_resumable<RMSprop>(RMSpropOptions{.lr = 0.1}, dtype);
    expect_resumable<RMSprop>(RMSpropOptions{.lr = 0.1, .momentum = 0.5, .centered = true}, dtype);
  }
}

TEST(OptimizerState, NestsAsPyTorch) {
  Parameters p;
  Tensor late = zeros({});
  Adam optimizer(p.list());
  optimizer.add_param_group({late}, {.lr = 0.5});
  p.set_gradients(0);
  optimizer.step();
  const Value state = optimizer.state_dict();
  const Value& first = state["state"][0];
  EXPECT_EQ(first["step"].as_tensor().dtype(), float32);
  EXPECT_EQ(first["step"].as_tensor().shape(), Shape());
  EXPECT_EQ(first["exp_avg"].as_tensor().shape(), Shape({3, 2}));
  EXPECT_FALSE(first.contains("max_exp_avg_sq"));
  EXPECT_EQ(state["state"].size(), 2u);  // `late` had no gradient
  const Value& group = state["param_groups"].as_list()[1];
  std::string keys;
  for (const auto& [key, value] : group.as_dict()) keys += key.as_string() + " ";
  EXPECT_EQ(keys, "lr betas eps weight_decay amsgrad maximize foreach capturable differentiable fused params ");
  EXPECT_EQ(group["betas"].kind(), Value::Kind::tuple);
  EXPECT_TRUE(group["foreach"].is_none());
  EXPECT_EQ(group["params"].as_list()[0].as_int(), 2);

  RMSprop rmsprop(p.list());
  rmsprop.step();
  EXPECT_EQ(rmsprop.state_dict()["state"][1]["step"].as_int(), 1);
  SGD plain(p.list(), {.lr = 1});
  plain.step();
  EXPECT_TRUE(plain.state_dict()["state"][0]["momentum_buffer"].is_none());
}

TEST(OptimizerState, ReadsOtherVersionsOfPyTorch) {
  Parameters p;
  SGD optimizer(p.list(), {.lr = 0.5, .nesterov = false});
  Value group;
  group["lr"] = 0.25;
  group["momentum"] = 0;  // an integer
  group["dampening"] = 0;
  group["weight_decay"] = 0.125;
  group["initial_lr"] = 1;
  group["fused"] = Value();
  group["something_new"] = "yes";
  group["params"] = Value::list({0, 1});
  Value state;
  state["state"] = Value::dict({{0, Value::dict({{"momentum_buffer", ones({3, 2}, float64)}})}});
  state["param_groups"] = Value::list({group});
  optimizer.load_state_dict(state);
  EXPECT_EQ(optimizer.lr(), 0.25);
  EXPECT_EQ(optimizer.param_groups()[0].options.weight_decay, 0.125);
  EXPECT_EQ(optimizer.schedule(0).at("initial_lr"), 1);
  EXPECT_EQ(optimizer.schedule(0).size(), 1u);
  EXPECT_EQ(optimizer.state_dict().tensors().at("state.0.momentum_buffer").dtype(), float32);
}

TEST(OptimizerState, IsACopyBothWays) {
  Parameters p, q;
  Adam first(p.list()), second(q.list());
  p.set_gradients(0);
  first.step();
  const auto average = [](const Value& state) { return state["state"][0]["exp_avg"].as_tensor().data<float>()[0]; };
  const Value state = first.state_dict();
  const float before = average(state);
  second.load_state_dict(state);
  p.set_gradients(2);
  first.step();
  EXPECT_EQ(average(state), before);
  EXPECT_EQ(average(second.state_dict()), before);
  EXPECT_NE(average(first.state_dict()), before);
}

TEST(OptimizerState, CountsStepsBeyondFloat) {
  Parameters p;
  Adam optimizer(p.list());
  p.set_gradients(0);
  optimizer.step();
  Value state = optimizer.state_dict();
  state["state"][0]["step"] = full({}, 20'000'001);
  optimizer.load_state_dict(state);
  EXPECT_EQ(optimizer.state_dict()["state"][0]["step"].as_tensor().item(), 20'000'001);
}

TEST(OptimizerState, ForgetsWhatTheLoadedStateLacks) {
  Parameters p, q;
  Adam first(p.list(), {.amsgrad = true}), second(q.list());
  p.set_gradients(0);
  first.step();
  first.load_state_dict(second.state_dict());
  EXPECT_EQ(first.state_dict()["state"].size(), 0u);
  p.set_gradients(0);
  first.step();
  EXPECT_EQ(first.state_dict()["state"][0]["step"].as_tensor().item(), 1);
}

/// A dict without one of its keys.
Value without(const Value& dict, const std::string& key) {
  Value rest = Value::dict();
  for (const auto& [name, value] : dict.as_dict()) {
    if (name.kind() != Value::Kind::string || name.as_string() != key) rest[name] = value;
  }
  return rest;
}

class Refusal : public testing::Test {
 protected:
  Refusal() : adam(p.list()) {
    p.set_gradients(0);
    adam.step();
    good = adam.state_dict();
  }
  /// Loading must throw, and change nothing.
  template <class E>
  void refuse(const std::string& text, const Value& state) {
    expect_error<E>(text, [&] { adam.load_state_dict(state); });
    EXPECT_EQ(to_string(adam), printed);
    const StateDict tensors = adam.state_dict().tensors(), before = good.tensors();
    EXPECT_EQ(tensors.size(), before.size());
    for (const auto& [name, tensor] : before) expect_same_bits(tensors.at(name), tensor, name);
  }
  Value with_state(int parameter, const std::string& name, const Value& value) const {
    Value state = good;
    state["state"][parameter][name] = value;
    return state;
  }
  Value with_option(const std::string& name, const Value& value) const {
    Value state = good;
    state["param_groups"].as_list()[0][name] = value;
    return state;
  }

  Parameters p;
  Adam adam;
  Value good;
  const std::string printed = to_string(adam);
  const std::string errors = "Error(s) in loading state_dict for Adam:\n\t";
};

TEST_F(Refusal, OfAnotherKind) {
  SGD sgd(p.list(), {.lr = 1});
  refuse<RuntimeError>(errors +
                           "Missing key(s) in state_dict: \"param_groups.0.betas\", \"param_groups.0.eps\". "
                           "\nThe state may be that of another class than Adam.",
                       sgd.state_dict());
  refuse<RuntimeError>(errors + "Missing key(s) in state_dict: \"param_groups\". ", Value::dict());
  refuse<RuntimeError>(errors + "Missing key(s)", Value::dict({{"weight", ones({3})}}));
}

TEST_F(Refusal, OfAFlatStateSaysHowToConvertIt) {
  refuse<RuntimeError>(
      "Adam.load_state_dict: expected the nested dict that state_dict() makes, got a flat one, as gradus "
      "saved before state_dict() was nested\nTo convert it, load it with the version of gradus that",
      StateDict{{"state.0.exp_avg", ones({3, 2})}, {"param_groups.0.lr", full({}, 0.1, float64)}});
}

TEST_F(Refusal, OfOtherGroupsAndSizes) {
  Adam one({p.a}), two({{{p.a}, {}}, {{p.b}, {}}});
  refuse<ValueError>("loaded state dict has a different number of parameter groups", two.state_dict());
  refuse<ValueError>(
      "loaded state dict contains a parameter group that doesn't match the size of optimizer's group\n"
      "group 0 has 2 parameters, in the state dict 1",
      one.state_dict());
}

TEST_F(Refusal, OfWhatDoesNotFit) {
  refuse<RuntimeError>(errors +
                           "size mismatch for state.0.exp_avg: copying a param with shape torch.Size([2, 3]) from "
                           "checkpoint, the shape in current model is torch.Size([3, 2]).",
                       with_state(0, "exp_avg", ones({2, 3})));
  refuse<RuntimeError>(
      errors + "mismatch for state.1.exp_avg: expected a floating tensor, got int64 tensor of shape torch.Size([4]).",
      with_state(1, "exp_avg", ones({4}, int64)));
  for (const Value& steps : {Value(full({}, -1)), Value(full({}, NAN)), Value(0.5), Value("three")}) {
    refuse<RuntimeError>(errors + "mismatch for state.1.step: expected a number of steps",
                         with_state(1, "step", steps));
  }
  refuse<RuntimeError>(errors + "Missing key(s) in state_dict: \"state.1.exp_avg_sq\". ",
                       with_state(1, "exp_avg_sq", Value()));
  refuse<RuntimeError>(
      errors + "mismatch for param_groups.0.lr: expected a number, got float32 tensor of shape torch.Size([2]).",
      with_option("lr", ones({2})));
  refuse<RuntimeError>(errors + "mismatch for param_groups.0.betas: expected 2 numbers, got list",
                       with_option("betas", Value::list({0.5, 0.5, 0.5})));
  refuse<RuntimeError>(errors + "mismatch for param_groups.0.maximize: expected true or false",
                       with_option("maximize", 1));
  refuse<ValueError>("Invalid learning rate: nan", with_option("lr", NAN));
}

TEST_F(Refusal, NamesEverythingThatIsWrong) {
  Value state = with_state(1, "exp_avg", ones({5}));
  state["state"][0] = without(state["state"][0], "step");
  refuse<RuntimeError>(
      errors + "Missing key(s) in state_dict: \"state.0.step\". \n\tsize mismatch for state.1.exp_avg: ", state);
}

TEST_F(Refusal, SurvivesStrangeValues) {
  const Value no_size = Value::list({Value::dict({{"params", 2}})});
  refuse<RuntimeError>(errors, Value(3));
  refuse<ValueError>("loaded state dict has a different number", Value::dict({{"param_groups", 3}}));
  refuse<KeyError>("loaded state dict has no list", Value::dict({{"param_groups", Value::list({1})}}));
  refuse<KeyError>("loaded state dict has no list", Value::dict({{"param_groups", no_size}}));
  refuse<RuntimeError>(errors, with_state(0, "exp_avg", Value::dict({{1, 2}})));
}

}  // namespace
}  // namespace gradus::test
