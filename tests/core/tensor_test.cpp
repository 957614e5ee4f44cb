#include "errors.hpp"
#include "tensors.hpp"

#include <gradus/core/dot.hpp>

namespace gradus::test {
namespace {

TEST(Tensor, KnowsWhatItIs) {
  const Tensor x = zeros({2, 3}, float64);
  EXPECT_TRUE(x.defined());
  EXPECT_EQ(x.shape(), (Shape{2, 3}));
  EXPECT_EQ(x.dim(), 2);
  EXPECT_EQ(x.numel(), 6);
  EXPECT_EQ(x.dtype(), float64);
  EXPECT_EQ(x.size(0), 2);
  EXPECT_EQ(x.size(-1), 3);
  EXPECT_EQ(zeros({}).numel(), 1);
  EXPECT_EQ(zeros({0, 3}).numel(), 0);
}

TEST(Tensor, TooLargeOnesAreRefusedByShape) {
  expect_error<RuntimeError>("a tensor of shape [35184372088832] and dtype float32 does not fit in memory",
                             [] { zeros({std::int64_t{1} << 45}); });
  if constexpr (sizeof(void*) == 4) {  // whose product, in bytes, would be 64 again
    expect_error_with<RuntimeError>([] { zeros({(std::int64_t{1} << 30) + 16}); }, "does not fit in memory");
  }
}

TEST(Tensor, IsNoGradientOfItself) {
  Tensor w = ones({2}).requires_grad_();
  expect_error<RuntimeError>("can't assign Variable as its own grad", [&] { w.set_grad(w); });
}

TEST(Tensor, RefusesDimensionsItDoesNotHave) {
  const std::string range = "Dimension out of range (expected to be in range of [-2, 1], but got ";
  expect_error<IndexError>(range + "2)", [] { ones({2, 3}).size(2); });
  expect_error<IndexError>(range + "-3)", [] { ones({2, 3}).size(-3); });
  expect_error<IndexError>("Dimension specified as 0 but tensor has no dimensions", [] { tensor(1).size(0); });
}

// x[0] = y would look like a write into x.
static_assert(std::is_assignable_v<Tensor&, Tensor>);
static_assert(!std::is_assignable_v<Tensor, Tensor>);

TEST(Tensor, AnUndefinedOneIsNoTensor) {
  Tensor x = ones({2});
  const Tensor taken = std::move(x);
  EXPECT_FALSE(Tensor().defined());
  for (const Tensor& none : {Tensor(), x}) {  // tensor_undefined_test has every operation
    expect_error<RuntimeError>(
        "shape: this Tensor is undefined (default-constructed or moved from)\ngrad() of a tensor is undefined until a "
        "backward() has reached it, and again after zero_grad()",
        [&] { none.shape(); });
    expect_error<RuntimeError>("add: Tensor 2 of the arguments is undefined", [&] { taken + none; });
  }
}

TEST(Tensor, ACopyIsAnotherNameOfTheSameElements) {
  Tensor x = zeros({2});
  Tensor y = x;
  y.data<float>()[1] = 3;
  EXPECT_EQ(x.data<float>()[1], 3);
  EXPECT_TRUE(x.is_same(y));
  y = ones({2});
  EXPECT_FALSE(x.is_same(y));
  EXPECT_EQ(x.data<float>()[0], 0);
}

TEST(Tensor, SharesItsStorageWithItsParts) {
  Tensor x = arange(6).reshape({2, 3}).to(float32);
  Tensor row = x[1];
  EXPECT_TRUE(x.shares_storage(row));
  EXPECT_TRUE(x.shares_storage(x.detach()));
  EXPECT_TRUE(x.shares_storage(x.reshape({3, 2})));
  EXPECT_FALSE(x.shares_storage(x.clone()));
  const std::uint32_t before = x.version();
  row.add_(10);
  expect_tensor(x, tensor({{0., 1., 2.}, {13., 14., 15.}}));
  EXPECT_EQ(x.version(), before + 1);
}

TEST(Tensor, GivesItsElementsInTheirDtypeOnly) {
  Tensor x = ones({2}, float64);
  EXPECT_EQ(x.data<double>().size(), 2u);
  EXPECT_TRUE(zeros({0}).to_vector<float>().empty());
  expect_error<TypeError>("expected scalar type Float but found Double", [&] { x.data<float>(); });
  expect_error<TypeError>("expected scalar type Long but found Bool",
                          [] { ones({1}, boolean).to_vector<std::int64_t>(); });
}

template <class X>
concept GivesData = requires(X&& x) {
  std::forward<X>(x).template data<float>();
};
static_assert(GivesData<Tensor&> && GivesData<const Tensor&>);
static_assert(!GivesData<Tensor> && !GivesData<const Tensor>, "elements of a temporary would be gone");

TEST(Tensor, CopiesItsElements) {
  std::vector<float> all;
  for (const float v : (tensor({{1., 2.}, {3., 4.}}) * 2).to_vector<float>()) all.push_back(v);
  EXPECT_EQ(all, (std::vector<float>{2, 4, 6, 8}));
  EXPECT_EQ(tensor({true, false}).to_vector<bool>(), (std::vector<bool>{true, false}));
  EXPECT_EQ(tensor(3).to_vector<std::int64_t>(), std::vector<std::int64_t>{3});
  EXPECT_TRUE(zeros({0, 2}).to_vector<float>().empty());
  expect_error<TypeError>("expected scalar type Double but found Float", [] { ones({1}).to_vector<double>(); });
}

TEST(Tensor, ABoolIsNoDimension) {
  const Tensor x = tensor({{1., 2.}, {3., 5.}});
  const auto refused = [](const auto& t, auto b) {
    static_assert(
        !requires { t.sum(b); } && !requires { t.mean(b); } && !requires { t.logsumexp(b); });
    static_assert(
        !requires { t.max(b); } && !requires { t.min(b); } && !requires { t.argmax(b); });
    static_assert(
        !requires { t.argmin(b); } && !requires { t.all(b); } && !requires { t.any(b); });
    static_assert(
        !requires { t.softmax(b); } && !requires { t.log_softmax(b); } && !requires { t.size(b); });
    static_assert(
        !requires { t.squeeze(b); } && !requires { t.unsqueeze(b); } && !requires { t.flatten(b); });
    static_assert(
        !requires { t.reshape(b); } && !requires { t.permute({b}); } && !requires { t.sum({b}); });
    static_assert(
        !requires { t.select(b, 0); } && !requires { t.narrow(b, 0, 1); } && !requires { t[b]; });
    static_assert(
        !requires { sum(t, b); } && !requires { zeros(b); } && !requires { stack({t}, b); });
    static_assert(
        requires { t.var(b); } && requires { t.std(b); } && requires { var(t, b); } && requires { std(t, b); });
  };
  refused(x, true);
  expect_tensor(x.var(false), tensor(2.1875));  // PyTorch
  expect_tensor(x.var(true), tensor(2.9166667), 1e-6);
  expect_tensor(x.std(false), tensor(1.4790199), 1e-6);
  expect_tensor(std(x, true), x.std());
  expect_tensor(x.var(0), tensor({2., 4.5}));
  expect_tensor(x.var(1, false), tensor({0.25, 1.}));
}

TEST(Tensor, AConstOneTakesHooksAndGradients) {
  const Tensor x = ones({2}).requires_grad_(), y = x * 3;
  int calls = 0;
  x.register_hook([&](const Tensor&) { ++calls; });
  y.retain_grad().sum().backward();
  EXPECT_EQ(calls, 1);
  expect_tensor(y.grad(), ones({2}));
  x.set_grad({});
  EXPECT_FALSE(x.grad().defined());
}

TEST(Tensor, ItemConvertsTheOnlyElement) {
  EXPECT_TRUE(tensor(0.5).item<bool>());
  expect_error<RuntimeError>("value cannot be converted to type int64_t without overflow",
                             [] { tensor(NAN).item<std::int64_t>(); });
  expect_error<RuntimeError>("value cannot be converted to type int without overflow",
                             [] { tensor(std::int64_t{1} << 40).item<int>(); });
  expect_error<RuntimeError>("value cannot be converted to type float without overflow",
                             [] { tensor(1e300, float64).item<float>(); });
  EXPECT_EQ(tensor(2.75).item<int>(), 2);
  EXPECT_EQ(tensor({{true}}).item<double>(), 1);
  EXPECT_EQ(tensor({INT64_MAX}).item<std::int64_t>(), INT64_MAX);
  for (const Shape& shape : {Shape{2}, Shape{0}, Shape{1, 2}}) {
    expect_error<ValueError>("only one element tensors can be converted to Python scalars",
                             [&] { ones(shape).item(); });
  }
}

TEST(Tensor, OnlyFloatingLeavesMayWantAGradient) {
  Tensor x = ones({2});
  EXPECT_FALSE(x.requires_grad());
  EXPECT_TRUE(x.requires_grad_().requires_grad());
  EXPECT_FALSE(x.requires_grad_(false).requires_grad());
  expect_error<RuntimeError>("only Tensors of floating point dtype can require gradients",
                             [] { ones({2}, int64).requires_grad_(); });
  Tensor y = x.requires_grad_() * 2;
  EXPECT_NO_THROW(y.requires_grad_());
  expect_error<RuntimeError>("you can only change requires_grad flags of leaf variables.",
                             [&] { y.requires_grad_(false); });
}

TEST(Tensor, ALeafHasNoFunction) {
  const Tensor x = ones({2}).requires_grad_(), y = x * 2;
  EXPECT_TRUE(x.is_leaf());
  EXPECT_EQ(x.grad_fn(), "");
  EXPECT_FALSE(y.is_leaf());
  EXPECT_EQ(y.grad_fn(), "MulBackward0");
  EXPECT_TRUE(y.detach().is_leaf());
  EXPECT_FALSE(y.detach().requires_grad());
}

TEST(Tensor, AGradientHasItsShapeAndDtype) {
  Tensor x = ones({2, 3}).requires_grad_();
  EXPECT_FALSE(x.grad().defined());
  x.set_grad(full({2, 3}, 2.));
  expect_error<RuntimeError>("set_grad: expected a gradient of shape [2, 3] and dtype float32, got [3] and float32",
                             [&] { x.set_grad(ones({3})); });
  expect_error<RuntimeError>("set_grad: expected a gradient of shape [2, 3] and dtype float32, got [2, 3] and float64",
                             [&] {
                               x.set_grad(ones({2, 3}, float64));
                             });
  expect_tensor(x.grad(), full({2, 3}, 2.));
  x.set_grad({});
  EXPECT_FALSE(x.grad().defined());
}

TEST(Tensor, KeepsTheGradientOfAComputedOneOnDemand) {
  Tensor x = ones({2}).requires_grad_(), y = x * 3, z = y * 4;
  y.retain_grad();
  z.sum().backward();
  expect_tensor(y.grad(), full({2}, 4.));
  EXPECT_FALSE(z.grad().defined());
  expect_error<RuntimeError>("can't retain_grad on Tensor that has requires_grad=False",
                             [] { ones({2}).retain_grad(); });
}

TEST(Tensor, OneOfAGraphHasNameHooksAndGradientTogether) {
  Tensor x = ones({2}).requires_grad_(), y = x * 3;
  set_name(y, "y");
  int calls = 0;
  y.register_hook([&](const Tensor&) { ++calls; });
  y.retain_grad();
  y.sum().backward();
  EXPECT_EQ(name(y), "y");
  EXPECT_EQ(calls, 1);
  expect_tensor(y.grad(), ones({2}));
  expect_error<RuntimeError>("cannot register a hook on a tensor that doesn't require gradient",
                             [] { ones({2}).register_hook([](const Tensor&) {}); });
}

TEST(Tensor, AHookOfALeafMayComeBeforeOrAfterTheGraph) {
  Tensor x = ones({2}).requires_grad_();
  x.register_hook([](const Tensor& gradient) { return gradient * 2; });
  const Tensor y = x * 3;
  x.register_hook([](const Tensor& gradient) { return gradient + 1; });
  y.sum().backward();
  expect_tensor(x.grad(), full({2}, 7.));
}

}  // namespace
}  // namespace gradus::test
