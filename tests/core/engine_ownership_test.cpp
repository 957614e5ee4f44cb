// A gradient that a user can reach is never the memory of another tensor, so whoever writes to one changes no other.
#include "tensors.hpp"

#include <gtest/gtest.h>

#include <list>

namespace gradus::test {
namespace {

/// A random graph of tensors of shape (2, 3), by operations that hand a gradient on as it is, or parts of it, and by
/// some that do not.
class RandomGraph {
 public:
  explicit RandomGraph(std::uint64_t seed) : generator_(seed) {
    for (int i = 0; i < 3; ++i) tensors.push_back(randn({2, 3}, float64, generator_).requires_grad_());
    for (int i = 0; i < 12; ++i) tensors.push_back(next());
  }

  std::int64_t pick(std::int64_t below) { return randint(below, {}, generator_).item<std::int64_t>(); }
  const Tensor& any() { return tensors[static_cast<std::size_t>(pick(static_cast<std::int64_t>(tensors.size())))]; }
  Tensor y() {  // of all, so that none is unused
    Tensor sum = tensors[0];
    for (std::size_t i = 1; i < tensors.size(); ++i) sum = sum + tensors[i];
    return sum;
  }

  std::vector<Tensor> tensors;  // the first three are leaves

 private:
  Tensor next() {
    const Tensor a = any(), b = any();
    switch (pick(10)) {
      case 0: return a + b;
      case 1: return a - b;
      case 2: return a.reshape(6).view({2, 3});
      case 3: return a.unsqueeze(0).squeeze(0);
      case 4: return cat({a.narrow(0, 0, 1), b.narrow(0, 1, 1)});
      case 5: return stack({a, b})[1] + a;
      case 6: return a.t().t();
      case 7: return a.clone() + 1;
      case 8: return a * b * 0.5;
      default: return a.to(float32).to(float64) + a[0];
    }
  }

  Generator generator_;
};

/// The gradients that a user can reach after a backward pass of a random graph.
struct Reached {
  Reached(std::uint64_t seed, bool create_graph, bool by_grad) : graph(seed) {
    for (Tensor x : graph.tensors) {
      if (graph.pick(3) == 0) x.register_hook([this](const Tensor& dy) { gradients.push_back(dy); });
      if (graph.pick(4) == 0) x.register_hook([this](const Tensor& dy) { return replaced(dy); });
      if (graph.pick(3) == 0) x.retain_grad();
    }
    const Tensor y = graph.y(), dy = ones({2, 3}, float64);
    std::vector<Tensor> outputs{y}, seeds{dy};
    if (graph.pick(2)) outputs.push_back(graph.any()), seeds.push_back(dy);
    if (by_grad) {
      const Tensor a = graph.any();
      const std::vector<Tensor> inputs{graph.tensors[0], a, graph.tensors[1], a, y};
      for (const Tensor& dx :
           grad(outputs, inputs, {.grad_outputs = seeds, .create_graph = create_graph, .allow_unused = true})) {
        gradients.push_back(dx);
      }
    } else {
      backward(outputs, {.grad_outputs = seeds, .create_graph = create_graph});
    }
    gradients.push_back(dy);
    for (const Tensor& x : graph.tensors) {
      if (x.grad().defined()) gradients.push_back(x.grad());
    }
  }
  Tensor replaced(const Tensor& dy) {
    const Tensor by = dy * 2;
    gradients.push_back(by);
    return by;
  }
  ~Reached() {
    for (Tensor& x : graph.tensors) x.set_grad({});  // a recorded gradient of a leaf owns it
  }

  RandomGraph graph;
  std::list<Tensor> gradients;
};

TEST(Ownership, AWriteToAGradientChangesNoOther) {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    Reached reached(seed, seed % 2, seed / 2 % 2);
    const NoGradGuard no_grad;
    for (Tensor& written : reached.gradients) {
      std::vector<Tensor> others, before;
      for (const Tensor& other : reached.gradients) {
        if (&other != &written) others.push_back(other);
      }
      others.insert(others.end(), reached.graph.tensors.begin(), reached.graph.tensors.end());
      for (const Tensor& other : others) before.push_back(other.detach().clone());
      written.fill_(1000);
      for (std::size_t i = 0; i < others.size(); ++i) ASSERT_TRUE(equal(others[i], before[i])) << "seed " << seed;
    }
  }
}

TEST(Ownership, AnotherPassChangesTheGradientsOfLeavesAlone) {
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    Reached reached(seed, seed % 2, false);
    std::vector<Tensor> others, before;
    for (const Tensor& other : reached.gradients) {
      bool of_leaf = false;
      for (int i = 0; i < 3; ++i) of_leaf |= reached.graph.tensors[static_cast<std::size_t>(i)].grad().is_same(other);
      if (!of_leaf) others.push_back(other), before.push_back(other.detach().clone());
    }
    const auto& x = reached.graph.tensors;
    (x[0].detach() * x[0] + x[1] - x[2]).sum().backward();
    for (std::size_t i = 0; i < others.size(); ++i) ASSERT_TRUE(equal(others[i], before[i])) << "seed " << seed;
  }
}

TEST(Ownership, AGradientPenalty) {
  Tensor a = tensor(1., float64).requires_grad_(), b = tensor(2., float64).requires_grad_();
  (a + b).square().backward({.create_graph = true});
  EXPECT_FALSE(a.grad().shares_storage(b.grad()));
  (a.grad().square() + b.grad().square()).backward();
  EXPECT_EQ(a.grad().item(), 54);
  EXPECT_EQ(b.grad().item(), 54);
  a.set_grad({}), b.set_grad({});
}

TEST(Ownership, AHookMayWriteToWhatItSees) {
  const Tensor a = tensor({1., 2.}).requires_grad_(), b = tensor({1., 2.}).requires_grad_();
  Tensor x = a * 1, y = b * 1;
  y.register_hook([](const Tensor& dy) { Tensor(dy).mul_(10); });
  (x + y).sum().backward();
  expect_tensor(a.grad(), tensor({1., 1.}));
  expect_tensor(b.grad(), tensor({10., 10.}));
}

TEST(Ownership, TheSameInputTwice) {
  const Tensor x = tensor({1., 2.}).requires_grad_();
  std::vector<Tensor> dx = grad({(x * 3).sum()}, {x, x});
  dx[0].zero_();
  expect_tensor(dx[1], tensor({3., 3.}));
}

}  // namespace
}  // namespace gradus::test
