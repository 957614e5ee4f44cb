// Plans of nets that slide windows along the length, and of modules of the user's own.
#include "errors.hpp"
#include "settled.hpp"
#include "tensors.hpp"

#include <gradus/gradus.hpp>

namespace gradus::test {
namespace {

using nn::Plan;

std::int64_t below(std::int64_t n) { return randint(n, {1}).item<std::int64_t>(); }

/// The largest difference, of the largest output where that is above 1.
double distance(const nn::Module& net, const Shape& row, nn::PlanOptions options = {}) {
  Shape batch = row;
  batch.insert(0, below(7) + 1);
  const Tensor x = randn(batch);
  const NoGradGuard no_grad;
  const Tensor y = net(x), got = Plan(net, row, options)(x);
  EXPECT_EQ(got.shape(), y.shape());
  return max_distance(got, y) / std::max(1.0, y.abs().max().item<double>());
}

nn::AnyModule random_activation() {
  switch (below(5)) {
    case 0: return nn::ELU(0.7);
    case 1: return nn::SiLU();
    case 2: return nn::Hardtanh(-0.4, 1.5);
    case 3: return nn::GELU();
    default: return nn::ReLU();
  }
}

nn::Conv1d random_convolution(std::int64_t channels) {
  const std::int64_t groups = channels % 3 == 0 && below(2) ? 3 : channels % 2 == 0 && below(2) ? 2 : 1;
  nn::Conv1dOptions options{.stride = below(2) + 1, .padding = below(4), .dilation = below(3) + 1, .groups = groups};
  if (below(3) == 0) options.padding = "same", options.stride = 1;
  options.bias = below(3) > 0;
  return nn::Conv1d(channels, groups * (below(9) + 1), below(4) + 1, options);
}

nn::AnyModule random_pool() {
  const std::int64_t kernel = below(3) + 1, padding = below(kernel / 2 + 1);
  if (below(2)) return nn::MaxPool1d(kernel, {.stride = below(3) + 1, .padding = padding, .ceil_mode = below(2) > 0});
  return nn::AvgPool1d(kernel, {.padding = padding, .ceil_mode = below(2) > 0, .count_include_pad = below(2) > 0});
}

/// Blocks of a convolution, norms before and behind it, an activation, a pooling; then, mostly, a perceptron.
nn::Sequential random_net(std::int64_t channels, std::int64_t length) {
  nn::Sequential net;
  const Tensor x = zeros({1, channels, length});
  const std::int64_t blocks = below(2) + 1;
  for (std::int64_t i = 0; i < blocks; ++i) {
    if (below(3) == 0) net.push_back(nn::BatchNorm1d(channels));
    nn::Conv1d conv = random_convolution(channels);
    channels = conv.weight.size(0);
    net.push_back(std::move(conv));
    if (below(2)) net.push_back(nn::BatchNorm1d(channels));
    if (below(4)) net.push_back(random_activation());
    if (below(3) == 0) net.push_back(nn::BatchNorm1d(channels));
    if (below(2)) net.push_back(random_pool());
  }
  if (below(4) == 0) net.push_back(nn::AdaptiveAvgPool1d(below(3) + 1));
  settle(net);
  const NoGradGuard no_grad;
  const Tensor y = net(x);
  if (below(3) == 0) {
    net.push_back(nn::Linear(y.size(2), 5));
  } else if (below(3)) {
    net.push_back(nn::Flatten());
    if (below(2)) net.push_back(nn::BatchNorm1d(y.numel()));
    net.push_back(nn::Linear(y.numel(), 6));
  }
  settle(net);
  return net;
}

TEST(Plan, EqualsRandomNetsOfWindows) {
  manual_seed(1);
  for (int i = 0; i < 150; ++i) {
    const std::int64_t channels = below(6) + 1, length = below(20) + 100;
    nn::Sequential net = random_net(channels, length);
    EXPECT_LE(distance(net, {channels, length}), 1e-6) << net;
    EXPECT_LE(distance(net, {channels, length}, {.half_weights = true}), 1e-3) << net << " in half";
  }
}

TEST(Plan, NormalisesLayers) {
  manual_seed(6);
  nn::Sequential net{nn::LayerNorm({4, 5}), nn::Linear(5, 40), nn::LayerNorm(40, {.elementwise_affine = false})};
  {
    const NoGradGuard no_grad;
    net.at<nn::LayerNorm>(0).weight.copy_(rand({4, 5}) + 0.5);
    net.at<nn::LayerNorm>(0).bias.copy_(rand({4, 5}));
  }
  net.eval();
  EXPECT_LE(distance(net, {4, 5}), 1e-6);
}

TEST(Plan, TakesGroupsAndGapsWithoutZeros) {
  manual_seed(2);
  nn::Sequential deep{nn::Conv1d(32, 32, 9, {.padding = "same", .groups = 32}),
                      nn::Conv1d(32, 32, 2, {.dilation = 64})};
  deep.eval();
  const Plan plan(deep, {32, 80});
  EXPECT_EQ(plan.output_shape(), (Shape{32, 16}));
  EXPECT_EQ(plan.weight_bytes(), 4u * (32 * 16 * 9 + 32 * 64)) << "a group has 16 columns";
  EXPECT_LE(distance(deep, {32, 80}), 1e-6);
}

TEST(Plan, KnowsANormOfARowFromOneOfItsVectors) {
  manual_seed(3);
  nn::Sequential net{nn::Linear(5, 4),         nn::Flatten(),       nn::BatchNorm1d(12),
                     nn::Unflatten(1, {4, 3}), nn::Conv1d(4, 2, 2), nn::BatchNorm1d(2)};
  settle(net);
  EXPECT_LE(distance(net, {3, 5}), 1e-6);
}

TEST(Plan, MaximaKeepNaN) {
  nn::Sequential net{nn::MaxPool1d(3, {.stride = 1})};
  net.eval();
  const Tensor x = from_span(std::vector<float>{1, nan, 2, 3, 4, 5}, {1, 1, 6});
  const NoGradGuard no_grad;
  EXPECT_EQ(max_distance(Plan(net, {1, 6})(x), net(x)), 0);
}

TEST(Plan, SaysWhichLayerDoesNotFit) {
  nn::Sequential net{nn::Conv1d(2, 3, 5), nn::MaxPool1d(4)};
  net.eval();
  expect_error_with<ValueError>([&] { Plan(net, {2, 4}); }, "Conv1d '0', given rows of [2, 4]: ");
  expect_error_with<ValueError>([&] { Plan(net, {3, 9}); }, "Conv1d '0', given rows of [3, 9]: ");
  expect_error_with<ValueError>([&] { Plan(net, {2, 6}); }, "MaxPool1d '1', given rows of [3, 2]: ");
  nn::Sequential table{nn::Embedding(4, 3)};
  table.eval();
  expect_error_with<ValueError>([&] { Plan(table, {4}); }, "Embedding '0' takes whole numbers");
}

// --- modules of the user's own

struct Own : nn::Module {
  nn::Linear hidden{6, 9}, out{8, 2};
  nn::BatchNorm1d norm{9};
  nn::Conv1d conv{3, 4, 2};
  nn::Dropout drop{0.5};
  void state(nn::StateList& list) override {
    list("hidden", hidden)("norm", norm)("conv", conv)("drop", drop)("out", out);
  }
  Tensor forward(const Tensor& x) const override {
    const Tensor h = drop(relu(norm(hidden(x))));
    return out(flatten(tanh(conv(h.reshape({-1, 3, 3}))), 1));
  }
};

TEST(Plan, SeesThroughAModuleOfTheUsersOwn) {
  manual_seed(4);
  Own own;
  settle(own);
  EXPECT_LE(distance(own, {6}), 1e-6);
  nn::Sequential net{nn::BatchNorm1d(6), std::move(own), nn::Softmax(1)};
  settle(net);
  EXPECT_LE(distance(net, {6}), 1e-6);
  EXPECT_FALSE(net.at<Own>(1).hidden.has_forward_hooks());
}

/// A module of a function.
template <class F>
struct Of : nn::Module {
  explicit Of(F function) : f(function) {}
  void state(nn::StateList& list) override { list("a", a)("b", b); }
  Tensor forward(const Tensor& x) const override { return f(*this, x); }
  std::string name() const override { return "Own"; }
  F f;
  nn::Linear a{4, 4}, b{4, 4};
};

template <class F>
void expect_refused(F forward, const std::string& why) {
  Of<F> own(forward);
  own.eval();
  expect_error_with<ValueError>([&] { Plan(own, {4}); }, "Plan: Own " + why);
}

TEST(Plan, RefusesModulesThatAreNoChainOfLayers) {
  manual_seed(5);
  expect_refused([](auto& m, const Tensor& x) { return m.a(x) + x; }, "computes AddBackward0");
  expect_refused([](auto& m, const Tensor& x) { return m.b(m.a(x) * 2); }, "computes MulBackward0");
  expect_refused([](auto& m, const Tensor& x) { return m.b.forward(m.a(x)); }, "computes AddmmBackward0");
  expect_refused([](auto& m, const Tensor& x) { return softmax(m.a(x), 0); }, "computes SoftmaxBackward0");
  expect_refused([](auto& m, const Tensor& x) { return m.a(x).reshape({-1}); }, "mixes the rows of a batch");
  expect_refused([](auto& m, const Tensor& x) { return m.b(m.a(x).detach()); }, "hands on more than the output");
  expect_refused(
      [](auto& m, const Tensor& x) {
        m.a(x);
        return m.b(x);
      },
      "hands on more than the output");
  expect_refused([](auto& m, const Tensor& x) { return x.size(0) == 3 ? m.a(x) : m.b(x); }, "computes something else");
}

TEST(Plan, RefusesHooks) {
  nn::Sequential net{nn::Linear(4, 3), nn::ReLU()};
  net.eval();
  nn::HookHandle hook = net[1].register_forward_hook([](nn::Module&, const Tensor&, const Tensor& y) { return y * 2; });
  expect_error_with<ValueError>([&] { Plan(net, {4}); }, "ReLU '1' has forward hooks");
  hook.remove();
  EXPECT_NO_THROW(Plan(net, {4}));
}

}  // namespace
}  // namespace gradus::test
