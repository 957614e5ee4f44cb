#include <gradus/optim/adam.hpp>
#include <gradus/optim/rmsprop.hpp>
#include <gradus/optim/sgd.hpp>

#include "errors.hpp"
#include "optim_golden.hpp"

#include <gradus/core/autograd.hpp>
#include <gradus/core/random.hpp>

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

enum class Way { flat, nested };

/// Trains for five steps, hands the state to a fresh optimiser and goes on with both.
template <class Kind, class Options>
void expect_resumable(const Options& options, Dtype dtype, Way way) {
  Parameters first(dtype), second(dtype);
  Kind whole(first.list(), options);
  for (int step = 0; step < 5; ++step) {
    first.set_gradients(step);
    whole.step();
  }
  whole.set_lr(0, 0.0123);
  second.copy_from(first);
  Kind resumed(second.list(), Options{.lr = 0.5});
  if (way == Way::flat) {
    resumed.load_state_dict(whole.state_dict());
  } else {
    resumed.load_pytorch(whole.to_pytorch());
  }
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
    for (const Way way : {Way::flat, Way::nested}) {
      expect_resumable<SGD>(SGDOptions{.lr = 0.1}, dtype, way);
      expect_resumable<SGD>(SGDOptions{.lr = 0.1, .momentum = 0.9, .weight_decay = 0.1, .nesterov = true}, dtype, way);
      expect_resumable<Adam>(AdamOptions{.lr = 0.1, .betas = {0.5, 0.75}, .amsgrad = true}, dtype, way);
      expect_resumable<AdamW>(AdamWOptions{.lr = 0.1, .eps = 1e-3, .maximize = true}, dtype, way);
      expect_resumable<RMSprop>(RMSpropOptions{.lr = 0.1}, dtype, way);
      expect_resumable<RMSprop>(RMSpropOptions{.lr = 0.1, .momentum = 0.5, .centered = true}, dtype, way);
    }
  }
}

std::string names(const StateDict& state) {
  std::string text;
  for (const auto& [name, tensor] : state) text += name + " " + std::string(to_string(tensor.dtype())) + "\n";
  return text;
}

TEST(OptimizerState, HasPyTorchsNames) {
  Parameters p;
  SGD optimizer(p.list(), {.lr = 0.1, .momentum = 0.9});
  p.set_gradients(1);
  optimizer.step();
  EXPECT_EQ(names(optimizer.state_dict()),
            "state.0.momentum_buffer float32\n"
            "param_groups.0.lr float64\nparam_groups.0.momentum float64\nparam_groups.0.dampening float64\n"
            "param_groups.0.weight_decay float64\nparam_groups.0.nesterov bool\nparam_groups.0.maximize bool\n"
            "param_groups.0.differentiable bool\nparam_groups.0.params int64\n");
  EXPECT_EQ(optimizer.state_dict().at("param_groups.0.params").data<std::int64_t>()[1], 1);
}

TEST(OptimizerState, NestsAsPyTorch) {
  Parameters p;
  Tensor late = zeros({});
  Adam optimizer(p.list());
  optimizer.add_param_group({late}, {.lr = 0.5});
  p.set_gradients(0);
  optimizer.step();
  const Value state = optimizer.to_pytorch();
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
  EXPECT_EQ(rmsprop.to_pytorch()["state"][1]["step"].as_int(), 1);
  SGD plain(p.list(), {.lr = 1});
  plain.step();
  EXPECT_TRUE(plain.to_pytorch()["state"][0]["momentum_buffer"].is_none());
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
  optimizer.load_pytorch(state);
  EXPECT_EQ(optimizer.lr(), 0.25);
  EXPECT_EQ(optimizer.param_groups()[0].options.weight_decay, 0.125);
  EXPECT_EQ(optimizer.schedule(0).at("initial_lr"), 1);
  EXPECT_EQ(optimizer.schedule(0).size(), 1u);
  EXPECT_EQ(optimizer.state_dict().at("state.0.momentum_buffer").dtype(), float32);
}

TEST(OptimizerState, IsACopyBothWays) {
  Parameters p, q;
  Adam first(p.list()), second(q.list());
  p.set_gradients(0);
  first.step();
  const StateDict state = first.state_dict();
  const float before = state.at("state.0.exp_avg").data<float>()[0];
  second.load_state_dict(state);
  p.set_gradients(2);
  first.step();
  EXPECT_EQ(state.at("state.0.exp_avg").data<float>()[0], before);
  EXPECT_EQ(second.state_dict().at("state.0.exp_avg").data<float>()[0], before);
  EXPECT_NE(first.state_dict().at("state.0.exp_avg").data<float>()[0], before);
}

TEST(OptimizerState, CountsStepsBeyondFloat) {
  Parameters p;
  Adam optimizer(p.list());
  p.set_gradients(0);
  optimizer.step();
  StateDict state = optimizer.state_dict();
  state["state.0.step"] = full({}, 20'000'001);
  optimizer.load_state_dict(state);
  EXPECT_EQ(optimizer.state_dict().at("state.0.step").item(), 20'000'001);
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
  void refuse(const std::string& text, const StateDict& state) {
    expect_error<E>(text, [&] { adam.load_state_dict(state); });
    EXPECT_EQ(names(adam.state_dict()), names(good));
    for (const auto& [name, tensor] : good) expect_same_bits(adam.state_dict().at(name), tensor, name);
  }
  StateDict with(const std::string& name, const Tensor& tensor) const {
    StateDict state = good;
    state[name] = tensor;
    return state;
  }
  StateDict without(const std::string& name) const {
    StateDict state = good;
    state.erase(name);
    return state;
  }

  Parameters p;
  Adam adam;
  StateDict good;
  const std::string errors = "Error(s) in loading state_dict for Adam:\n\t";
};

TEST_F(Refusal, OfAnotherKind) {
  SGD sgd(p.list(), {.lr = 1});
  refuse<RuntimeError>(errors + "Missing key(s) in state_dict: \"param_groups.0.betas\", \"param_groups.0.eps\"",
                       sgd.state_dict());
  AdamW adamw(p.list());
  refuse<RuntimeError>(
      errors + "Missing key(s) in state_dict: \"param_groups.0.differentiable\", \"param_groups.0.fused\". ",
      adamw.state_dict());
  expect_error<RuntimeError>(
      "Error(s) in loading state_dict for AdamW:\n\tUnexpected key(s) in state_dict: "
      "\"param_groups.0.differentiable\", \"param_groups.0.fused\". \nThe state may be that of another class than "
      "AdamW.",
      [&] { adamw.load_state_dict(good); });
  refuse<RuntimeError>(errors + "Missing key(s) in state_dict: \"param_groups.\". ", {});
  refuse<RuntimeError>(errors + "Missing key(s)", {{"weight", ones({3})}});
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
                       with("state.0.exp_avg", ones({2, 3})));
  refuse<RuntimeError>(
      errors + "mismatch for state.1.exp_avg: expected a floating tensor, got int64 tensor of shape torch.Size([4]).",
      with("state.1.exp_avg", ones({4}, int64)));
  refuse<RuntimeError>(errors + "mismatch for state.1.step: expected a number of steps",
                       with("state.1.step", full({}, -1)));
  refuse<RuntimeError>(errors + "mismatch for state.1.step: expected a number of steps",
                       with("state.1.step", full({}, NAN)));
  refuse<RuntimeError>(errors + "Missing key(s) in state_dict: \"state.1.exp_avg_sq\". ",
                       without("state.1.exp_avg_sq"));
  refuse<RuntimeError>(errors + "Missing key(s) in state_dict: \"param_groups.0.amsgrad\". ",
                       without("param_groups.0.amsgrad"));
  refuse<RuntimeError>(errors + "Unexpected key(s) in state_dict: \"state.2.exp_avg\". ",
                       with("state.2.exp_avg", ones({4})));
  refuse<RuntimeError>(errors + "Unexpected key(s) in state_dict: \"state.0.momentum_buffer\". ",
                       with("state.0.momentum_buffer", ones({3, 2})));
  refuse<RuntimeError>(
      errors + "mismatch for param_groups.0.lr: expected a number, got float32 tensor of shape torch.Size([2]).",
      with("param_groups.0.lr", ones({2})));
  refuse<RuntimeError>(errors + "mismatch for param_groups.0.betas: expected 2 numbers",
                       with("param_groups.0.betas", ones({3}, float64)));
  refuse<RuntimeError>(errors + "mismatch for param_groups.0.maximize: expected true or false",
                       with("param_groups.0.maximize", ones({})));
  refuse<ValueError>("Invalid learning rate: nan", with("param_groups.0.lr", full({}, NAN, float64)));
}

TEST_F(Refusal, NamesEverythingThatIsWrong) {
  StateDict state = without("state.0.step");
  state["state.1.exp_avg"] = ones({5});
  state["extra"] = ones({1});
  refuse<RuntimeError>(
      errors +
          "Missing key(s) in state_dict: \"state.0.step\". \n\tUnexpected key(s) in state_dict: \"extra\". "
          "\n\tsize mismatch for state.1.exp_avg: ",
      state);
}

TEST_F(Refusal, SurvivesStrangeNames) {
  std::string dots(100000, '.');
  refuse<RuntimeError>(errors + "Unexpected key(s)", with(dots, ones({1})));
  refuse<RuntimeError>(errors + "Unexpected key(s)", with("state.99999999999999999999.step", ones({})));
  EXPECT_THROW(adam.load_state_dict(with("state", ones({1}))), Error);
  EXPECT_THROW(adam.load_pytorch(Value(3)), Error);
  EXPECT_THROW(adam.load_pytorch(Value::dict({{"param_groups", 3}})), Error);
  EXPECT_THROW(adam.load_pytorch(Value::dict({{"param_groups", Value::list({1})}})), Error);
}

}  // namespace
}  // namespace gradus::test
