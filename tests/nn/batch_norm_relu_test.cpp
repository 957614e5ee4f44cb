// A BatchNorm1d and the ReLU behind it are one node in a Sequential: it has to give what two give, bit for bit.
#include "bits.hpp"

#include <gradus/core/autograd.hpp>
#include <gradus/core/dot.hpp>
#include <gradus/core/gradcheck.hpp>
#include <gradus/core/random.hpp>
#include <gradus/nn/activation.hpp>
#include <gradus/nn/batch_norm.hpp>
#include <gradus/nn/linear.hpp>
#include <gradus/nn/sequential.hpp>

#include <gtest/gtest.h>

#include <limits>

namespace gradus::test {
namespace {

nn::BatchNorm1d trained_layer(std::int64_t channels, Dtype dtype) {
  nn::BatchNorm1d bn(channels, {.dtype = dtype});
  const NoGradGuard no_grad;
  bn.weight.copy_(rand({channels}) + 0.5);
  bn.bias.copy_(rand({channels}) - 0.5);
  bn(randn({9, channels}).to(dtype) * 2 + 1);
  return bn;
}

/// y = f(x), the gradients of x, weight and bias, and the buffers.
template <class F>
std::vector<Tensor> run(nn::BatchNorm1d& bn, Tensor x, const Tensor& dy, F f) {
  x = x.clone().requires_grad_();
  bn.zero_grad();
  const Tensor y = f(x);
  EXPECT_EQ(y.grad_fn(), "ReluBackward0");
  y.backward({.gradient = dy});
  return {y, x.grad(), bn.weight.grad(), bn.bias.grad(), bn.running_mean, bn.running_var, bn.num_batches_tracked};
}

TEST(BatchNormRelu, IsBatchNormAndThenRelu) {
  for (const Dtype dtype : {float32, float64}) {
    for (const Shape& shape : {Shape{13, 5}, Shape{3, 5, 7}, Shape{70, 5}}) {
      for (const char* mode : {"train", "eval", "frozen"}) {
        SCOPED_TRACE(to_string(shape) + ' ' + mode);
        nn::BatchNorm1d alone = trained_layer(5, dtype);
        if (std::string(mode) == "eval") alone.eval();
        if (std::string(mode) == "frozen") alone.freeze();
        nn::Sequential net{nn::clone(alone), nn::ReLU()};
        const Tensor x = randn(shape).to(dtype) * 3 - 1, dy = randn(shape).to(dtype);
        const auto expected = run(alone, x, dy, [&](const Tensor& v) { return relu(alone(v)); });
        const auto got = run(net.at<nn::BatchNorm1d>(0), x, dy, [&](const Tensor& v) { return net(v); });
        for (std::size_t i = 0; i < expected.size(); ++i) expect_same(got[i], expected[i]);

        const NoGradGuard no_grad;
        for (int again = 0; again < 2; ++again) expect_same(net(x), relu(alone(x)));
      }
    }
  }
}

TEST(BatchNormRelu, HandsTheGradientOnWhereTheResultIsNaN) {
  nn::Sequential net{nn::BatchNorm1d(2, {.non_finite = nn::NonFinite::skip}), nn::ReLU()};
  nn::BatchNorm1d alone(2, {.non_finite = nn::NonFinite::skip});
  const Tensor x = tensor({{1, 2}, {std::numeric_limits<float>::quiet_NaN(), 3}, {4, -5}});
  const Tensor dy = tensor({{1, 2}, {3, 4}, {5, 6}});
  const auto expected = run(alone, x, dy, [&](const Tensor& v) { return relu(alone(v)); });
  const auto got = run(net.at<nn::BatchNorm1d>(0), x, dy, [&](const Tensor& v) { return net(v); });
  expect_same(got[3], expected[3]);
  EXPECT_EQ(got[3].data<float>()[0], 9);  // of bias
}

TEST(BatchNormRelu, HasRightFirstAndSecondDerivatives) {
  for (const bool training : {true, false}) {
    nn::Sequential net{nn::Linear(3, 4, {.dtype = float64}), trained_layer(4, float64), nn::ReLU()};
    net.train(training);
    const auto f = [&net](const std::vector<Tensor>& inputs) {
      return nn::clone(net)(inputs[0]);  // each call moves the buffers
    };
    const Tensor x = randn({6, 3}, float64).requires_grad_();
    EXPECT_TRUE(gradcheck(f, {x}));
    EXPECT_TRUE(gradgradcheck(f, {x}));
  }
}

TEST(BatchNormRelu, IsOneNode) {
  nn::BatchNorm1d alone(2);
  nn::Sequential net{nn::clone(alone), nn::ReLU()};
  const Tensor x = randn({4, 2});
  const std::int64_t before = live_nodes();
  const Tensor y = net(x);
  const std::int64_t one = live_nodes() - before;
  const Tensor z = relu(alone(x));
  EXPECT_EQ(live_nodes() - before, 2 * one + 1);
}

TEST(BatchNormRelu, LeavesAGradientThatOthersSeeAsItIs) {
  nn::Sequential net{nn::BatchNorm1d(2), nn::ReLU()};
  const Tensor dy = randn({4, 2}), before = dy.clone();
  net(randn({4, 2})).backward({.gradient = dy});
  expect_same(dy, before);
}

TEST(BatchNormRelu, RefusesAResultThatWasWrittenTo) {
  nn::Sequential net{nn::BatchNorm1d(2), nn::ReLU()};
  Tensor y = net(randn({4, 2}));
  y.detach().add_(1);
  EXPECT_THROW(y.sum().backward(), RuntimeError);
}

TEST(BatchNormRelu, IsTwoNodesForHooksAndPictures) {
  nn::Sequential net{nn::BatchNorm1d(2), nn::ReLU()};
  const Tensor x = randn({4, 2});
  {
    const TraceGuard trace;
    const std::string dot = to_dot(net(x));
    EXPECT_NE(dot.find("NativeBatchNorm"), std::string::npos);
    EXPECT_NE(dot.find("Relu"), std::string::npos);
  }
  for (const std::size_t hooked : {0u, 1u}) {
    int calls = 0;
    nn::HookHandle hook =
        net[hooked].register_forward_hook([&calls](nn::Module&, const Tensor&, const Tensor&) { ++calls; });
    net(x);
    EXPECT_EQ(calls, 1);
    hook.remove();
    net(x);
    EXPECT_EQ(calls, 1);
  }
}

struct HalvedNorm : nn::BatchNorm1d {
  using BatchNorm1d::BatchNorm1d;
  Tensor forward(const Tensor& x) const override { return BatchNorm1d::forward(x) * 0.5; }
};
struct ShiftedRelu : nn::ReLU {
  Tensor forward(const Tensor& x) const override { return ReLU::forward(x) + 1; }
};

TEST(BatchNormRelu, CallsWhatIsDerivedFromTheTwo) {
  nn::BatchNorm1d bn(2);
  const Tensor x = randn({4, 2}), y = bn(x);
  expect_same(nn::Sequential{HalvedNorm(2), nn::ReLU()}(x), relu(y * 0.5));
  expect_same(nn::Sequential{nn::BatchNorm1d(2), ShiftedRelu()}(x), relu(y) + 1);
}

TEST(BatchNormRelu, TakesAnEmptyBatch) {
  nn::Sequential net{nn::BatchNorm1d(2), nn::ReLU()};
  EXPECT_EQ(net(ones({0, 2})).shape(), (Shape{0, 2}));
  EXPECT_EQ(net.at<nn::BatchNorm1d>(0).num_batches_tracked.item<int>(), 1);  // as one alone
  EXPECT_THROW(net(Tensor()), Error);
}

}  // namespace
}  // namespace gradus::test
