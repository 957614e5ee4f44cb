#include "errors.hpp"
#include "tensors.hpp"

#include <gtest/gtest.h>

namespace gradus::test {
namespace {

class Engine : public ::testing::Test {
 protected:
  void TearDown() override { EXPECT_EQ(live_nodes(), 0); }  // no node outlives its graph
};

TEST_F(Engine, GradientsAddUp) {
  const Tensor x = tensor({1., 2.}).requires_grad_();
  (x * 3).sum().backward();
  expect_tensor(x.grad(), tensor({3., 3.}));
  (x * x).sum().backward();
  expect_tensor(x.grad(), tensor({5., 7.}));
  Tensor y = x;
  y.set_grad({});
  EXPECT_FALSE(x.grad().defined());
}

TEST_F(Engine, SharedPartsCountOnce) {
  const Tensor a = tensor(1.).requires_grad_();
  const Tensor b = a + a, c = b + b;
  c.backward();
  EXPECT_EQ(a.grad().item(), 4);
}

TEST_F(Engine, BranchesMeetAgain) {
  const Tensor x = tensor(2.).requires_grad_();
  const Tensor a = x * x, b = a * 3, c = exp(a), d = a * b + c;  // 3 x^4 + exp(x^2)
  d.backward();
  EXPECT_NEAR(x.grad().item(), 12 * 8 + 4 * std::exp(4), 1e-4);
}

TEST_F(Engine, SeveralOutputs) {
  const Tensor x = tensor({1., 2.}).requires_grad_();
  const Tensor a = x.sum(), b = x * x;
  backward({a, b}, {.grad_outputs = {Tensor(), tensor({10., 1.})}});
  expect_tensor(x.grad(), tensor({21., 5.}));
  const Tensor y = x * x;
  const std::vector<Tensor> both = grad({y, y}, {x}, {.grad_outputs = {ones({2}), ones({2})}});
  expect_tensor(both[0], tensor({4., 8.}));
}

TEST_F(Engine, BackwardFromALeaf) {
  const Tensor x = tensor(1.).requires_grad_();
  x.backward();
  x.backward({.gradient = tensor(2.)});
  EXPECT_EQ(x.grad().item(), 3);
}

TEST_F(Engine, TheGradientGivenIsLeftAlone) {
  const Tensor x = tensor({1., 2.}).requires_grad_(), dy = tensor({1., 10.});
  x.backward({.gradient = dy});
  x.backward({.gradient = dy});
  (x + 0).backward({.gradient = dy});
  expect_tensor(x.grad(), tensor({3., 30.}));
  expect_tensor(dy, tensor({1., 10.}));
}

TEST_F(Engine, GradientsOfSiblingsDoNotShareElements) {
  Tensor a = ones({2}).requires_grad_(), b = ones({2}).requires_grad_();
  (a + b).sum().backward();
  a.grad().fill_(7);
  expect_tensor(b.grad(), ones({2}));
}

TEST_F(Engine, WithoutRetainGraphTheGraphServesOnce) {
  const Tensor x = tensor({1., 2.}).requires_grad_();
  const Tensor y = (x * x).sum();
  y.backward({.retain_graph = true});
  y.backward();
  expect_tensor(x.grad(), tensor({4., 8.}));
  expect_error<RuntimeError>("Trying to backward through the graph a second time", [&] { y.backward(); });
  expect_tensor(x.grad(), tensor({4., 8.}));
  const Tensor z = (x + 1).sum();  // nothing saved, nothing freed
  z.backward();
  EXPECT_NO_THROW(z.backward());
}

TEST_F(Engine, ASharedPartThatWasFreedIsNoticed) {
  const Tensor x = tensor(2.).requires_grad_();
  const Tensor shared = exp(x), a = shared * 2, b = shared * 3;
  a.backward();
  expect_error<RuntimeError>("Trying to backward through the graph a second time", [&] { b.backward(); });
}

// --- grad()

TEST_F(Engine, GradLeavesTheLeavesAlone) {
  const Tensor x = tensor({1., 2.}).requires_grad_(), w = tensor({3., 4.}).requires_grad_();
  const Tensor y = (x * w).sum();
  const auto gradients = grad({y}, {w, x});
  expect_tensor(gradients[0], tensor({1., 2.}));
  expect_tensor(gradients[1], tensor({3., 4.}));
  EXPECT_FALSE(x.grad().defined());
  EXPECT_FALSE(w.grad().defined());
}

TEST_F(Engine, GradOfComputedTensors) {
  const Tensor x = tensor(3.).requires_grad_();
  const Tensor a = x * x, b = a * a, y = a + b;
  const auto gradients = grad({y}, {a, b, y});
  EXPECT_EQ(gradients[0].item(), 19);
  EXPECT_EQ(gradients[1].item(), 1);
  EXPECT_EQ(gradients[2].item(), 1);
  EXPECT_FALSE(x.grad().defined());
}

TEST_F(Engine, GradRunsOnlyWhatItMust) {
  const Tensor x = tensor(3.).requires_grad_(), unused = tensor(1.).requires_grad_();
  int calls = 0;
  Tensor side = unused * 2;
  side.register_hook([&](const Tensor&) { ++calls; });
  const Tensor y = x * side;
  EXPECT_EQ(grad({y}, {x})[0].item(), 2);
  EXPECT_EQ(calls, 0);
}

TEST_F(Engine, GradStopsAtWhatItIsAskedFor) {
  const Tensor x = tensor({3., 2.}).requires_grad_();
  Tensor a = x * 1;
  const Tensor b = a.square(), y = (b * b).sum();  // square saves a
  const Tensor z = b.sum();
  z.backward();  // which frees it
  expect_tensor(grad({z}, {b})[0], ones({2}));
  a.zero_();
  expect_tensor(grad({y}, {b, y}, {.retain_graph = true})[0], tensor({18., 8.}));
  expect_error<RuntimeError>("Trying to backward through the graph a second time", [&] { return grad({y}, {b, x}); });
}

TEST_F(Engine, GradOfAnUnusedInput) {
  const Tensor x = tensor(3.).requires_grad_(), unused = tensor(1.).requires_grad_();
  const auto gradients = grad({x * 2}, {x, unused}, {.allow_unused = true});
  EXPECT_EQ(gradients[0].item(), 2);
  EXPECT_FALSE(gradients[1].defined());
  expect_error<RuntimeError>("One of the differentiated Tensors appears to not have been used in the graph.",
                             [&] { return grad({x * 2}, {unused}); });
}

TEST_F(Engine, HigherDerivatives) {
  const Tensor x = tensor({2., -1.}, float64).requires_grad_();
  const Tensor y = pow(x, 4).sum();
  const Tensor first = grad({y}, {x}, {.create_graph = true})[0];
  const Tensor second = grad({first.sum()}, {x}, {.create_graph = true})[0];
  const Tensor third = grad({second.sum()}, {x})[0];
  expect_tensor(first, tensor({32., -4.}, float64), 1e-12);
  expect_tensor(second, tensor({48., 12.}, float64), 1e-12);
  expect_tensor(third, tensor({48., -24.}, float64), 1e-12);
}

TEST_F(Engine, ARecordedGradientCanBeLearnedFrom) {  // the gradient penalty of Gulrajani et al. 2017
  const Tensor x = leaf({3, 2}), w = leaf({1, 2}, 0.5, 2);
  const auto penalty = [](const std::vector<Tensor>& in) {
    const Tensor y = tanh(matmul(in[0], in[1].t()));
    const Tensor dx = grad({y.sum()}, {in[0]}, {.create_graph = true})[0];
    return square(dx).sum();
  };
  const Tensor dw = grad({penalty({x, w})}, {w})[0];
  const double eps = 1e-6;
  for (std::size_t i = 0; i < 2; ++i) {
    Tensor above = w.detach().clone(), below = w.detach().clone();
    above.data<double>()[i] += eps;
    below.data<double>()[i] -= eps;
    const double slope = (penalty({x, above}) - penalty({x, below})).item() / (2 * eps);
    EXPECT_NEAR(std::as_const(dw).data<double>()[i], slope, 1e-7);
  }
}

TEST_F(Engine, BackwardCanRecordItself) {
  Tensor x = tensor(3., float64).requires_grad_();
  pow(x, 3).backward({.create_graph = true});
  const Tensor first = x.grad();
  EXPECT_EQ(first.item(), 27);
  x.set_grad({});  // otherwise x would own its gradient, whose graph owns x
  EXPECT_EQ(grad({first}, {x})[0].item(), 18);
}

// --- hooks and kept gradients

TEST_F(Engine, HooksSeeAndReplaceGradients) {
  const Tensor x = tensor({1., 2.}).requires_grad_();
  Tensor y = x * 3;
  Tensor seen;
  y.register_hook([&](const Tensor& dy) { seen = dy; });
  y.register_hook([](const Tensor& dy) { return dy * 10; });
  (y * y).sum().backward();
  expect_tensor(seen, tensor({6., 12.}));
  expect_tensor(x.grad(), tensor({180., 360.}));
}

TEST_F(Engine, HooksOfLeaves) {
  Tensor x = tensor({1., 2.}).requires_grad_();
  const Tensor before = x * 3;
  x.register_hook([](const Tensor& dy) { return dy + 1; });  // also for graphs that are there already
  before.sum().backward();
  expect_tensor(x.grad(), tensor({4., 4.}));
  (x * 5).sum().backward();
  expect_tensor(x.grad(), tensor({10., 10.}));
  expect_tensor(grad({(x * 2 + x).sum()}, {x})[0], tensor({4., 4.}));  // once, with the whole gradient
}

TEST_F(Engine, AHookMayThrow) {
  const Tensor x = tensor(1.).requires_grad_();
  Tensor y = x * 2;
  const Tensor z = y * y;
  y.register_hook([](const Tensor&) { throw ValueError("no further"); });
  expect_error<ValueError>("no further", [&] { z.backward({.retain_graph = true}); });
  EXPECT_FALSE(x.grad().defined());
  EXPECT_EQ(grad({x * 7}, {x})[0].item(), 7);
}

TEST_F(Engine, AHookMayNotChangeShapeOrDtype) {
  for (const bool computed : {false, true}) {
    Tensor w = ones({3}).requires_grad_(), y = computed ? w * 2 : w;
    y.register_hook([](const Tensor&) { return ones({7}); });
    test::expect_error<RuntimeError>("hook has changed the size of value", [&] { (y * 3).sum().backward(); });
    Tensor v = ones({3}).requires_grad_(), z = computed ? v * 2 : v;
    z.register_hook([](const Tensor& g) { return g.to(float64); });
    test::expect_error<RuntimeError>("hook has changed the type of value (was float32 got float64)",
                                     [&] { (z * 3).sum().backward(); });
    EXPECT_FALSE(v.grad().defined());
  }
}

TEST_F(Engine, ALeafFrozenSinceTheForwardPassGetsNoGradient) {
  Tensor w = ones({3}).requires_grad_(), v = ones({3}).requires_grad_();
  const Tensor y = (w * v).sum();
  w.requires_grad_(false);
  y.backward();
  EXPECT_FALSE(w.grad().defined());
  EXPECT_TRUE(equal(v.grad(), ones({3})));
}

TEST_F(Engine, AHookMayRunAnotherPass) {
  const Tensor x = tensor(0.5, float64).requires_grad_();
  const Tensor a = x * 2;
  Tensor b = exp(a);
  const Tensor c = sin(a), other = a * a;
  double inner = 0;  // asked for when the gradient of a, from c, is half finished
  b.register_hook([&](const Tensor&) { inner = grad({other}, {x}, {.retain_graph = true})[0].item(); });
  (b + c).backward();
  EXPECT_DOUBLE_EQ(inner, 4);
  EXPECT_DOUBLE_EQ(x.grad().item(), 2 * std::exp(1) + 2 * std::cos(1));
}

TEST_F(Engine, RetainGrad) {
  const Tensor x = tensor({1., 2.}).requires_grad_();
  Tensor y = x * 3;
  y.retain_grad();
  (y * y).sum().backward({.retain_graph = true});
  expect_tensor(y.grad(), tensor({6., 12.}));
  const Tensor z = y * 1;
  EXPECT_FALSE(z.grad().defined());
  Tensor leaf_too = x;
  leaf_too.retain_grad();
  expect_error<RuntimeError>("can't retain_grad on Tensor that has requires_grad=False",
                             [] { ones({1}).retain_grad(); });
  expect_error<RuntimeError>("cannot register a hook on a tensor that doesn't require gradient",
                             [] { ones({1}).register_hook([](const Tensor&) {}); });
}

TEST_F(Engine, RetainGradSurvivesWritesInPlace) {  // and then means the new elements, as in PyTorch
  for (const auto& write :
       {+[](Tensor& y) { y.mul_(2); }, +[](Tensor& y) { y.add_(y); }, +[](Tensor& y) { y.mul_(2).sub_(1).div_(3); },
        +[](Tensor& y) { y.copy_(y + y); }, +[](Tensor& y) { y.fill_(3); }}) {
    const Tensor x = tensor({1., 2.}).requires_grad_();
    Tensor y = (x * 3).retain_grad();
    write(y);
    (y * tensor({1., 10.})).sum().backward();
    expect_tensor(y.grad(), tensor({1., 10.}));
  }
}

TEST_F(Engine, InPlaceWritesLeaveTheHooksBehind) {
  const Tensor x = tensor({1., 2.}).requires_grad_();
  Tensor y = x * 3;
  Tensor seen;
  y.register_hook([&](const Tensor& dy) { seen = dy; });
  y.mul_(2);
  (y * tensor({1., 10.})).sum().backward();
  expect_tensor(seen, tensor({2., 20.}));
  expect_tensor(x.grad(), tensor({6., 60.}));
}

// --- mistakes

TEST_F(Engine, Errors) {
  const Tensor x = tensor({1., 2.}).requires_grad_();
  expect_error<RuntimeError>("grad can be implicitly created only for scalar outputs", [&] { (x * 2).backward(); });
  expect_error<RuntimeError>("element 0 of tensors does not require grad and does not have a grad_fn",
                             [] { ones({}).backward(); });
  expect_error<RuntimeError>("element 1 of tensors does not require grad", [&] { backward({x.sum(), ones({})}); });
  expect_error<RuntimeError>(
      "Mismatch in shape: grad_output[0] has a shape of torch.Size([3]) and output[0] has a shape of torch.Size([2]).",
      [&] { (x * 2).backward({.gradient = ones({3})}); });
  expect_error<RuntimeError>("got 1 tensors and 2 gradients", [&] {
    static_cast<void>(grad({x.sum()}, {x}, {.grad_outputs = {Tensor(), Tensor()}}));
  });
  expect_error<RuntimeError>("One of the differentiated Tensors does not require grad",
                             [&] { return grad({x.sum()}, {ones({2})}); });
  EXPECT_FALSE(x.grad().defined());
}

TEST_F(Engine, AFailedPassLeavesNothingBehind) {
  const Tensor x = tensor({1., 2.}).requires_grad_();
  Tensor y = exp(x);
  const Tensor z = (y * 2 + x).sum();
  {
    const NoGradGuard no_grad;
    y.mul_(3);
  }
  expect_error<RuntimeError>(
      "one of the variables needed for gradient computation has been modified by an inplace operation",
      [&] { z.backward(); });
  y = Tensor();
  const Tensor again = (exp(x) * 2 + x).sum();
  x.backward({.gradient = zeros({2})});
  again.backward();
  EXPECT_LE(max_distance(x.grad(), exp(x.detach()) * 2 + 1), 1e-5);
}

/// The gradient of a sum stands for its expansion: it has to meet others, hooks and leaves in its full shape.
class SpreadGradients : public Engine {
 protected:
  const Tensor x = tensor({{1., 2., 3.}, {4., 5., 6.}}, float64).requires_grad_();
  const Tensor w = tensor({{2., -1., 3.}, {0.5, 4., -2.}}, float64), row = tensor({3., 5., 7.}, float64);
};

TEST_F(SpreadGradients, MeetOthersInAnyOrder) {
  const Tensor y = x * w;
  (y.sum() + (y * w).sum() + y.mean({1}, true).sum() + (y * 3).sum(0).sum()).backward();
  expect_tensor(x.grad(), w * (w + 4 + 1. / 3), 1e-14);
}

TEST_F(SpreadGradients, OfOneRowOrColumnStaySmallAndAreRight) {
  ((x * row).sum(0) * row).sum().backward();
  expect_tensor(x.grad(), (row * row).expand({2, 3}));
  Tensor(x).set_grad({});
  const Tensor r = row.clone().requires_grad_(), y = x.detach() * r + r;
  y.sum().backward();
  expect_tensor(r.grad(), x.detach().sum(0) + 2);
}

TEST_F(SpreadGradients, OfALeafAddUp) {
  (x.sum(0) * row).sum().backward();
  expect_tensor(x.grad(), row.expand({2, 3}));
  (x.sum(0) * row).sum().backward();
  x.mean().backward();
  expect_tensor(x.grad(), (row * 2 + 1. / 6).expand({2, 3}), 1e-15);
  Shape seen;
  x.register_hook([&seen](const Tensor& dy) { seen = dy.shape(); });
  x.sum().backward();
  EXPECT_EQ(seen, Shape({2, 3}));
  expect_tensor(x.grad(), (row * 2 + 7. / 6).expand({2, 3}), 1e-14);
}

TEST_F(SpreadGradients, AreWholeForHooksKeptGradientsAndGrad) {
  const Tensor y = x * w, z = y + 1;
  Shape seen;
  z.register_hook([&seen](const Tensor& dy) { seen = dy.shape(); });
  y.retain_grad();
  (z * 2).sum().backward();
  EXPECT_EQ(seen, Shape({2, 3}));
  expect_tensor(y.grad(), full({2, 3}, 2., float64));
  const Tensor a = x * w, b = a * 2;
  expect_tensor(grad({b.sum()}, {a, b}, {.retain_graph = true})[0], full({2, 3}, 2., float64));
  expect_tensor(grad({b.mean()}, {b})[0], full({2, 3}, 1. / 6, float64));
}

}  // namespace
}  // namespace gradus::test
