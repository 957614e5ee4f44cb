#include "autograd/record.hpp"
#include "errors.hpp"
#include "tensors.hpp"

#include <gradus/core/gradcheck.hpp>

#include <gtest/gtest.h>

namespace gradus::test {
namespace {

using detail::InputGradients;

/// y = factor x, whose derivative is stated as `claimed` in the first and as `claimed_again` in the second order.
Tensor scaled(const Tensor& x, double factor, double claimed, double claimed_again) {
  Tensor y = (x.detach() * factor);
  if (detail::tracks(x)) {
    detail::record(y, "ScaledBackward0", {x}, [=](const Tensor& dy, InputGradients& dx) {
      dx[0] = scaled(dy, claimed, claimed_again, claimed_again);
    });
  }
  return y;
}

TEST(Gradcheck, AcceptsWhatIsRight) {
  EXPECT_TRUE(gradcheck([](const std::vector<Tensor>& in) { return exp(in[0]) * in[1]; }, {leaf({2, 3}), leaf({3})}));
  EXPECT_TRUE(
      gradgradcheck([](const std::vector<Tensor>& in) { return exp(in[0]) * in[1]; }, {leaf({2, 3}), leaf({3})}));
  EXPECT_TRUE(gradcheck(
      [](const std::vector<Tensor>& in) {
        return in[0].reshape({3, 2});
      },
      {leaf({2, 3})}));  // a view
  EXPECT_TRUE(gradcheck([](const std::vector<Tensor>& in) { return in[0].sum(); }, {leaf({0, 3})}));
}

TEST(Gradcheck, TakesOtherInputsOfAnyKind) {
  const Tensor index = tensor({1, 1, 0}), weight = tensor({1.5, 2.5});
  const auto f = [](const std::vector<Tensor>& in) {
    return square(in[0].index_select(0, in[1])).sum(1) * in[2].sum();
  };
  EXPECT_TRUE(gradcheck(f, {leaf({2, 3}), index, weight}));
  EXPECT_TRUE(gradgradcheck(f, {leaf({2, 3}), index, weight}));
}

TEST(Gradcheck, AnInputThatDoesNotMatterHasTheGradientZero) {
  EXPECT_TRUE(gradcheck([](const std::vector<Tensor>& in) { return in[0] * 2; }, {leaf({2}), leaf({3})}));
  EXPECT_TRUE(gradgradcheck([](const std::vector<Tensor>& in) { return in[0] * in[0]; }, {leaf({2}), leaf({3})}));
}

TEST(Gradcheck, LeavesInputsAndGradientsAlone) {
  const Tensor x = leaf({2, 3}), before = x.detach().clone();
  gradcheck([](const std::vector<Tensor>& in) { return tanh(in[0]); }, {x});
  gradgradcheck([](const std::vector<Tensor>& in) { return tanh(in[0]); }, {x});
  expect_tensor(x, before);
  EXPECT_EQ(x.version(), 0u);
  EXPECT_FALSE(x.grad().defined());
  EXPECT_EQ(live_nodes(), 0);
}

TEST(Gradcheck, WorksWhereGradientsAreOff) {
  const NoGradGuard off;
  EXPECT_TRUE(gradgradcheck([](const std::vector<Tensor>& in) { return tanh(in[0]); }, {leaf({2, 3})}));
}

TEST(Gradcheck, TakesAFunctionThatIsNotConst) {
  int calls = 0;
  auto f = [calls](const std::vector<Tensor>& in) mutable {
    ++calls;
    return in[0] * 2;
  };
  EXPECT_TRUE(gradcheck(f, {leaf({2})}));
}

// --- what it refuses

TEST(Gradcheck, NamesTheElementThatIsWrong) {
  const auto wrong = [](const std::vector<Tensor>& in) { return scaled(in[0], 2, 2.5, 2); };
  expect_error<RuntimeError>(
      "gradcheck: the derivative of output element [0, 0] with respect to input 0, element [0, 0], is 2.5 by backward "
      "but 2",
      [&] {
        gradcheck(wrong, {leaf({2, 3})});
      });
  const auto wrong_in_one = [](const std::vector<Tensor>& in) {
    const Tensor mask = tensor({{false, false, false}, {false, false, true}});
    return where(mask, scaled(in[1], 3, -3, -3), in[1] * in[0]);
  };
  expect_error<RuntimeError>(
      "gradcheck: the derivative of output element [1, 2] with respect to input 1, element [1, 2], is -3 by backward "
      "but ",
      [&] {
        gradcheck(wrong_in_one, {leaf({3}), leaf({2, 3})});
      });
}

TEST(Gradcheck, SaysThatAnInputIsNotRead) {
  const Tensor w = leaf({3});
  const auto f = [&](const std::vector<Tensor>& in) { return in[0] * w; };
  expect_error_with<RuntimeError>([&] { gradcheck(f, {leaf({2, 3}), w}); }, "f does not seem to read input 1");
  expect_error_with<RuntimeError>(
      [&] { gradcheck([](const auto& in) { return scaled(in[0], 2, 3, 3); }, {leaf({2})}); }, "is 3 by backward but 2");
}

TEST(Gradcheck, ToleranceIsAbsolutePlusRelative) {
  const auto off_by = [](double error) {
    return [error](const std::vector<Tensor>& in) { return scaled(in[0], 10, 10 + error, 10 + error); };
  };
  EXPECT_TRUE(gradcheck(off_by(0.009), {leaf({1})}));
  EXPECT_THROW(gradcheck(off_by(0.011), {leaf({1})}), RuntimeError);
  EXPECT_TRUE(gradcheck(off_by(0.5), {leaf({1})}, {.atol = 0.51, .rtol = 0}));
  EXPECT_THROW(gradcheck(off_by(0.5), {leaf({1})}, {.atol = 0.49, .rtol = 0}), RuntimeError);
}

TEST(Gradcheck, NotANumberIsWrong) {
  const auto f = [](const std::vector<Tensor>& in) {
    return scaled(in[0], 2, std::numeric_limits<double>::quiet_NaN(), 2);
  };
  EXPECT_THROW(gradcheck(f, {leaf({1})}), RuntimeError);
}

TEST(Gradcheck, TheSecondOrderIsCheckedOnItsOwn) {
  const auto f = [](const std::vector<Tensor>& in) { return scaled(in[0], 2, 2, 3); };
  EXPECT_TRUE(gradcheck(f, {leaf({2})}));
  expect_error<RuntimeError>(
      "gradgradcheck (input 1 is dy), gradient of input 0: the derivative of output element [0] with respect "
      "to input 1, element [0], is 3 by backward but 2",
      [&] { gradgradcheck(f, {leaf({2})}); });
}

TEST(Gradcheck, AKinkIsSeen) {
  EXPECT_THROW(
      gradcheck([](const std::vector<Tensor>& in) { return in[0].relu(); }, {zeros({1}, float64).requires_grad_()}),
      RuntimeError);
}

TEST(Gradcheck, AGradientOfTheWrongShape) {
  const auto f = [](const std::vector<Tensor>& in) {
    Tensor y = in[0].detach().clone();
    if (detail::tracks(in[0])) {
      detail::record(y, "WrongBackward0", {in[0]},
                     [](const Tensor& dy, InputGradients& dx) { dx[0] = dy.unsqueeze(0); });
    }
    return y;
  };
  expect_error<RuntimeError>(
      "gradcheck: the gradient of input 0 has shape [1, 2] and dtype float64, the input has [2] and float64",
      [&] { gradcheck(f, {leaf({2})}); });
}

TEST(Gradcheck, AFunctionThatMoves) {  // a buffer that is updated by every call, a random mask
  Tensor mean = zeros({}, float64);
  const auto moving = [&](const std::vector<Tensor>& in) {
    mean.mul_(0.9).add_(in[0].detach().mean());
    return in[0] - mean;
  };
  expect_error<RuntimeError>("gradcheck: the function gives another result for the same inputs the second time",
                             [&] { gradcheck(moving, {leaf({2})}); });
  expect_error<RuntimeError>("gradgradcheck: the function gives another result", [&] {
    gradgradcheck([](const std::vector<Tensor>& in) { return in[0] * rand({2}, float64); }, {leaf({2})});
  });
}

TEST(Gradcheck, AFunctionThatWritesToItsInput) {
  const auto f = [](const std::vector<Tensor>& in) {
    in[0].detach().fill_(1);
    return in[0] * 2;
  };
  expect_error<RuntimeError>("gradcheck: the function changes its input 0", [&] { gradcheck(f, {leaf({2})}); });
}

TEST(Gradcheck, InputsThatCannotBeChecked) {
  const auto f = [](const std::vector<Tensor>& in) { return in[0] * 2; };
  expect_error<RuntimeError>("gradcheck: input 0 is float32; differences of that are noise",
                             [&] { gradcheck(f, {ones({2}).requires_grad_()}); });
  expect_error<RuntimeError>(
      "gradcheck expects at least one input tensor to require gradient, but none of the them have requires_grad=True.",
      [&] { gradcheck(f, {ones({2}, float64)}); });
  expect_error<RuntimeError>("gradcheck: expected the function to return a float64 tensor, got float32", [] {
    gradcheck([](const std::vector<Tensor>& in) { return in[0].to(float32); }, {leaf({2})});
  });
  expect_error<RuntimeError>("gradgradcheck: the result of the function does not require a gradient", [] {
    gradgradcheck([](const std::vector<Tensor>& in) { return in[0].detach(); }, {leaf({2})});
  });
}

}  // namespace
}  // namespace gradus::test
