// A plan computes what the net computes, for nets of every shape, one row or many, on one thread or many.
#include "errors.hpp"
#include "settled.hpp"
#include "tensors.hpp"

#include <gradus/gradus.hpp>

#include <thread>

namespace gradus::test {
namespace {

using nn::Plan;

/// The largest difference, of the largest output where that is above 1.
double distance(nn::Module& net, const Shape& row, std::int64_t rows, nn::PlanOptions options = {}) {
  Shape batch = row;
  batch.insert(0, rows);
  const Tensor x = randn(batch);
  const NoGradGuard no_grad;
  const Tensor y = net(x);
  return max_distance(Plan(net, row, options)(x), y) / std::max(1.0, y.abs().max().item<double>());
}

nn::AnyModule random_activation(std::int64_t kind) {
  switch (kind) {
    case 0: return nn::LeakyReLU(0.2);
    case 1: return nn::Tanh();
    case 2: return nn::Sigmoid();
    case 3: return nn::GELU();
    case 4: return nn::Softplus();
    default: return nn::ReLU();
  }
}

std::int64_t below(std::int64_t n) { return randint(n, {1}).item<std::int64_t>(); }

/// Layers of widths that fill registers, panels and tiles, or just not; BatchNorm1d before, behind and far from them.
nn::Sequential random_net(std::int64_t inputs) {
  constexpr std::int64_t widths[] = {1, 2, 10, 15, 16, 17, 31, 33, 63, 64, 65, 100, 127, 128, 130, 200};
  nn::Sequential net;
  if (below(3) == 0) net.push_back(nn::BatchNorm1d(inputs));
  const std::int64_t layers = below(4) + 1;
  for (std::int64_t i = 0; i < layers; ++i) {
    const std::int64_t outputs = widths[below(std::size(widths))];
    net.push_back(nn::Linear(inputs, outputs, {.bias = below(3) > 0}));
    if (below(2)) net.push_back(nn::BatchNorm1d(outputs, {.affine = below(4) > 0}));
    if (below(4)) net.push_back(random_activation(below(9)));
    if (below(4) == 0) net.push_back(nn::BatchNorm1d(outputs));
    if (below(3) == 0) net.push_back(nn::Dropout(0.5));
    inputs = outputs;
  }
  if (below(4) == 0) net.push_back(nn::Softmax(1));
  if (below(8) == 0) net.push_back(nn::LogSoftmax(-1));
  settle(net);
  return net;
}

TEST(Plan, EqualsRandomNets) {
  manual_seed(1);
  for (int i = 0; i < 150; ++i) {
    const std::int64_t inputs = below(150) + 1, rows = below(20) + 1;
    nn::Sequential net = random_net(inputs);
    EXPECT_LE(distance(net, {inputs}, rows), 1e-6) << net << " with " << rows << " rows";
    EXPECT_LE(distance(net, {inputs}, rows, {.half_weights = true}), 1e-3) << net << " in half";
  }
}

TEST(Plan, TakesNetsWithinNets) {
  manual_seed(2);
  nn::Sequential inner{nn::Linear(7, 5), nn::BatchNorm1d(5)};
  nn::Sequential net{nn::Sequential{nn::BatchNorm1d(7), std::move(inner)}, nn::Identity(), nn::ReLU(), nn::Sequential(),
                     nn::Linear(5, 3)};
  settle(net);
  EXPECT_LE(distance(net, {7}, 4), 1e-6);
}

TEST(Plan, TakesRowsOfTwoDimensions) {
  manual_seed(3);
  nn::Sequential flat{nn::BatchNorm1d(3), nn::Linear(5, 4), nn::BatchNorm1d(3),
                      nn::ReLU(),         nn::Flatten(),    nn::Linear(12, 2)};
  settle(flat);
  EXPECT_LE(distance(flat, {3, 5}, 6), 1e-6);
  nn::Sequential pictures{nn::Flatten(), nn::Linear(24, 7), nn::Tanh()};
  settle(pictures);
  EXPECT_LE(distance(pictures, {2, 3, 4}, 5), 1e-6);
  for (const std::int64_t dim : {1, 2, -1}) {
    nn::Sequential softmax{nn::Linear(5, 4), nn::Softmax(dim)};
    settle(softmax);
    EXPECT_LE(distance(softmax, {3, 5}, 6), 1e-6) << dim;
  }
}

TEST(Plan, OfNothingCopies) {
  nn::Sequential net{nn::Dropout(0.5)};
  net.eval();
  EXPECT_EQ(distance(net, {9}, 3), 0);
}

TEST(Plan, KeepsTheDigitsOfFeaturesFarFromZero) {
  manual_seed(4);
  nn::Sequential net{nn::BatchNorm1d(6), nn::Linear(6, 4)};
  settle(net, 10000);
  const Tensor x = randn({50, 6}) + 10000;
  const NoGradGuard no_grad;
  EXPECT_LE(relative_distance(Plan(net, {6})(x), net(x)), 1e-6) << "folded, the norm would lose three digits";
}

TEST(Plan, KeepsNaNAndInfinity) {
  nn::Sequential net{nn::Linear(3, 2), nn::ReLU()};
  net.eval();
  for (const float special : {nan, inf, -inf}) {
    const Tensor x = full({1, 3}, special);
    const NoGradGuard no_grad;
    EXPECT_EQ(max_distance(Plan(net, {3})(x), net(x)), 0) << special;
  }
}

TEST(Plan, GivesARowTheSameBitsAloneAndAmongOthers) {
  manual_seed(5);
  for (const std::int64_t width : {10, 17, 33, 64, 80, 100, 128, 144, 256}) {
    nn::Sequential net{nn::Linear(37, width), nn::BatchNorm1d(width), nn::ReLU(), nn::Linear(width, 19)};
    settle(net);
    for (const bool half : {false, true}) {
      const Plan plan(net, {37}, {.half_weights = half});
      const Tensor x = randn({100, 37}), together = plan(x);
      for (std::int64_t i = 0; i < 100; ++i)
        EXPECT_EQ(max_distance(plan(x.narrow(0, i, 1)), together.narrow(0, i, 1)), 0) << width;
    }
  }
}

TEST(Plan, IsFrozen) {
  manual_seed(6);
  nn::Sequential net{nn::Linear(4, 3)};
  net.eval();
  const Plan plan(net, {4}), copy = plan;
  const Tensor x = randn({2, 4}), before = plan(x);
  const NoGradGuard no_grad;
  net.at<nn::Linear>(0).weight.zero_();
  EXPECT_EQ(max_distance(copy(x), before), 0);
}

TEST(Plan, RunsInManyThreadsAtOnce) {
  manual_seed(7);
  nn::Sequential net{nn::Linear(64, 100), nn::BatchNorm1d(100), nn::ReLU(), nn::Linear(100, 10), nn::Softmax(1)};
  settle(net);
  const Plan plan(net, {64});
  const Tensor x = randn({40, 64}), expected = plan(x);
  std::vector<std::vector<float>> results(8, std::vector<float>(400));
  std::vector<std::thread> threads;
  for (auto& result : results) {
    threads.emplace_back([&] {
      for (int i = 0; i < 100; ++i) plan(std::as_const(x).data<float>(), result);
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const auto& result : results) {
    EXPECT_TRUE(std::ranges::equal(result, std::as_const(expected).data<float>()));
  }
}

TEST(Plan, UsesTheScratchOfTheCaller) {
  manual_seed(8);
  nn::Sequential net{nn::Linear(3, 20000), nn::ReLU(), nn::Linear(20000, 5), nn::Tanh(), nn::Linear(5, 2)};
  net.eval();
  const Plan plan(net, {3});
  EXPECT_EQ(plan.scratch_size(), 40000u);
  std::vector<float> x(9, 0.5f), y(6), scratch(plan.scratch_size() + 2, 7.0f);
  expect_error_with<ValueError>([&] { plan.run(x, y); }, "needs 40000 floats of scratch");
  plan.run(x, y, std::span(scratch).subspan(1, plan.scratch_size()));
  EXPECT_EQ(scratch.front(), 7.0f);
  EXPECT_EQ(scratch.back(), 7.0f);
  const NoGradGuard no_grad;
  EXPECT_LE(relative_distance(from_span(y, {3, 2}), net(full({3, 3}, 0.5))), 2e-6);
}

TEST(Plan, TakesFloat64Nets) {
  manual_seed(9);
  nn::Sequential net{nn::Linear(4, 3), nn::BatchNorm1d(3)};
  net.to(float64);
  settle(net);
  const Tensor x = randn({5, 4});
  const NoGradGuard no_grad;
  EXPECT_LE(relative_distance(Plan(net, {4})(x), net(x.to(float64)).to(float32)), 1e-6);
}

struct Doubled : nn::Module {
  Tensor forward(const Tensor& x) const override { return x * 2; }
};
struct OtherLinear : nn::Linear {
  using Linear::Linear;
  Tensor forward(const Tensor& x) const override { return -nn::Linear::forward(x); }
};

TEST(Plan, RefusesNetsThatItCannotTake) {
  nn::Sequential net{nn::Linear(4, 3), nn::BatchNorm1d(3), nn::Dropout()};
  expect_error<ValueError>("Plan: the net is in training mode\ncall eval() first", [&] { Plan(net, {4}); });
  net.eval();
  net[1].train();
  expect_error<ValueError>("Plan: BatchNorm1d '1' is in training mode", [&] { Plan(net, {4}); });
  net.at<nn::BatchNorm1d>(1).freeze();
  net[2].train();
  expect_error<ValueError>("Plan: Dropout '2' is in training mode", [&] { Plan(net, {4}); });
  net.eval();
  expect_error_with<ValueError>([&] { Plan(net, {5}); },
                                "Plan: Linear '0', given rows of [5]: mat1 and mat2 shapes cannot be multiplied");
  expect_error_with<ValueError>([&] { Plan(net, {}); }, "expected the shape of one row");
  net.at<nn::BatchNorm1d>(1).running_var.fill_(NAN);
  expect_error_with<ValueError>([&] { Plan(net, {4}); },
                                "BatchNorm1d '1', given rows of [3]: batch_norm: running_var of channel 0");

  nn::Sequential own{nn::Sequential{Doubled(), nn::ReLU()}, nn::ReLU()};
  own.eval();
  expect_error_with<ValueError>([&] { Plan(own, {4}); }, "Doubled '0.0'");
  nn::Sequential derived{OtherLinear(4, 3)};
  derived.eval();
  expect_error_with<ValueError>([&] { Plan(derived, {4}); }, "OtherLinear '0'");
  nn::Sequential untracked{nn::BatchNorm1d(4, {.track_running_stats = false})};
  untracked.eval();
  expect_error_with<ValueError>([&] { Plan(untracked, {4}); }, "no running buffers");
  nn::Sequential over_batch{nn::Softmax(0)};
  over_batch.eval();
  expect_error_with<ValueError>([&] { Plan(over_batch, {4}); }, "Softmax '0' runs over the batch");
}

TEST(Plan, RefusesWeightsThatItCannotHold) {
  nn::Sequential net{nn::Linear(2, 2)};
  net.eval();
  const NoGradGuard no_grad;
  net.at<nn::Linear>(0).weight.fill_(65519.0);
  EXPECT_NO_THROW(Plan(net, {2}, {.half_weights = true}));
  net.at<nn::Linear>(0).weight.fill_(65520.0);
  EXPECT_NO_THROW(Plan(net, {2}));
  expect_error_with<ValueError>([&] { Plan(net, {2}, {.half_weights = true}); }, "(0 Linear) has 65520");
  net.at<nn::Linear>(0).weight.fill_(inf);
  expect_error_with<ValueError>([&] { Plan(net, {2}); }, "Linear '0' has a weight that is not finite");
}

TEST(Plan, SaysWhichSpanIsWrong) {
  nn::Sequential net{nn::Linear(4, 3), nn::Linear(3, 2)};
  net.eval();
  const Plan plan(net, {4});
  std::vector<float> x(8), y(4), none, scratch(3);
  EXPECT_NO_THROW(plan.run(x, y));
  EXPECT_NO_THROW(plan.run(none, none));
  expect_error<ValueError>("Plan: the input is not made of whole rows: expected N x 4 and N x 2 floats, got 7 and 4",
                           [&] { plan.run(std::span(x).first(7), y); });
  expect_error<ValueError>("Plan: the output has not as many rows", [&] { plan.run(x, std::span(y).first(2)); });
  expect_error<ValueError>("Plan: expected 3 floats of scratch, got 2", [&] { plan.run(x, y, std::span(x).first(2)); });
  expect_error<ValueError>("Plan: input, output and scratch overlap",
                           [&] { plan.run(x, std::span(x).last(4), scratch); });
  expect_error<TypeError>("Plan: expected float32, got int64", [&] { plan(arange(4).reshape({1, 4})); });
  expect_error<ValueError>("Plan: expected a batch of rows [4], got [4]", [&] { plan(zeros({4})); });
  EXPECT_EQ(plan(zeros({0, 4})).shape(), (Shape{0, 2}));
#ifdef NDEBUG
  plan(x, std::span(y).first(3));
  EXPECT_TRUE(std::isnan(y[0]) && std::isnan(y[2]) && !std::isnan(y[3]));
#else
  EXPECT_DEATH(plan(x, std::span(y).first(3)), "wrong size");
#endif
}

}  // namespace
}  // namespace gradus::test
