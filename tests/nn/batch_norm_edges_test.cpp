// BatchNorm where it is easily wrong: arguments that do not fit, batches without values, means far from 0.
#include "errors.hpp"
#include "near.hpp"

#include <gradus/core/autograd.hpp>
#include <gradus/core/random.hpp>
#include <gradus/nn/batch_norm.hpp>

#include <gtest/gtest.h>

#include <cmath>

namespace gradus {
namespace {

using nn::BatchNorm1d;
using test::max_distance;
using test::relative_distance;

std::vector<float> floats(const Tensor& x) { return x.to_vector<float>(); }

TEST(BatchNormFunction, RefusesArgumentsThatDoNotFit) {
  namespace F = nn::functional;
  const Tensor x = randn({4, 3}), c = ones({3});
  for (const bool training : {true, false}) {
    const nn::functional::BatchNormState good{
        .running_mean = zeros({3}), .running_var = ones({3}), .weight = c, .bias = c};
    const auto with = [&](Tensor nn::functional::BatchNormState::*member, const Tensor& value) {
      auto state = good;
      state.*member = value;
      return F::batch_norm(x, state, {.training = training});
    };
    using State = nn::functional::BatchNormState;
    for (const auto member : {&State::running_mean, &State::running_var, &State::weight, &State::bias}) {
      for (const Shape& shape : {Shape{1, 3}, Shape{3, 1}, Shape{3, 1, 1}}) {
        test::expect_error<RuntimeError>("TensorAccessor expected 1 dims but tensor has ",
                                         [&] { with(member, ones(shape)); });
      }
      test::expect_error<RuntimeError>("mixed dtype (CPU): expect parameter to have scalar type of Float",
                                       [&] { with(member, ones({3}, float64)); });
      EXPECT_THROW(with(member, ones({4})), RuntimeError);
      EXPECT_THROW(with(member, ones({3}, int64)), RuntimeError);
    }
    for (const auto& [member, name] :
         {std::pair(&State::running_mean, "running_mean"), std::pair(&State::running_var, "running_var")}) {
      const Tensor wants = ones({3}).requires_grad_();
      test::expect_error<RuntimeError>(
          "The function 'native_batch_norm' is not differentiable with respect to argument '" + std::string(name) +
              "'. This input cannot have requires_grad True.",
          [&, m = member] { with(m, wants); });
      const NoGradGuard no_grad;
      EXPECT_NO_THROW(with(member, wants));
    }
    EXPECT_TRUE(equal(good.running_mean, zeros({3})) || training);
  }
}

TEST(BatchNorm1d, RefusesInEvaluationWhatItRefusedBefore) {
  const NoGradGuard no_grad;
  BatchNorm1d bn(3);
  bn.eval();
  const Tensor x = randn({4, 3});
  bn(x);  // whose statistics it keeps
  for (const Tensor& wrong :
       {randn({4, 2}), randn({3}), randn({4, 2, 3}), randn({4, 3, 2, 2}), x.to(float64), x.to(int64), Tensor()}) {
    EXPECT_THROW(bn(wrong), Error);
  }
  EXPECT_EQ(bn(randn({0, 3})).shape(), (Shape{0, 3}));
  EXPECT_EQ(bn(randn({4, 3, 2})).shape(), (Shape{4, 3, 2}));
  for (Tensor* values : {static_cast<Tensor*>(&bn.weight), static_cast<Tensor*>(&bn.bias),
                         static_cast<Tensor*>(&bn.running_mean), static_cast<Tensor*>(&bn.running_var)}) {
    const Tensor right = *values;
    bn(x);
    for (const Tensor& wrong : {ones({4}), ones({1, 3}), ones({3}, float64)}) {
      *values = wrong;
      EXPECT_THROW(bn(x), RuntimeError) << to_string(wrong.shape());
    }
    *values = right;
  }
}

TEST(BatchNorm1d, ABatchThatIsRefusedMovesNoBuffer) {
  BatchNorm1d bn(3);
  Tensor buffer = randn({5, 3});
  const Tensor batch = buffer.narrow(0, 0, 4);
  buffer.mul_(ones({3}).requires_grad_());  // after which the view's place in the graph is not known
  test::expect_error<RuntimeError>("a view was changed in place", [&] { bn(batch); });
  EXPECT_EQ(floats(bn.running_mean), (std::vector<float>{0, 0, 0}));
  EXPECT_EQ(floats(bn.running_var), (std::vector<float>{1, 1, 1}));
  EXPECT_EQ(bn.num_batches_tracked.item<std::int64_t>(), 0);
}

TEST(BatchNorm1d, ABatchWithoutValuesCountsNowhere) {
  for (const Shape& empty : {Shape{0, 1}, Shape{0, 1, 9}, Shape{3, 1, 0}}) {
    BatchNorm1d bn(1, {.momentum = std::nullopt});
    bn(zeros(empty));
    EXPECT_EQ(bn.num_batches_tracked.item<int>(), 0);
    bn(tensor({{1.0}, {3.0}}));
    bn(zeros(empty));
    EXPECT_EQ(floats(bn.running_mean), std::vector<float>{2});
    EXPECT_EQ(floats(bn.running_var), std::vector<float>{2});
    BatchNorm1d moving(1);  // PyTorch counts it, where the count weighs nothing
    moving(zeros(empty));
    EXPECT_EQ(moving.num_batches_tracked.item<int>(), 1);
    EXPECT_EQ(floats(moving.running_mean), std::vector<float>{0});
  }
}

TEST(BatchNorm1d, BackwardIsExactFarFromZeroInEitherMode) {
  manual_seed(8);
  const Tensor noise = randn({64, 2}, float64), dy = randn({64, 2}, float64), w = tensor({1.5, -0.5}, float64);
  const auto gradients = [&](double mean, bool create_graph) {
    const Tensor x = (noise + mean).requires_grad_(), weight = w.clone().requires_grad_();
    return grad({nn::functional::batch_norm(x, {.weight = weight}, {.training = true})}, {x, weight},
                {.grad_outputs = {dy}, .create_graph = create_graph});
  };
  // The shift rounds x: the reference sees the same x, without the shift, exactly.
  const Tensor centered = (noise + 1e10) - 1e10;
  const Tensor x = centered.clone().requires_grad_(), weight = w.clone().requires_grad_();
  const auto exact = grad({nn::functional::batch_norm(x, {.weight = weight}, {.training = true})}, {x, weight},
                          {.grad_outputs = {dy}});
  for (const bool create_graph : {false, true}) {
    const auto far = gradients(1e10, create_graph);
    for (std::size_t i = 0; i < 2; ++i) EXPECT_LE(relative_distance(far[i], exact[i]), 1e-13) << i << create_graph;
  }
}

TEST(BatchNorm1d, AConstantChannelWithoutEpsHasNoSlopeInEitherMode) {
  for (const Dtype dtype : {float32, float64}) {
    const Tensor x = tensor({{1.0, 2.0}, {1.0, 5.0}, {1.0, 3.0}}, dtype).requires_grad_(), dy = randn({3, 2}, dtype);
    const Tensor y = nn::functional::batch_norm(x, {}, {.training = true, .eps = 0});
    const Tensor plain = grad({y}, {x}, {.grad_outputs = {dy}, .retain_graph = true})[0];
    const Tensor recorded = grad({y}, {x}, {.grad_outputs = {dy}, .create_graph = true})[0];
    EXPECT_TRUE(equal(recorded.select(1, 0).detach(), zeros({3}, dtype)));
    EXPECT_LE(max_distance(plain, recorded), 1e-6);
    EXPECT_TRUE(isfinite(grad({recorded.square().sum()}, {x})[0]).all().item<bool>());
  }
}

TEST(BatchNorm1d, ComputesWithANegativeVarianceAboveMinusEps) {
  BatchNorm1d bn(1, {.eps = 2.0});
  bn.eval();
  bn.running_var.fill_(-1.0);
  EXPECT_EQ(floats(bn(tensor({{1.0}, {2.0}})).detach()), (std::vector<float>{1, 2}));
}

}  // namespace
}  // namespace gradus
