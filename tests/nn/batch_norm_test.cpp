#include "golden.hpp"
#include "near.hpp"

#include <gradus/core/autograd.hpp>
#include <gradus/core/dot.hpp>
#include <gradus/core/gradcheck.hpp>
#include <gradus/core/random.hpp>
#include <gradus/nn/activation.hpp>
#include <gradus/nn/batch_norm.hpp>

#include <gtest/gtest.h>

namespace gradus {
namespace {

using nn::BatchNorm1d;
using test::golden_tensor;
using test::max_distance;
using test::relative_distance;

std::vector<float> floats(const Tensor& x) {
  const auto elements = x.data<float>();
  return {elements.begin(), elements.end()};
}

// --- against PyTorch's recorded results

BatchNorm1d from_fixture(const test::json& c) {
  const auto& o = c.at("options");
  BatchNorm1d bn(c.at("num_features").get<std::int64_t>(),
                 {.eps = o.at("eps"),
                  .momentum = o.at("momentum").is_null() ? std::nullopt : std::optional(o.at("momentum").get<double>()),
                  .affine = o.at("affine"),
                  .track_running_stats = o.at("track_running_stats"),
                  .dtype = c.at("dtype") == "float64" ? float64 : float32,
                  .non_finite = nn::NonFinite::skip});
  StateDict initial;
  for (const auto& [name, value] : c.at("initial").items()) initial[name] = golden_tensor(value);
  bn.load_state_dict(initial);
  return bn;
}

/// The buffers after a step, from those before it: in extended precision, which PyTorch's float32 sums miss by far.
void expect_buffers(BatchNorm1d& bn, const test::json& step, const StateDict& before, double tolerance) {
  if (step.at("running_mean").is_null()) {
    EXPECT_TRUE(bn.buffers().empty());
    return;
  }
  const Tensor x = golden_tensor(step.at("input")).to(float64);
  const bool skipped = !isfinite(x).all().item<bool>();  // where PyTorch's buffers become NaN
  EXPECT_EQ(bn.num_batches_tracked.item<std::int64_t>(),
            step.at("num_batches_tracked").get<std::int64_t>() - (skipped ? 1 : 0));
  if (!step.at("training").get<bool>() || x.numel() == 0 || skipped) {
    EXPECT_TRUE(equal(bn.running_mean, before.at("running_mean")));
    EXPECT_TRUE(equal(bn.running_var, before.at("running_var")));
    return;
  }
  const Dims batch = x.dim() == 2 ? Dims{0} : Dims{0, 2};
  const double f = bn.options().momentum.value_or(1 / bn.num_batches_tracked.item<double>());
  const Tensor mean = before.at("running_mean").to(float64) * (1 - f) + x.mean(batch) * f;
  const Tensor var = before.at("running_var").to(float64) * (1 - f) + x.var(batch) * f;
  EXPECT_LE(relative_distance(bn.running_mean, mean), tolerance);
  EXPECT_LE(relative_distance(bn.running_var, var), tolerance);
  EXPECT_LE(relative_distance(golden_tensor(step.at("running_mean")), mean), 1e-5);
  EXPECT_LE(relative_distance(golden_tensor(step.at("running_var")), var), 1e-3);
}

/// Against the exact values where they were recorded, and against PyTorch's own within PyTorch's own error.
void expect_step(const test::json& step, const char* what, const Tensor& got, double tolerance) {
  const Tensor torch = golden_tensor(step.at(what));
  ASSERT_EQ(got.defined(), torch.defined());
  if (!torch.defined()) return;
  if (!step.contains("exact")) {
    EXPECT_LE(relative_distance(got, torch), tolerance) << what;
    return;
  }
  const Tensor exact = golden_tensor(step.at("exact").at(what));
  const int channels = exact.dim() == 1 ? 0 : 1;
  for (std::int64_t c = 0; c < exact.size(channels); ++c) {
    const Tensor truth = exact.select(channels, c), mine = got.select(channels, c);
    if (!isfinite(truth).all().item<bool>()) {
      EXPECT_EQ(max_distance(mine, truth), 0) << what << " channel " << c;
    } else if (truth.abs().max().item() > 1e-17) {  // below is the noise of an exact 0
      EXPECT_LE(relative_distance(mine, truth), tolerance) << what << " channel " << c;
      EXPECT_LE(max_distance(mine, torch.select(channels, c)),
                max_distance(torch.select(channels, c), truth) + tolerance * truth.abs().max().item())
          << what << " channel " << c;
    } else {
      EXPECT_LE(mine.abs().max().item(), 1e-12) << what << " channel " << c;
    }
  }
}

TEST(BatchNorm1dFixture, AgreesWithPyTorch) {
  const test::json fixture = test::load_golden("batchnorm1d.json");
  EXPECT_EQ(fixture.at("cases").size(), 31u);
  for (const auto& c : fixture.at("cases")) {
    const std::string name = c.at("name");
    SCOPED_TRACE(name);
    BatchNorm1d bn = from_fixture(c);
    const double tolerance = c.at("dtype") == "float64" ? 1e-12 : 2e-7;
    for (const auto& step : c.at("steps")) {
      bn.train(step.at("training"));
      bn.zero_grad();
      const BatchNorm1d copy = bn;
      const Tensor x = golden_tensor(step.at("input")).requires_grad_();
      const Tensor y = bn(x);
      y.backward({.gradient = golden_tensor(step.at("grad_output"))});
      expect_step(step, "output", y.detach(), tolerance);
      expect_step(step, "grad_input", x.grad(), tolerance);
      expect_step(step, "grad_weight", bn.weight.defined() ? bn.weight.grad() : Tensor(), tolerance);
      expect_step(step, "grad_bias", bn.bias.defined() ? bn.bias.grad() : Tensor(), tolerance);
      expect_buffers(bn, step, copy.state_dict(), tolerance);
      if (!bn.running_mean.defined() || !isfinite(x).all().item<bool>()) continue;
      bn.running_mean.copy_(golden_tensor(step.at("running_mean")));  // the next step starts where PyTorch's did
      bn.running_var.copy_(golden_tensor(step.at("running_var")));
    }
  }
}

// --- the gradient, in float64, with a layer before, weight not 1 and a random upstream gradient

struct Case {
  Shape shape;
  bool training;
};
class BatchNormGradient : public ::testing::TestWithParam<Case> {};

nn::functional::BatchNormState random_state(std::int64_t channels) {
  return {.running_mean = randn({channels}, float64), .running_var = rand({channels}, float64) + 0.5};
}

TEST_P(BatchNormGradient, IsTheDerivativeToSecondOrder) {
  manual_seed(11);
  const Shape shape = GetParam().shape;
  const bool training = GetParam().training;
  const std::int64_t channels = shape[1];
  const auto running = random_state(channels);
  const auto f = [&](const std::vector<Tensor>& in) {
    auto state = running;
    state.running_mean = running.running_mean.clone();
    state.running_var = running.running_var.clone();
    state.weight = in[1];
    state.bias = in[2];
    return nn::functional::batch_norm(gradus::tanh(in[0]), state, {.training = training, .eps = 0.1});
  };
  const std::vector<Tensor> inputs = {randn(shape, float64).requires_grad_(),
                                      (rand({channels}, float64) + 0.5).requires_grad_(),
                                      randn({channels}, float64).requires_grad_()};
  EXPECT_TRUE(gradcheck(f, inputs));
  EXPECT_TRUE(gradgradcheck(f, inputs));
}

INSTANTIATE_TEST_SUITE_P(ShapesAndModes, BatchNormGradient,
                         ::testing::Values(Case{{5, 3}, true}, Case{{5, 3}, false}, Case{{3, 2, 4}, true},
                                           Case{{3, 2, 4}, false}, Case{{1, 3, 5}, true}, Case{{6, 1}, true}));

TEST(BatchNorm1d, FusedAndComposedBackwardAgree) {
  for (const bool training : {true, false}) {
    for (const Shape& shape : {Shape{33, 17}, Shape{4, 5, 9}}) {
      manual_seed(3);
      BatchNorm1d bn(shape[1]);
      uniform_(bn.weight.detach(), 0.5, 2);
      normal_(bn.bias.detach());
      bn.train(training);
      const Tensor x = randn(shape).requires_grad_(), dy = randn(shape);
      const Tensor y = bn(x);
      const auto fused = grad({y}, {x, bn.weight, bn.bias}, {.grad_outputs = {dy}, .retain_graph = true});
      const auto composed = grad({y}, {x, bn.weight, bn.bias}, {.grad_outputs = {dy}, .create_graph = true});
      for (std::size_t i = 0; i < fused.size(); ++i) EXPECT_LE(relative_distance(composed[i], fused[i]), 2e-6) << i;
    }
  }
}

// --- state

TEST(BatchNorm1d, RefusesOneValuePerChannelAndChangesNothing) {
  BatchNorm1d bn(3);
  const auto before = bn.state_dict();
  const Tensor mean = bn.running_mean.clone();
  for (const Shape& shape : {Shape{1, 3}, Shape{1, 3, 1}}) {
    try {
      bn(randn(shape));
      FAIL();
    } catch (const ValueError& e) {
      EXPECT_EQ(std::string(e.what()).find(
                    "Expected more than 1 value per channel when training, got input size torch.Size([1, 3"),
                0u);
    }
  }
  EXPECT_EQ(bn.num_batches_tracked.item<int>(), 0);
  EXPECT_TRUE(equal(bn.running_mean, mean));
  EXPECT_NO_THROW(bn(randn({1, 3, 2})));
  bn.eval();
  EXPECT_NO_THROW(bn(randn({1, 3})));
  BatchNorm1d untracked(3, {.track_running_stats = false});
  untracked.eval();
  EXPECT_THROW(untracked(randn({1, 3})), ValueError);
}

TEST(BatchNorm1d, NonFiniteBatchNeverEntersTheBuffers) {
  for (const float bad : {NAN, INFINITY, -INFINITY}) {
    manual_seed(1);
    BatchNorm1d bn(3);
    bn(randn({4, 3}));
    const Tensor mean = bn.running_mean.clone(), var = bn.running_var.clone();
    Tensor x = randn({4, 3});
    x.data<float>()[7] = bad;
    EXPECT_THROW(bn(x), ValueError);
    EXPECT_TRUE(equal(bn.running_mean, mean));
    EXPECT_TRUE(equal(bn.running_var, var));
    EXPECT_EQ(bn.num_batches_tracked.item<int>(), 1);

    BatchNorm1d skipping(3, {.non_finite = nn::NonFinite::skip});
    const Tensor y = skipping(x);
    EXPECT_TRUE(isnan(y.select(1, 1)).any().item<bool>());
    EXPECT_TRUE(isfinite(y.select(1, 0)).all().item<bool>());
    EXPECT_EQ(skipping.num_batches_tracked.item<int>(), 0);
    EXPECT_EQ(floats(skipping.running_var), (std::vector<float>{1, 1, 1}));

    BatchNorm1d untracked(3, {.track_running_stats = false});  // no buffers to protect
    EXPECT_TRUE(isnan(untracked(x).select(1, 1)).any().item<bool>());
  }
  BatchNorm1d bn(1);
  EXPECT_THROW(bn(tensor({{1e30}, {-1e30}})), ValueError);  // the variance does not fit in float32
}

TEST(BatchNorm1d, RefusesWhatDoesNotFit) {
  BatchNorm1d bn(3);
  EXPECT_THROW(bn(randn({4})), ValueError);
  EXPECT_THROW(bn(randn({2, 3, 4, 5})), ValueError);
  EXPECT_THROW(bn(randn({4, 5})), RuntimeError);
  EXPECT_THROW(bn(randn({4, 3}, float64)), RuntimeError);
  EXPECT_THROW(bn(arange(12).reshape({4, 3})), RuntimeError);
  EXPECT_THROW(BatchNorm1d(-1), RuntimeError);
  EXPECT_EQ(bn.num_batches_tracked.item<int>(), 0);
  bn.eval();
  bn.running_var.data<float>()[1] = -1;
  EXPECT_THROW(bn(randn({4, 3})), ValueError);
}

TEST(BatchNorm1d, CopyTrainsOnItsOwn) {
  manual_seed(5);
  BatchNorm1d bn(2);
  bn(randn({6, 2}));
  BatchNorm1d copy = bn;
  EXPECT_TRUE(equal(copy.running_mean, bn.running_mean));
  const Tensor before = bn.running_mean.clone();
  copy(randn({6, 2}) + 3);
  copy.weight.detach().fill_(7);
  EXPECT_TRUE(equal(bn.running_mean, before));
  EXPECT_EQ(bn.num_batches_tracked.item<int>(), 1);
  EXPECT_EQ(copy.num_batches_tracked.item<int>(), 2);
  EXPECT_EQ(floats(bn.weight), (std::vector<float>{1, 1}));
  EXPECT_TRUE(copy.weight.requires_grad());
  EXPECT_FALSE(copy.running_mean.requires_grad());
}

TEST(BatchNorm1d, BuffersHoldNoGraphAndEvalDifferentiates) {
  const std::int64_t nodes = live_nodes();
  BatchNorm1d bn(4);
  const Tensor x = randn({5, 4}).requires_grad_();
  for (int i = 0; i < 3; ++i) bn(x * 2);
  EXPECT_EQ(live_nodes(), nodes);
  EXPECT_FALSE(bn.running_mean.requires_grad());
  bn.eval();
  bn(x).sum().backward();
  EXPECT_TRUE(x.grad().defined());
  EXPECT_LE(relative_distance(x.grad(), (1 / (bn.running_var + 1e-5).sqrt()).expand({5, 4})), 1e-6);
}

TEST(BatchNorm1d, EvaluationSeesEveryChangeOfItsBuffers) {
  manual_seed(8);
  BatchNorm1d bn(3);
  bn.eval();
  const Tensor x = randn({2, 3});
  const auto expect_right = [&x](const BatchNorm1d& layer, const char* after) {
    const Tensor computed = nn::functional::batch_norm(x,
                                                       {.running_mean = layer.running_mean,
                                                        .running_var = layer.running_var,
                                                        .weight = layer.weight,
                                                        .bias = layer.bias},
                                                       {.eps = layer.options().eps});
    for (int time = 0; time < 2; ++time) EXPECT_TRUE(equal(layer(x), computed)) << after;
    const NoGradGuard no_grad;
    EXPECT_TRUE(equal(layer(x), computed)) << after << ", outside a graph";
  };
  expect_right(bn, "nothing");
  bn.running_var.data<float>()[1] = 4;  // which no version counts
  expect_right(bn, "a write through data()");
  bn.running_mean.copy_(randn({3}));
  expect_right(bn, "a copy");
  BatchNorm1d copy = bn;
  copy.running_mean.data<float>()[2] = -1;
  expect_right(copy, "a change of a copy");
  expect_right(bn, "a change of a copy");
  bn.running_var.data<float>()[0] = std::numeric_limits<float>::quiet_NaN();
  for (int time = 0; time < 2; ++time) EXPECT_THROW(bn(x), ValueError);
  copy.to(float64);
  const Tensor y = copy(x.to(float64));
  EXPECT_TRUE(equal(copy(x.to(float64)), y));
}

TEST(BatchNorm1d, EvalGradientUsesTheBuffersOfTheForwardPass) {
  manual_seed(2);
  BatchNorm1d bn(2);
  bn.eval();
  const Tensor x = randn({3, 2}).requires_grad_();
  const Tensor y = bn(x);
  bn.train();
  bn(randn({8, 2}) * 10);
  y.sum().backward();
  EXPECT_LE(max_distance(x.grad(), full({3, 2}, 1 / std::sqrt(1 + 1e-5))), 1e-7);
}

TEST(BatchNorm1d, ChangingWeightBeforeBackwardIsFound) {
  BatchNorm1d bn(2);
  const Tensor y = bn(randn({3, 2}).requires_grad_());
  bn.weight.detach().mul_(2);
  EXPECT_THROW(y.sum().backward(), RuntimeError);
}

TEST(BatchNorm1d, PicturesNameWhatItSaved) {
  const Tensor x = tensor({{1., 2.}, {7., 4.}, {9., 6.}, {15., 4.}}, float64).requires_grad_();
  const std::string dot = to_dot(nn::BatchNorm1d(2, {.eps = 0, .dtype = float64})(x).sum());
  EXPECT_NE(dot.find("<b>saved mean, var, 1/std<"), std::string::npos) << dot;
  for (const char* row : {"[[ 8.0000,  4.0000]", "[25.0000,  2.0000]", "[ 0.2000,  0.7071]"}) {
    EXPECT_NE(dot.find(row), std::string::npos) << row << " in\n" << dot;
  }
}

TEST(BatchNorm1d, ZeroStaysZero) {
  BatchNorm1d bn(5);
  const Tensor y = bn(arange(15).reshape({3, 5}).to(float32));
  EXPECT_EQ(floats(y[1]), (std::vector<float>(5, 0.0f)));
}

TEST(BatchNorm1d, ConstantChannelGivesExactlyBias) {
  for (const Dtype dtype : {float32, float64}) {
    BatchNorm1d bn(2, {.dtype = dtype});
    bn.bias.detach().copy_(tensor({0.3, -7.0}, dtype));
    for (const std::int64_t n : {2, 7, 5000}) {
      EXPECT_TRUE(equal(bn(tensor({0.1, 30000.7}, dtype).expand({n, 2})), bn.bias.detach().expand({n, 2}))) << n;
    }
  }
}

TEST(BatchNorm1d, RefusesOptionsThatAreNoNumbersOfTheirKind) {
  for (const double eps : {-1e-5, std::nan(""), HUGE_VAL})
    EXPECT_THROW(BatchNorm1d(2, {.eps = eps}), ValueError) << eps;
  for (const double momentum : {-0.1, 1.5, std::nan("")}) {
    EXPECT_THROW(BatchNorm1d(2, {.momentum = momentum}), ValueError) << momentum;
    BatchNorm1d bn(2);
    EXPECT_THROW(bn.set_momentum(momentum), ValueError);
    EXPECT_EQ(bn.options().momentum, 0.1);
  }
  EXPECT_THROW(nn::functional::batch_norm(ones({3, 2}), {}, {.training = true, .eps = -1}), ValueError);
  EXPECT_THROW(nn::functional::batch_norm(randn({3, 2}), {.running_mean = zeros({2})}, {.training = true}),
               RuntimeError);
}

TEST(BatchNorm1d, FrozenSurvivesTrain) {
  BatchNorm1d bn(3);
  bn.freeze();
  bn.train();
  bn(randn({4, 3}) + 9);
  EXPECT_EQ(bn.num_batches_tracked.item<int>(), 0);
  EXPECT_EQ(floats(bn.running_mean), (std::vector<float>(3, 0.0f)));
  EXPECT_NE(to_string(bn).find("frozen=True"), std::string::npos);
  EXPECT_NO_THROW(bn(randn({1, 3})));
  bn.freeze(false);
  bn(randn({4, 3}));
  EXPECT_EQ(bn.num_batches_tracked.item<int>(), 1);
}

}  // namespace
}  // namespace gradus
