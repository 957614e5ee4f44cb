#include "autograd/record.hpp"

#include "errors.hpp"
#include "tensors.hpp"

#include <gtest/gtest.h>

namespace gradus::test {
namespace {

const std::string modified =
    "one of the variables needed for gradient computation has been modified by an inplace operation: ";

class Record : public ::testing::Test {
 protected:
  void TearDown() override { EXPECT_EQ(live_nodes(), 0); }
};

// --- what is recorded

TEST_F(Record, OnlyWhatDependsOnALeaf) {
  const Tensor x = ones({2}), w = ones({2}).requires_grad_();
  EXPECT_FALSE((x * 2).requires_grad());
  EXPECT_TRUE((x * w).requires_grad());
  EXPECT_TRUE(w.is_leaf());
  EXPECT_TRUE(x.is_leaf());
  EXPECT_FALSE((x * w).is_leaf());
  EXPECT_EQ((x * w).grad_fn(), "MulBackward0");
  EXPECT_FALSE(w.to(int64).requires_grad());
}

TEST_F(Record, GuardsNest) {
  const Tensor w = ones({2}).requires_grad_();
  EXPECT_TRUE(grad_enabled());
  {
    const NoGradGuard off;
    EXPECT_FALSE(grad_enabled());
    EXPECT_FALSE((w * 2).requires_grad());
    {
      const EnableGradGuard on;
      EXPECT_TRUE((w * 2).requires_grad());
    }
    EXPECT_FALSE((w * 2).requires_grad());
    EXPECT_TRUE(ones({1}).requires_grad_().requires_grad());
  }
  EXPECT_TRUE((w * 2).requires_grad());
}

TEST_F(Record, GuardsEndWithAnException) {
  try {
    const NoGradGuard off;
    throw 1;
  } catch (int) {
  }
  EXPECT_TRUE(grad_enabled());
}

TEST_F(Record, Detach) {
  const Tensor w = tensor({1., 2.}).requires_grad_();
  const Tensor y = w * 3;
  Tensor d = y.detach();
  EXPECT_FALSE(d.requires_grad());
  EXPECT_TRUE(d.shares_storage(y));
  (y * d).sum().backward();
  expect_tensor(w.grad(), tensor({9., 18.}));
}

TEST_F(Record, RequiresGrad) {
  Tensor w = ones({2});
  w.requires_grad_().requires_grad_(false);
  EXPECT_FALSE(w.requires_grad());
  EXPECT_TRUE((w.requires_grad_() * 2).requires_grad_().requires_grad());
  expect_error<RuntimeError>("only Tensors of floating point dtype can require gradients",
                             [] { arange(3).requires_grad_(); });
  expect_error<RuntimeError>("you can only change requires_grad flags of leaf variables.",
                             [&] { (w * 2).requires_grad_(false); });
}

TEST_F(Record, SetGradChecksWhatItGets) {
  Tensor w = ones({2}).requires_grad_();
  w.set_grad(tensor({1., 2.}));
  expect_tensor(w.grad(), tensor({1., 2.}));
  expect_error<RuntimeError>("set_grad: expected a gradient of shape [2] and dtype float32, got [3] and float32",
                             [&] { w.set_grad(ones({3})); });
  expect_error<RuntimeError>("set_grad: expected", [&] { w.set_grad(ones({2}, float64)); });
  expect_tensor(w.grad(), tensor({1., 2.}));
}

TEST_F(Record, AGradientThatIsSetCanBeAddedTo) {  // also one that is a copy where PyTorch has a view
  Tensor w = ones({2, 2}).requires_grad_();
  const Tensor other = ones({2, 2});
  w.set_grad(other.t());
  (w * 2).sum().backward();
  expect_tensor(w.grad(), full({2, 2}, 3.));
  expect_tensor(other, ones({2, 2}));
}

// --- writes to saved tensors

TEST_F(Record, AWriteToASavedInputIsNoticed) {
  const Tensor w = ones({2, 3}).requires_grad_();
  Tensor x = ones({2, 3});
  const Tensor y = (w * x).sum();
  x.add_(1);
  expect_error<RuntimeError>(modified +
                                 "[torch.FloatTensor [2, 3]] is at version 1; expected version 0 instead. Hint: "
                                 "MulBackward0 needs the elements",
                             [&] { y.backward(); });
}

TEST_F(Record, AWriteToASavedResultIsNoticed) {
  const Tensor w = ones({3}, float64).requires_grad_();
  Tensor y = exp(w);
  y.mul_(2);
  expect_error<RuntimeError>(
      modified +
          "[torch.DoubleTensor [3]], which is output 0 of ExpBackward0, is at version 1; expected version 0 instead.",
      [&] { y.sum().backward(); });
}

TEST_F(Record, TheWriterIsNamedWhereItIsInTheGraph) {  // as PyTorch, which names what the saved tensor is by then
  const Tensor w = ones({3}).requires_grad_();
  Tensor b = w * 2;
  const Tensor c = (b * b).sum();
  b.add_(3);
  expect_error<RuntimeError>(modified + "[torch.FloatTensor [3]], which is output 0 of AddBackward0, is at version 1;",
                             [&] { c.backward(); });
  Tensor d = w * 2;
  const Tensor e = (d * d).sum();
  {
    const NoGradGuard no_grad;
    d.add_(3);
  }
  expect_error<RuntimeError>(modified + "[torch.FloatTensor [3]], which is output 0 of MulBackward0, is at version 1;",
                             [&] { e.backward(); });
}

TEST_F(Record, AWriteThroughAViewOrADetachedHandleIsNoticed) {
  const Tensor w = ones({2, 2}).requires_grad_(), x = ones({2, 2});
  for (const auto& write : {+[](const Tensor& t) { t.detach().zero_(); }, +[](const Tensor& t) { t[1].fill_(3); },
                            +[](const Tensor& t) { t.reshape(4).narrow(0, 1, 2).add_(1); }}) {
    const Tensor y = (w * x).sum();
    write(x);
    expect_error<RuntimeError>(modified, [&] { y.backward(); });
  }
}

TEST_F(Record, AnOptimisersWriteBetweenForwardAndBackwardIsNoticed) {
  Tensor w = ones({2}).requires_grad_();
  const Tensor y = (w * w).sum();
  {
    const NoGradGuard no_grad;
    w.sub_(ones({2}), 0.1);
  }
  expect_error<RuntimeError>(modified, [&] { y.backward(); });
}

TEST_F(Record, AWriteToWhatWasNotSavedIsFine) {
  const Tensor w = ones({2}).requires_grad_();
  Tensor y = w * 3;
  const Tensor z = (y + 1).sum();
  y.mul_(10);
  EXPECT_NO_THROW(z.backward());
  expect_tensor(w.grad(), tensor({3., 3.}));
}

// --- writes inside a graph

TEST_F(Record, InPlaceOperationsAreDifferentiated) {
  const Tensor w = tensor({1., 2.}, float64).requires_grad_(), v = tensor({3., 5.}, float64).requires_grad_();
  const auto written = [](const std::vector<Tensor>& in) {
    Tensor y = in[0] * 1;
    y.mul_(in[1]).add_(in[0], 2).sub_(in[1]).div_(in[1] + 1);
    y.add_(1).mul_(3).sub_(0.5).div_(2);
    return y;
  };
  expect_tensor(written({w, v}), ((w * v + 2 * w - v) / (v + 1) + 1) * 1.5 - 0.25, 1e-15);
  expect_derivatives(written, {w, v});
}

TEST_F(Record, InPlaceOperationsOnATensorAndItself) {
  const Tensor w = leaf({2, 3}, 0.5, 2);
  expect_derivative([](const Tensor& x) { return (x * 1).mul_(2).add_(x); }, w);
  for (const auto& write : {+[](Tensor& y) { y.add_(y); }, +[](Tensor& y) { y.mul_(y); },
                            +[](Tensor& y) { y.sub_(y, 3); }, +[](Tensor& y) { y.div_(y); }}) {
    expect_derivative(
        [&](const Tensor& x) {
          Tensor y = x * x;
          write(y);
          return y;
        },
        w);
  }
}

TEST_F(Record, AWriteOfAResultIntoItsOwnSourceLeaksNothing) {  // the gradient is refused, as the source was saved
  const Tensor w = tensor({1., 2.}).requires_grad_();
  Tensor x = ones({2}), y = w * 1;
  x.add_(x * w);
  y.add_(y * w);
  expect_error<RuntimeError>(modified, [&] { y.sum().backward(); });
}

TEST_F(Record, CopyFillAndZeroCutTheTensorOff) {
  const Tensor w = tensor({1., 2.}).requires_grad_(), v = tensor(3.).requires_grad_();
  Tensor y = w * 2;
  y.copy_(v);
  (y * w).sum().backward();
  expect_tensor(w.grad(), tensor({3., 3.}));
  expect_tensor(v.grad(), tensor(3.));
  Tensor z = w * 2;
  z.zero_();
  expect_tensor(grad({(z + w).sum()}, {w})[0], tensor({1., 1.}));
  Tensor plain = zeros({2});
  plain.add_(w);
  EXPECT_TRUE(plain.requires_grad());
  EXPECT_EQ(plain.grad_fn(), "AddBackward0");
}

TEST_F(Record, InPlaceErrorsChangeNothing) {
  Tensor w = tensor({1., 2.}).requires_grad_();
  const std::string of_leaf = "a leaf Variable that requires grad is being used in an in-place operation.";
  expect_error<RuntimeError>(of_leaf, [&] { w.add_(1); });
  expect_error<RuntimeError>(of_leaf, [&] { w.copy_(ones({2})); });
  expect_error<RuntimeError>(of_leaf, [&] { w.zero_(); });
  const std::string of_view = "a view of a leaf Variable that requires grad is being used in an in-place operation.";
  expect_error<RuntimeError>(of_view, [&] { w[0].fill_(1); });
  expect_error<RuntimeError>(of_view, [&] { w.reshape({2, 1}).mul_(2); });
  expect_error<RuntimeError>("a view of a tensor that takes part in a graph is being used in an in-place operation.",
                             [&] { (w * 1)[0].add_(1); });
  expect_error<RuntimeError>("a view of a tensor that takes part in a graph is being used in an in-place operation.",
                             [&] { ones({2})[0].add_(w[0]); });
  expect_tensor(w.detach(), tensor({1., 2.}));
  EXPECT_EQ(w.version(), 0u);
  Tensor x = ones({2});
  expect_error<RuntimeError>("output with shape [2] doesn't match the broadcast shape [3, 2]", [&] {
    x.add_(ones({3, 2}));
  });
  expect_error<RuntimeError>("output with shape [2] doesn't match the broadcast shape [3, 2]", [&] {
    x.copy_(ones({3, 2}));
  });
  expect_error<RuntimeError>("result type Float can't be cast to the desired output type Long",
                             [] { arange(3).mul_(ones({3})); });
  EXPECT_EQ(x.version(), 0u);
}

TEST_F(Record, LeavesMayBeWrittenUnderNoGrad) {
  Tensor w = tensor({1., 2.}).requires_grad_();
  const NoGradGuard no_grad;
  w.sub_(tensor({1., 1.}), 0.5);
  w[1].add_(10);
  expect_tensor(w, tensor({0.5, 11.5}));
  EXPECT_TRUE(w.requires_grad());
  EXPECT_TRUE(w.is_leaf());
}

TEST_F(Record, EveryWriteIsAVersion) {
  Tensor x = ones({2});
  EXPECT_EQ(x.version(), 0u);
  x.add_(1).mul_(ones({2})).zero_().fill_(2).copy_(ones({2})).div_(2);
  EXPECT_EQ(x.version(), 6u);
  x.detach().zero_();
  x[0].fill_(1);
  EXPECT_EQ(x.version(), 8u);
}

TEST_F(Record, AnOverlappingOperandIsReadBeforeTheWrite) {
  Tensor x = arange(5);
  x.narrow(0, 1, 4).add_(x.narrow(0, 0, 4));
  expect_tensor(x, tensor({0, 1, 3, 5, 7}));
  x.sub_(x[4]);
  expect_tensor(x, tensor({-7, -6, -4, -2, 0}));
}

}  // namespace
}  // namespace gradus::test
