#include "errors.hpp"
#include "tensors.hpp"

#include <gradus/core/dot.hpp>
#include <gradus/core/function.hpp>

#include <gtest/gtest.h>

#include <thread>

namespace gradus::test {
namespace {

class Functions : public ::testing::Test {
 protected:
  void TearDown() override { EXPECT_EQ(live_nodes(), 0); }
};

struct Cube : Function<Cube> {
  static Tensor forward(Context& context, const Tensor& x) {
    context.save_for_backward({x});
    return x * x * x;
  }
  static Gradients backward(Context& context, const Tensor& dy) {
    const auto [x] = context.saved<1>();
    return {dy * 3 * x * x};
  }
};

/// exp(scale x) weight + bias: it saves a result, keeps a number, and does without weight and bias.
struct Scaled : Function<Scaled> {
  static Tensor forward(Context& context, const Tensor& x, double scale, const Tensor& weight, const Tensor& bias) {
    const Tensor e = exp(x * scale);
    context.save_for_backward({e, weight});
    context.keep(scale);
    Tensor y = weight.defined() ? e * weight : e;
    return bias.defined() ? y + bias : y;
  }
  static Gradients backward(Context& context, const Tensor& dy) {
    const std::vector<Tensor> saved = context.saved();
    const Tensor de = saved[1].defined() ? dy * saved[1] : dy;
    Tensor dweight, dbias;
    if (context.needs_input_grad(1)) dweight = dy * saved[0];
    if (context.needs_input_grad(2)) dbias = dy;
    return {de * saved[0] * context.kept<double>(), dweight, dbias};
  }
};

/// The same function with its result saved, which makes the second derivative right.
struct Exp : Function<Exp> {
  static Tensor forward(Context& context, const Tensor& x) {
    const Tensor y = exp(x);
    context.save_for_backward({y});
    return y;
  }
  static Gradients backward(Context& context, const Tensor& dy) { return {dy * context.saved<1>()[0]}; }
};

/// sin and cos of x, each of which is the other's derivative, and what nobody can differentiate.
struct SinCos : Function<SinCos> {
  static std::tuple<Tensor, Tensor, Tensor> forward(Context& context, const Tensor& x) {
    const Tensor s = sin(x), c = cos(x), sign = s > 0;
    context.save_for_backward({s, c});
    return {s, c, sign};
  }
  static Gradients backward(Context& context, const Tensor& ds, const Tensor& dc, const Tensor&) {
    const auto [s, c] = context.saved<2>();
    return {ds * c - dc * s};
  }
};

struct Halves : Function<Halves> {
  static std::array<Tensor, 2> forward(Context&, const Tensor& x) {
    return {x.narrow(0, 0, 1).clone(), x.narrow(0, 1, 1).clone()};
  }
  static Gradients backward(Context&, const std::array<Tensor, 2>& dy) { return {cat(dy)}; }
};

struct Rows : Function<Rows> {
  static std::vector<Tensor> forward(Context& context, const Tensor& x) {
    std::vector<Tensor> rows;
    for (std::int64_t i = 0; i < x.size(0); ++i) rows.push_back(x[i].clone());
    context.mark_non_differentiable({rows.back()});
    return rows;
  }
  static Gradients backward(Context&, const std::vector<Tensor>& dy) { return {stack(dy)}; }
};

/// Its backward is not made of operations.
struct ByHand : Function<ByHand> {
  static constexpr bool once_differentiable = true;
  static Tensor forward(Context& context, const Tensor& x) {
    context.save_for_backward({x});
    return x * x;
  }
  static Gradients backward(Context& context, const Tensor& dy) {
    Tensor dx = context.saved<1>()[0].clone();
    for (std::size_t i = 0; i < dx.data<double>().size(); ++i) dx.data<double>()[i] *= 2 * dy.data<double>()[i];
    return {dx};
  }
};

TEST_F(Functions, IsOneNodeWithItsName) {
  const Tensor x = leaf({2, 3});
  const Tensor y = Cube::apply(x);
  EXPECT_EQ(y.grad_fn(), "CubeBackward");
  EXPECT_EQ(live_nodes(), 2);
  expect_tensor(y, x.detach() * x.detach() * x.detach());
  const std::string dot = to_dot(y);
  EXPECT_NE(dot.find("CubeBackward"), std::string::npos);
  EXPECT_EQ(dot.find("Mul"), std::string::npos);
  EXPECT_NE(dot.find("dashed,"), std::string::npos);
}

TEST_F(Functions, DerivativesOfBothOrders) {
  expect_derivative([](const Tensor& x) { return Cube::apply(x); }, leaf({2, 3}));
  expect_derivative([](const Tensor& x) { return Exp::apply(Cube::apply(x)) * x; }, leaf({2, 3}));
  const auto scaled = [](const std::vector<Tensor>& in) { return Scaled::apply(in[0], 0.5, in[1], in[2]); };
  EXPECT_TRUE(gradcheck(scaled, {leaf({2, 3}), leaf({2, 3}, 1, 2), leaf({2, 3})}));
}

TEST_F(Functions, UndefinedArguments) {
  const auto f = [](const std::vector<Tensor>& in) { return Scaled::apply(in[0], 2, Tensor(), in[1]); };
  EXPECT_TRUE(gradcheck(f, {leaf({2}), leaf({2})}));
  const Tensor w = leaf({2}), y = Scaled::apply(ones({2}, float64), 1, w, Tensor());
  expect_tensor(grad({y.sum()}, {w})[0], exp(ones({2}, float64)));
}

TEST_F(Functions, SeveralResults) {
  const auto f = [](const std::vector<Tensor>& in) {
    const auto [s, c, sign] = SinCos::apply(in[0]);
    EXPECT_FALSE(sign.requires_grad());
    return s * 2 + c * c * in[0];
  };
  expect_derivatives(f, {leaf({2, 3})});
  const auto second_alone = [](const std::vector<Tensor>& in) { return std::get<1>(SinCos::apply(in[0])) * in[0]; };
  expect_derivatives(second_alone, {leaf({2, 3})});
  const auto arrays = [](const std::vector<Tensor>& in) {
    const auto [a, b] = Halves::apply(in[0]);
    return a * 3 + b * a;
  };
  expect_derivatives(arrays, {leaf({2, 3})});
}

TEST_F(Functions, GradientsOfSeveralResultsMeetInOneNode) {
  const Tensor x = leaf({3});
  auto [s, c, sign] = SinCos::apply(x);
  EXPECT_EQ(s.grad_fn(), "SinCosBackward");
  EXPECT_EQ(c.grad_fn(), "SinCosBackward");
  const Tensor y = (s * c).sum();
  const std::vector<Tensor> dx = grad({y}, {x, s, c});
  expect_tensor(dx[0], cos(x.detach() * 2), 1e-15);
  expect_tensor(dx[1], c.detach());
  expect_tensor(dx[2], s.detach());
  const std::string dot = to_dot(y);
  EXPECT_EQ(dot.find("SinCosBackward"), dot.rfind("SinCosBackward"));
}

TEST_F(Functions, AVectorOfResultsOfWhichOneIsMarked) {
  const Tensor x = leaf({3, 2});
  const std::vector<Tensor> rows = Rows::apply(x);
  EXPECT_TRUE(rows[0].requires_grad() && rows[1].requires_grad());
  EXPECT_FALSE(rows[2].requires_grad());
  expect_tensor(grad({(rows[1] * 5).sum()}, {x})[0], tensor({{0., 0.}, {5., 5.}, {0., 0.}}, float64));
}

TEST_F(Functions, ResultsThatNobodyUsedHaveGradientsOfZeros) {
  const auto first_alone = [](const std::vector<Tensor>& in) { return std::get<0>(SinCos::apply(in[0])) * in[0]; };
  expect_derivatives(first_alone, {leaf({2, 3})});
  const auto half = [](const std::vector<Tensor>& in) { return Halves::apply(in[0])[0] * 3; };
  expect_derivatives(half, {leaf({2, 3})});
  const Tensor x = leaf({3, 2});
  expect_tensor(grad({(Rows::apply(x)[0] * 5).sum()}, {x})[0], tensor({{5., 5.}, {0., 0.}, {0., 0.}}, float64));
}

TEST_F(Functions, AnUndefinedResultHasAnUndefinedGradient) {
  struct Pair : Function<Pair> {
    static std::array<Tensor, 2> forward(Context&, const Tensor& x) { return {x * 2, Tensor()}; }
    static Gradients backward(Context&, const Tensor& dy, const Tensor& nothing) {
      EXPECT_FALSE(nothing.defined());
      return {dy * 2};
    }
  };
  const Tensor x = leaf({2});
  expect_tensor(grad({Pair::apply(x)[0].sum()}, {x})[0], full({2}, 2, float64));
}

TEST_F(Functions, MoreThanSixtyFourResults) {
  struct Counted : Function<Counted> {
    static std::vector<Tensor> forward(Context&, const Tensor& x) {
      std::vector<Tensor> results;
      for (int i = 0; i < 130; ++i) results.push_back(i == 3 ? x.to(int64) : x * i);
      return results;
    }
    static Gradients backward(Context&, const std::vector<Tensor>& dy) {
      Tensor sum = zeros_like(dy[0]);
      for (int i = 0; i < 130; ++i) sum = sum + dy[static_cast<std::size_t>(i)] * i;
      return {sum};
    }
  };
  const Tensor x = leaf({2});
  const std::vector<Tensor> y = Counted::apply(x);
  for (std::size_t i = 0; i < y.size(); ++i) EXPECT_EQ(y[i].requires_grad(), i != 3) << i;
  expect_tensor(grad({(y[67] + y[129]).sum()}, {x})[0], full({2}, 67 + 129, float64));
}

TEST_F(Functions, NothingIsRecordedWhereNothingIsWanted) {
  EXPECT_FALSE(Cube::apply(ones({2})).requires_grad());
  const Tensor x = leaf({2});
  const NoGradGuard no_grad;
  EXPECT_FALSE(Cube::apply(x).requires_grad());
}

TEST_F(Functions, WhatItSavedIsWatchedAndFreed) {
  const Tensor x = leaf({2});
  Tensor a = x * 2;
  const Tensor y = Cube::apply(a).sum();
  a.add_(1);
  expect_error_with<RuntimeError>([&] { y.backward(); }, "modified by an inplace operation");
  const Tensor z = Cube::apply(x).sum();
  z.backward();
  expect_error<RuntimeError>("Trying to backward through the graph a second time", [&] { z.backward(); });
}

TEST_F(Functions, OnceDifferentiable) {
  const auto f = [](const std::vector<Tensor>& in) { return ByHand::apply(in[0]); };
  EXPECT_TRUE(gradcheck(f, {leaf({3})}));
  const std::string twice = "trying to differentiate twice a function that was marked with @once_differentiable";
  expect_error<RuntimeError>(twice, [&] { gradgradcheck(f, {leaf({3})}); });
  const Tensor x = leaf({3});
  const Tensor dx = grad({ByHand::apply(x).sum()}, {x}, {.create_graph = true})[0];
  expect_error<RuntimeError>(twice, [&] { return grad({dx.sum()}, {x}, {.allow_unused = true}); });
}

// --- mistakes

template <int mistake>
struct Wrong : Function<Wrong<mistake>> {
  static constexpr const char* name = "WrongBackward";
  static Tensor forward(Context& context, const Tensor& x, const Tensor& w) {
    if (mistake == 3) Tensor(x).add_(1);
    context.keep(1);
    return x + w;
  }
  static Gradients backward(Context& context, const Tensor& dy) {
    if (mistake == 0) return {dy};
    if (mistake == 1) return {dy.unsqueeze(0), dy};
    if (mistake == 2) return {dy, dy.to(float32)};
    if (mistake == 4) context.kept<double>();
    if (mistake == 5) context.saved<1>();
    return {dy, dy};
  }
};

template <int mistake>
void run() {
  const Tensor x = leaf({2}) * 1, w = leaf({2});
  Wrong<mistake>::apply(x, w).sum().backward();
}

TEST_F(Functions, MistakesAreNamed) {
  expect_error<RuntimeError>("function WrongBackward returned an incorrect number of gradients (expected 2, got 1)",
                             run<0>);
  expect_error<RuntimeError>(
      "Function WrongBackward returned an invalid gradient at index 0 - got [1, 2] but expected shape compatible with "
      "[2]",
      run<1>);
  expect_error_with<RuntimeError>(run<2>, "the gradient is float32, the argument float64");
  expect_error<RuntimeError>("WrongBackward: forward wrote to an argument that is in a graph", run<3>);
  expect_error<RuntimeError>("WrongBackward: keep was given another type", run<4>);
  expect_error<RuntimeError>("WrongBackward: saved<1>() of 0 tensors", run<5>);
  EXPECT_NO_THROW(run<6>());
}

// --- results that are arguments, gradients that are shared

struct Identity : Function<Identity> {
  static Tensor forward(Context&, const Tensor& x) { return x; }
  static Gradients backward(Context&, const Tensor& dy) { return {dy * 3}; }
};

struct Both : Function<Both> {
  static Tensor forward(Context&, const Tensor& a, const Tensor& b) { return a + b; }
  static Gradients backward(Context&, const Tensor& dy) {
    Tensor(dy).mul_(2);  // its own memory
    return {dy, dy};
  }
};

TEST_F(Functions, AResultMayBeAnArgument) {
  const Tensor x = leaf({2}), y = Identity::apply(x);
  EXPECT_TRUE(x.is_leaf());
  EXPECT_EQ(y.grad_fn(), "IdentityBackward");
  expect_tensor(grad({y.sum()}, {x})[0], full({2}, 3, float64));
}

TEST_F(Functions, GradientsAreNobodyElsesMemory) {
  const Tensor a = leaf({2}), b = leaf({2}), c = leaf({2});
  (c + Both::apply(a, b)).backward({.gradient = ones({2}, float64)});
  expect_tensor(c.grad(), ones({2}, float64));
  a.grad().fill_(7);
  expect_tensor(b.grad(), full({2}, 2, float64));
}

TEST_F(Functions, ThreadsShareLeaves) {
  const Tensor x = leaf({3});
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int k = 0; k < 200; ++k) Both::apply(x, x).sum().backward();
    });
  }
  for (std::thread& thread : threads) thread.join();
  expect_tensor(x.grad(), full({3}, 4 * 200 * 4, float64));
}

}  // namespace
}  // namespace gradus::test
