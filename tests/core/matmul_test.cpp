#include "errors.hpp"
#include "tensors.hpp"

#include <gtest/gtest.h>

namespace gradus::test {
namespace {

TEST(Matmul, Values) {
  const Tensor a = tensor({{1., 2., 3.}, {4., 5., 6.}}), b = tensor({{1., 0.}, {2., -1.}, {0., 3.}});
  const Tensor u = tensor({1., -1.}), v = tensor({2., 0., 1.});
  for (const Dtype dtype : {float32, float64}) {
    const auto of = [&](const Tensor& p, const Tensor& q) { return matmul(p.to(dtype), q.to(dtype)); };
    expect_tensor(of(a, b), tensor({{5., 7.}, {14., 13.}}, dtype));
    expect_tensor(of(a, v), tensor({5., 14.}, dtype));
    expect_tensor(of(u, a), tensor({-3., -3., -3.}, dtype));
    expect_tensor(of(v, v), tensor(5., dtype));
    expect_tensor(of(a, v.unsqueeze(1)), tensor({{5.}, {14.}}, dtype));
    expect_tensor(of(v.unsqueeze(0), b), tensor({{2., 3.}}, dtype));
  }
}

TEST(Matmul, OddSizesAgainstTheDefinition) {
  for (const auto& [m, k, n] : {std::tuple{1, 1, 1}, {1, 17, 5}, {13, 1, 7}, {3, 200, 1}, {33, 65, 17}, {64, 64, 64}}) {
    const Tensor a = leaf({m, k}).detach(), b = leaf({k, n}, -2, 1).detach();
    const Tensor expected = (a.unsqueeze(2) * b.unsqueeze(0)).sum(1);
    expect_tensor(matmul(a, b), expected, 1e-12);
    EXPECT_LE(max_distance(matmul(a.to(float32), b.to(float32)), expected), 1e-4);
  }
}

TEST(Matmul, Empty) {
  expect_tensor(matmul(zeros({2, 0}), zeros({0, 3})), zeros({2, 3}));
  EXPECT_EQ(matmul(zeros({0, 2}), zeros({2, 3})).shape(), Shape({0, 3}));
  expect_tensor(matmul(zeros({0}), zeros({0})), tensor(0.));
  expect_tensor(matmul(zeros({2, 0}), zeros({0})), zeros({2}));
  EXPECT_EQ(matmul(zeros({3}), zeros({3, 0})).shape(), Shape({0}));
  const Tensor x = zeros({2, 0}).requires_grad_(), w = zeros({0, 3}).requires_grad_();
  matmul(x, w).sum().backward();
  EXPECT_EQ(x.grad().shape(), x.shape());
  EXPECT_EQ(w.grad().shape(), w.shape());
}

TEST(Matmul, NotANumberIsNotHiddenByZero) {
  expect_tensor(matmul(tensor({{0., 1.}}), tensor({{nan}, {2.}})), tensor({{nan}}));
  expect_tensor(matmul(tensor({{0., 1.}}), tensor({{inf}, {2.}})), tensor({{nan}}));
}

TEST(Matmul, Derivatives) {
  const auto product = [](const Tensor& a, const Tensor& b) { return matmul(a, b); };
  expect_derivative(product, leaf({2, 3}), leaf({3, 4}, -2, 1));
  expect_derivative(product, leaf({2, 3}), leaf({3}, -2, 1));
  expect_derivative(product, leaf({3}), leaf({3, 4}, -2, 1));
  expect_derivative(product, leaf({3}), leaf({3}, -2, 1));
  expect_derivative([&](const Tensor& a) { return product(a, product(a, a)); }, leaf({3, 3}));
  const Tensor constant = leaf({3, 2}).detach();
  expect_derivative([&](const Tensor& a) { return square(product(a, constant)); }, leaf({4, 3}));
  expect_derivative([&](const Tensor& a) { return square(product(constant, a)); }, leaf({2, 4}));
}

TEST(Matmul, ThirdDerivatives) {  // products of products, transposed ones among them
  const Tensor a = leaf({2, 3}), b = leaf({3, 2}, -2, 1);
  const auto first = [](const std::vector<Tensor>& in) {
    const Tensor y = square(matmul(in[0], in[1]));
    return grad({y.sum()}, {in[0]}, {.create_graph = true})[0];
  };
  const EnableGradGuard recording;
  EXPECT_NO_THROW(gradgradcheck(
      [&](const std::vector<Tensor>& in) {
        std::vector<Tensor> x = in;
        for (Tensor& v : x) v = v.requires_grad() ? v : v.detach().requires_grad_();
        const EnableGradGuard inner;
        return first(x);
      },
      {a, b}));
}

TEST(Matmul, SavesOnlyWhatItNeeds) {
  const Tensor x = leaf({2, 3});
  Tensor constant = leaf({3, 2}).detach();
  const Tensor y = matmul(constant, x);
  Tensor seen = x.detach();
  {
    const NoGradGuard no_grad;
    seen.mul_(2);  // x is not needed for its own gradient
  }
  EXPECT_NO_THROW(y.sum().backward());
}

TEST(Matmul, Errors) {
  const auto product = [](const Shape& a, const Shape& b) { return [=] { matmul(zeros(a), zeros(b)); }; };
  expect_error<RuntimeError>("mat1 and mat2 shapes cannot be multiplied (2x3 and 4x5)", product({2, 3}, {4, 5}));
  expect_error<RuntimeError>("mat1 and mat2 shapes cannot be multiplied (1x3 and 4x5)", product({3}, {4, 5}));
  expect_error<RuntimeError>("size mismatch, got 2, 2x3,4", product({2, 3}, {4}));
  expect_error<RuntimeError>(
      "inconsistent tensor size, expected tensor [3] and src [4] to have the same number of elements, but got 3 and 4 "
      "elements respectively",
      product({3}, {4}));
  expect_error<RuntimeError>("both arguments to matmul need to be at least 1D, but they are 0D and 1D",
                             product({}, {3}));
  expect_error<RuntimeError>("expected scalar type Float but found Double", [] {
    matmul(zeros({2, 3}), zeros({3, 2}, float64));
  });
  expect_error<RuntimeError>("matmul multiplies floating tensors, got int64", [] { matmul(arange(3), arange(3)); });
}

// --- linear

TEST(Linear, IsXTimesWeightTransposedPlusBias) {
  const Tensor w = leaf({4, 3}).detach(), b = leaf({4}, 2, 5).detach();
  for (const Shape& shape : {Shape{3}, {5, 3}, {1, 3}, {2, 5, 3}, {2, 1, 5, 3}, {0, 3}, {2, 0, 3}}) {
    const Tensor x = leaf(shape, -2, 2).detach();
    Shape expected_shape = shape;
    expected_shape[shape.rank() - 1] = 4;
    const Tensor expected = matmul(x.reshape({x.numel() / 3, 3}), w.t()).reshape(expected_shape);
    expect_tensor(linear(x, w, Tensor()), expected, 1e-14);
    expect_tensor(linear(x, w, b), expected + b, 1e-14);
    EXPECT_LE(max_distance(linear(x.to(float32), w.to(float32), b.to(float32)), expected + b), 2e-6);
  }
}

TEST(Linear, NoFeatures) {
  expect_tensor(linear(zeros({2, 0}), zeros({3, 0}), tensor({1., 2., 3.})), tensor({{1., 2., 3.}, {1., 2., 3.}}));
  expect_tensor(linear(zeros({2, 0}), zeros({3, 0}), Tensor()), zeros({2, 3}));
  EXPECT_EQ(linear(zeros({2, 3}), zeros({0, 3}), zeros({0})).shape(), Shape({2, 0}));
  const Tensor x = zeros({2, 3}).requires_grad_(), w = zeros({0, 3}).requires_grad_();
  linear(x, w, Tensor()).sum().backward();
  expect_tensor(x.grad(), zeros({2, 3}));
  EXPECT_EQ(w.grad().shape(), w.shape());
}

TEST(Linear, Derivatives) {
  const Tensor w = leaf({4, 3}), b = leaf({4}, 2, 5);
  for (const Shape& shape : {Shape{3}, {5, 3}, {2, 2, 3}}) {
    const Tensor x = leaf(shape, -2, 2);
    expect_derivatives([](const std::vector<Tensor>& in) { return linear(in[0], in[1], in[2]); }, {x, w, b});
    expect_derivatives([](const std::vector<Tensor>& in) { return linear(in[0], in[1], Tensor()); }, {x, w});
    expect_derivatives([](const std::vector<Tensor>& in) { return square(linear(in[0], in[1], in[2])); },
                       {x, w.detach(), b});
    expect_derivatives([](const std::vector<Tensor>& in) { return square(linear(in[0], in[1], in[2])); },
                       {x.detach(), w, b.detach()});
    expect_derivatives([](const std::vector<Tensor>& in) { return square(linear(in[0], in[1], in[2])); },
                       {x.detach(), w.detach(), b});
  }
}

TEST(Linear, TheGradientOfALongBatchIsExact) {
  Generator generator(3);
  const Tensor x = rand({1 << 17, 2}, float32, generator), w = rand({3, 2}, float32, generator);
  const Tensor b = zeros({3}).requires_grad_();
  const Tensor dy = rand({1 << 17, 3}, float32, generator) + 999;
  linear(x, w, b).backward({.gradient = dy});
  EXPECT_LE(relative_distance(b.grad(), dy.to(float64).sum(0)), 6e-8);
}

TEST(Linear, Errors) {
  const auto of = [](const Shape& x, const Shape& w, const Shape& b) {
    return [=] { linear(zeros(x), zeros(w), zeros(b)); };
  };
  expect_error<RuntimeError>("mat1 and mat2 shapes cannot be multiplied (4x5 and 3x2)", of({4, 5}, {2, 3}, {2}));
  expect_error<RuntimeError>("mat1 and mat2 shapes cannot be multiplied (1x5 and 3x2)", of({5}, {2, 3}, {2}));
  expect_error<RuntimeError>("mat1 and mat2 shapes cannot be multiplied (8x5 and 3x2)", of({2, 4, 5}, {2, 3}, {2}));
  expect_error<RuntimeError>("both arguments to matmul need to be at least 1D, but they are 0D and 2D",
                             of({}, {2, 3}, {2}));
  expect_error<RuntimeError>("linear: expected a weight of shape (outputs, inputs), got [3]", of({4, 3}, {3}, {1}));
  expect_error<RuntimeError>(
      "The expanded size of the tensor (4) must match the existing size (3) at non-singleton dimension 1.  "
      "Target sizes: [2, 4].  Tensor sizes: [3]",
      of({2, 3}, {4, 3}, {3}));
  expect_error<RuntimeError>("expected scalar type Double but found Float", [] {
    linear(zeros({2, 3}, float64), zeros({4, 3}), Tensor());
  });
  expect_error<RuntimeError>("self and mat2 must have the same dtype", [] {
    linear(zeros({2, 3}), zeros({4, 3}), zeros({4}, float64));
  });
}

}  // namespace
}  // namespace gradus::test
