// Large graphs: time and stack do not depend on their depth, memory goes when they go.
#include "autograd/node.hpp"

#include "tensors.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>

namespace gradus::test {
namespace {

class Node : public ::testing::Test {
 protected:
  void TearDown() override { EXPECT_EQ(live_nodes(), 0); }
};

/// Keeps the stack from growing beyond one MiB while alive.
class SmallStack {
 public:
  SmallStack() {
    getrlimit(RLIMIT_STACK, &before_);
    rlimit small = before_;
    small.rlim_cur = 1 << 20;
    setrlimit(RLIMIT_STACK, &small);
  }
  ~SmallStack() { setrlimit(RLIMIT_STACK, &before_); }

 private:
  rlimit before_;
};

constexpr int deep = 1'000'000;

TEST_F(Node, AMillionOperationsInARow) {
  const SmallStack small_stack;
  const Tensor x = tensor(1.).requires_grad_();
  {
    Tensor y = x;
    for (int i = 0; i < deep; ++i) y = y + 1;
    EXPECT_EQ(live_nodes(), deep + 1);
    EXPECT_EQ(y.item(), deep + 1);
    y.backward();
  }
  EXPECT_EQ(live_nodes(), 0);
  EXPECT_EQ(x.grad().item(), 1);
}

TEST_F(Node, AMillionOperationsThatSaveTensors) {  // dropped without a backward pass, too
  const SmallStack small_stack;
  const Tensor x = tensor(0.5).requires_grad_();
  for (const bool backward : {false, true}) {
    Tensor y = x;
    for (int i = 0; i < deep; ++i) y = i % 2 ? y.exp() : y.log();
    if (backward) y.backward();
  }
  EXPECT_NEAR(x.grad().item(), 1, 0.5);
}

TEST_F(Node, AMillionWritesIntoOneTensor) {
  const SmallStack small_stack;
  const Tensor x = tensor(1.).requires_grad_();
  Tensor y = x * 1;
  for (int i = 0; i < deep; ++i) y.add_(x);
  y.backward();
  EXPECT_EQ(x.grad().item(), deep + 1);
}

TEST_F(Node, ADiamondTakesNoLongerThanItsEdges) {
  const Tensor x = tensor(1., float64).requires_grad_();
  Tensor y = x;
  for (int i = 0; i < 40; ++i) y = y + y;  // 2^40 paths
  y.backward();
  EXPECT_EQ(x.grad().item(), 0x1p40);
  Tensor z = x;
  for (int i = 0; i < 40; ++i) z = sin(z) * cos(z);
  z.backward();
}

TEST_F(Node, LivesAsLongAsItsResult) {
  const Tensor x = tensor({1., 2.}).requires_grad_();
  EXPECT_EQ(live_nodes(), 0);
  Tensor y = x * 2;
  EXPECT_EQ(live_nodes(), 2);  // and the one that fills x.grad()
  {
    const Tensor z = exp(y).sum();
    EXPECT_EQ(live_nodes(), 4);
    z.backward();
    EXPECT_EQ(live_nodes(), 4);
  }
  EXPECT_EQ(live_nodes(), 2);
  y = y.detach();
  EXPECT_EQ(live_nodes(), 0);
}

TEST_F(Node, NobodyIsTheOwnerOfItself) {  // nodes that save their result, hooks that hold their tensor's handle aside
  const Tensor x = tensor({1., 2.}).requires_grad_();
  for (int i = 0; i < 3; ++i) {
    Tensor y = softmax(tanh(exp(x)), 0);
    y.retain_grad();
    y.register_hook([](const Tensor& dy) { return dy * 2; });
    (y * y).sum().backward();
  }
  const Tensor dx = grad({exp(x).sum()}, {x}, {.create_graph = true})[0];
  EXPECT_GT(live_nodes(), 0);
}

TEST_F(Node, ALongGraphOfAllKinds) {
  const SmallStack small_stack;
  const Tensor x = leaf({2, 3});
  Tensor y = x;
  for (int i = 0; i < 20'000; ++i) {
    y = cat({y.narrow(0, 1, 1), y.narrow(0, 0, 1)});
    y = (y.t().reshape({2, 3}) * 0.5 + softmax(y, 1)).clamp(-1, 1);
  }
  y.sum().backward();
  EXPECT_TRUE(isfinite(x.grad()).all().item<bool>());
}

}  // namespace
}  // namespace gradus::test
