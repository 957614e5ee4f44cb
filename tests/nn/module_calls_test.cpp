// How a module is called: const or not, with hooks, in a mode for a while.
#include "errors.hpp"

#include <gradus/core/autograd.hpp>
#include <gradus/core/random.hpp>
#include <gradus/nn/activation.hpp>
#include <gradus/nn/batch_norm.hpp>
#include <gradus/nn/dropout.hpp>
#include <gradus/nn/flatten.hpp>

#include <gtest/gtest.h>

namespace gradus {
namespace {

using test::expect_error;

TEST(Call, WorksThroughAConstModule) {
  manual_seed(1);
  nn::Sequential net{nn::Linear(3, 4), nn::BatchNorm1d(4), nn::Sequential{nn::ReLU(), nn::Dropout(0.0)}, nn::Flatten()};
  const nn::Sequential& same = net;
  const Tensor x = randn({5, 3});
  same(x);  // in training the buffers move: they are tensors, not members
  EXPECT_EQ(net.at<nn::BatchNorm1d>(1).num_batches_tracked.item<int>(), 1);
  net.eval();
  const nn::Module& base = same;
  EXPECT_TRUE(equal(base.forward(x), net(x)));
  EXPECT_TRUE(equal(base(x), net.forward(x)));
}

struct Counts : nn::Module {
  Tensor forward(const Tensor& x) override { return x + ++calls; }
  int calls = 0;
};
struct Doubles : nn::Module {
  Tensor forward(const Tensor& x) const override { return x * 2; }
};

TEST(Call, TakesEitherFormOfForward) {
  Counts counts;
  const Doubles doubles;
  EXPECT_EQ(counts(ones({1})).item(), 2);
  EXPECT_EQ(static_cast<const nn::Module&>(counts).forward(ones({1})).item(), 3);
  EXPECT_EQ(doubles(ones({1})).item(), 2);
  EXPECT_EQ(doubles.forward(ones({1})).item(), 2);
  nn::Sequential both{Counts(), Doubles()};
  EXPECT_EQ(both(ones({1})).item(), 4);
}

TEST(Call, WithoutForwardIsRefusedHoweverItIsCalled) {
  struct Shell : nn::Module {};
  Shell shell;
  const char* told = "Module [Shell] is missing the required \"forward\" function";
  for (int again = 0; again < 2; ++again) {
    expect_error<NotImplementedError>(told, [&] { shell(ones({1})); });
    expect_error<NotImplementedError>(told, [&] { shell.forward(ones({1})); });
    expect_error<NotImplementedError>(told, [&] { std::as_const(shell).forward(ones({1})); });
  }
  nn::ModuleList list{nn::ReLU(), nn::Tanh()};
  expect_error<NotImplementedError>("Module [ModuleList]", [&] { list(ones({1})); });
}

// --- hooks

TEST(Hooks, SeeAndReplaceInputAndOutput) {
  nn::Linear layer(2, 2);
  std::vector<std::string> order;
  Tensor seen;
  auto first = layer.register_forward_pre_hook([&](nn::Module& m, const Tensor& x) {
    order.push_back("before " + m.name());
    return x * 2;
  });
  auto second = layer.register_forward_hook([&](const nn::Module&, const Tensor& x, const Tensor&) {
    order.push_back("after");
    seen = x;
  });
  auto third = layer.register_forward_hook([](nn::Module&, const Tensor&, const Tensor& y) { return y + 1; });
  const Tensor x = randn({3, 2});
  EXPECT_TRUE(equal(layer(x), layer.forward(x * 2) + 1));
  EXPECT_EQ(order, (std::vector<std::string>{"before Linear", "after"}));
  EXPECT_TRUE(equal(seen, x * 2));
  third.remove();
  third.remove();
  EXPECT_TRUE(equal(layer(x), layer.forward(x * 2)));
  first.remove();
  second.remove();
  EXPECT_TRUE(equal(layer(x), layer.forward(x)));
  EXPECT_EQ(order.size(), 4U);
}

TEST(Hooks, RunInsideASequentialAndStayWithTheirModule) {
  int calls = 0;
  nn::Sequential net{nn::Linear(2, 2), nn::ReLU()};
  nn::HookHandle handle = net[1].register_forward_hook([&](auto&, auto&, auto&) { ++calls; });
  net(ones({1, 2}));
  EXPECT_EQ(calls, 1);
  const nn::Sequential copy = net;
  copy(ones({1, 2}));
  EXPECT_EQ(calls, 1);
  net = copy;
  net(ones({1, 2}));
  EXPECT_EQ(calls, 2);
  const nn::Sequential moved = std::move(net);
  moved(ones({1, 2}));
  EXPECT_EQ(calls, 3);
  nn::HookHandle dangling = nn::ReLU().register_forward_hook([](auto&, auto&, auto&) {});
  dangling.remove();
}

// --- modes

TEST(EvalGuard, PutsEveryModuleBackInItsOwnMode) {
  nn::Sequential net{nn::Sequential{nn::Dropout(), nn::BatchNorm1d(2)}, nn::ReLU()};
  net[0].eval();
  const auto modes = [&] {
    std::vector<bool> all;
    for (const nn::Module* module : net.modules()) all.push_back(module->training());
    return all;
  };
  const std::vector<bool> before = modes();
  EXPECT_NE(before, std::vector<bool>(5, true));
  {
    const nn::EvalGuard eval(net);
    EXPECT_EQ(modes(), std::vector<bool>(5, false));
    net.train();
    const nn::EvalGuard inner(net);
    EXPECT_EQ(modes(), std::vector<bool>(5, false));
  }
  EXPECT_EQ(modes(), before);
  EXPECT_THROW(
      [&] {
        const nn::EvalGuard eval(net);
        throw ValueError("in between");
      }(),
      ValueError);
  EXPECT_EQ(modes(), before);
}

}  // namespace
}  // namespace gradus
