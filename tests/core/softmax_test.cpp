#include <gtest/gtest.h>

#include "errors.hpp"
#include "tensors.hpp"

namespace gradus::test {
namespace {

const Tensor& example() {
  static const Tensor x = tensor({{1., 5., 2.}, {5., 0., 5.}}, float64);
  return x;
}

TEST(Softmax, Values) {  // by hand, from the exponentials
  const double e1 = std::exp(1), e2 = std::exp(2), e5 = std::exp(5);
  const Tensor first = tensor({e1, e5, e2}, float64) / (e1 + e5 + e2),
               second = tensor({e5, 1., e5}, float64) / (2 * e5 + 1);
  expect_tensor(softmax(example(), 1), stack({first, second}), 1e-15);
  expect_tensor(log_softmax(example(), -1), log(stack({first, second})), 1e-14);
  expect_tensor(logsumexp(example(), 1), tensor({std::log(e1 + e5 + e2), std::log(2 * e5 + 1)}, float64), 1e-14);
  expect_tensor(softmax(example(), 0)[0], tensor({e1 / (e1 + e5), e5 / (e5 + 1), e2 / (e2 + e5)}, float64), 1e-15);
  expect_tensor(logsumexp(example(), {0, 1}, true), tensor({{std::log(e1 + e2 + 3 * e5 + 1)}}, float64), 1e-14);
  expect_tensor(logsumexp(example(), Dims{}), logsumexp(example(), {0, 1}));
}

TEST(Softmax, EveryDimensionAndDtype) {
  for (const Shape& shape : {Shape{5}, {3, 4}, {2, 3, 4}, {2, 1, 3}, {40, 30}, {3, 50, 2}}) {
    const Tensor x = leaf(shape, -4, 4).detach();
    for (int dim = 0; dim < shape.rank(); ++dim) {
      const Tensor total = exp(x).sum(dim, true), share = exp(x) / total;
      expect_tensor(softmax(x, dim), share, 1e-14);
      expect_tensor(log_softmax(x, dim), log(share), 1e-13);
      expect_tensor(logsumexp(x, dim, true), log(total), 1e-13);
      const Tensor f = x.to(float32);
      EXPECT_LE(max_distance(softmax(f, dim), share), 3e-7) << shape << dim;
      EXPECT_LE(max_distance(log_softmax(f, dim), log(share)), 1e-6) << shape << dim;
      EXPECT_LE(max_distance(logsumexp(f, dim), log(total.squeeze(dim))), 1e-6) << shape << dim;
      EXPECT_EQ(softmax(f, dim).dtype(), float32);
      EXPECT_LE(max_distance(gradient([&](const Tensor& v) { return square(softmax(v, dim)); }, f),
                             gradient([&](const Tensor& v) { return square(softmax(v, dim)); }, x)),
                1e-6);
      EXPECT_LE(max_distance(gradient([&](const Tensor& v) { return square(log_softmax(v, dim)); }, f),
                             gradient([&](const Tensor& v) { return square(log_softmax(v, dim)); }, x)),
                1e-4);
    }
  }
}

TEST(Softmax, LargeNumbersDoNotOverflow) {
  for (const Dtype dtype : {float32, float64}) {
    const Tensor x = tensor({1000., 1000., -1000.}, dtype);
    expect_tensor(softmax(x, 0), tensor({0.5, 0.5, 0.}, dtype));
    EXPECT_LE(max_distance(log_softmax(x, 0), tensor({-0.6931472, -0.6931472, -2000.6931472}, dtype)), 1e-4);
    EXPECT_LE(max_distance(logsumexp(x, 0), tensor(1000.6931472, dtype)), 1e-4);
  }
}

TEST(Softmax, InfinitiesAndNotANumber) {  // recorded from PyTorch
  for (const Dtype dtype : {float32, float64}) {
    for (const bool as_columns : {false, true}) {
      const auto along = [&](auto f, const Tensor& x) {
        return as_columns ? f(x.unsqueeze(1), 0).squeeze(1) : f(x, 0);
      };
      const auto soft = [](const Tensor& x, int dim) { return softmax(x, dim); };
      const auto log_soft = [](const Tensor& x, int dim) { return log_softmax(x, dim); };
      const Tensor none = tensor({-inf, -inf}, dtype), some = tensor({-inf, 1.}, dtype), top = tensor({inf, 1.}, dtype),
                   bad = tensor({nan, 1.}, dtype);
      expect_tensor(along(soft, none), tensor({nan, nan}, dtype));
      expect_tensor(along(log_soft, none), tensor({nan, nan}, dtype));
      expect_tensor(along(soft, some), tensor({0., 1.}, dtype));
      expect_tensor(along(log_soft, some), tensor({-inf, 0.}, dtype));
      expect_tensor(along(soft, bad), tensor({nan, nan}, dtype));
      EXPECT_TRUE(isnan(along(soft, top)[0]).item<bool>());
    }
    expect_tensor(logsumexp(tensor({-inf, -inf}, dtype), 0), tensor(-inf, dtype));
    expect_tensor(logsumexp(tensor({inf, 1.}, dtype), 0), tensor(inf, dtype));
    expect_tensor(logsumexp(tensor({nan, 1.}, dtype), 0), tensor(nan, dtype));
  }
}

TEST(Softmax, ZeroDimensionalAndEmpty) {
  expect_tensor(softmax(tensor(3.), 0), tensor(1.));
  expect_tensor(log_softmax(tensor(3.), -1), tensor(0.));
  expect_tensor(logsumexp(tensor(3.), 0), tensor(3.), 1e-6);
  expect_tensor(logsumexp(zeros({0, 2}), 0), tensor({-inf, -inf}));
  expect_tensor(logsumexp(zeros({0}), 0), tensor(-inf));
  EXPECT_EQ(softmax(zeros({0, 2}), 0).shape(), Shape({0, 2}));
  EXPECT_EQ(log_softmax(zeros({2, 0}), 1).shape(), Shape({2, 0}));
  EXPECT_EQ(gradient([](const Tensor& x) { return softmax(x, 1); }, zeros({2, 0})).shape(), Shape({2, 0}));
}

TEST(Softmax, Derivatives) {
  const Tensor x = leaf({2, 3, 2}, -2, 2);
  for (const int dim : {0, 1, -1}) {
    expect_derivative([&](const Tensor& v) { return softmax(v, dim); }, x);
    expect_derivative([&](const Tensor& v) { return log_softmax(v, dim); }, x);
    expect_derivative([&](const Tensor& v) { return logsumexp(v, dim); }, x);
  }
  expect_derivative([](const Tensor& v) { return logsumexp(v, {0, 2}, true); }, x);
  expect_derivative([](const Tensor& v) { return softmax(v * v, 0) + log_softmax(v, 0) + logsumexp(v * v, 0); },
                    leaf({}));
}

TEST(Softmax, TheSameGradientWhenItIsRecorded) {
  const Tensor x = leaf({4, 6}, -2, 2).detach().to(float32).requires_grad_();
  const Tensor dy = leaf({4, 6}, -1, 3).detach().to(float32);
  for (const auto f : {softmax, log_softmax}) {
    const Tensor plain = grad({f(x, 1)}, {x}, {.grad_outputs = {dy}})[0];
    const Tensor recorded = grad({f(x, 1)}, {x}, {.grad_outputs = {dy}, .create_graph = true})[0];
    EXPECT_LE(max_distance(plain, recorded), 1e-6);
  }
}

TEST(Softmax, Errors) {
  const std::string range = "Dimension out of range (expected to be in range of [-2, 1], but got 2)";
  expect_error<IndexError>(range, [] { softmax(zeros({2, 3}), 2); });
  expect_error<IndexError>(range, [] { log_softmax(zeros({2, 3}), 2); });
  expect_error<IndexError>(range, [] { logsumexp(zeros({2, 3}), 2); });
  expect_error<RuntimeError>("dim 0 appears multiple times in the list of dims", [] {
    logsumexp(zeros({2, 3}), {0, 0});
  });
  expect_error<RuntimeError>("\"softmax_lastdim_kernel_impl\" not implemented for 'Long'",
                             [] { softmax(arange(3), 0); });
  expect_error<RuntimeError>("\"log_softmax_lastdim_kernel_impl\" not implemented for 'Long'",
                             [] { log_softmax(arange(3), 0); });
}

}  // namespace
}  // namespace gradus::test
