#include "errors.hpp"

#include <gradus/optim/clip_grad.hpp>

#include <gtest/gtest.h>

#include <cmath>

namespace gradus::test {
namespace {

using optim::clip_grad_norm_;

Tensor with_gradient(std::initializer_list<Nested> gradient, Dtype dtype = float32) {
  const Tensor g = tensor(gradient, dtype);
  Tensor p = zeros(g.shape(), dtype);
  p.requires_grad_();
  p.set_grad(g);
  return p;
}

TEST(ClipGradNorm, ScalesAllGradientsByOneFactor) {
  const Tensor a = with_gradient({3, 0, 0}), b = with_gradient({{-4}, {12}});
  EXPECT_EQ(clip_grad_norm_({a, zeros({2}), b}, 6.5), 13);
  EXPECT_FLOAT_EQ(a.grad().to_vector<float>()[0], 1.5f);
  EXPECT_FLOAT_EQ(b.grad().to_vector<float>()[0], -2);
  EXPECT_FLOAT_EQ(b.grad().to_vector<float>()[1], 6);
  EXPECT_EQ(a.grad().version(), 1u);
}

TEST(ClipGradNorm, LeavesSmallGradientsAlone) {
  const Tensor a = with_gradient({0.3, -0.4}, float64);
  EXPECT_DOUBLE_EQ(clip_grad_norm_({a}, 1), 0.5);
  EXPECT_EQ(a.grad().to_vector<double>()[1], -0.4);
  EXPECT_EQ(a.grad().version(), 0u);
  EXPECT_EQ(clip_grad_norm_({zeros({3})}, 1), 0);
  EXPECT_EQ(clip_grad_norm_({}, 1), 0);
}

TEST(ClipGradNorm, KnowsOtherNorms) {
  const auto norm = [](double type) {
    return clip_grad_norm_({with_gradient({1, -2}), with_gradient({{-3}})}, 1e9, type);
  };
  EXPECT_DOUBLE_EQ(norm(1), 6);
  EXPECT_DOUBLE_EQ(norm(3), std::cbrt(36));
  EXPECT_DOUBLE_EQ(norm(INFINITY), 3);
}

TEST(ClipGradNorm, SumsLongGradientsExactly) {
  const double n = 100'003;
  Tensor p = zeros({100'003});
  p.requires_grad_();
  p.set_grad(arange(1, 100'004).to(float32));
  EXPECT_DOUBLE_EQ(clip_grad_norm_({p}, 1e12, 1), n * (n + 1) / 2);
  EXPECT_DOUBLE_EQ(clip_grad_norm_({p}, 1e12), std::sqrt(n * (n + 1) * (2 * n + 1) / 6));
}

TEST(ClipGradNorm, TellsWhenTheNormIsNotFinite) {
  for (const float bad : {INFINITY, -INFINITY, NAN}) {
    for (const float type : {2.0f, INFINITY}) {
      const Tensor a = with_gradient({1, bad});
      expect_error<RuntimeError>("The total norm of order " + std::string(type == 2 ? "2.0" : "inf") +
                                     " for gradients from `parameters` is non-finite, so it cannot be clipped.",
                                 [&] { clip_grad_norm_({a}, 1, type, true); });
      EXPECT_EQ(a.grad().to_vector<float>()[0], 1);
      EXPECT_FALSE(std::isfinite(clip_grad_norm_({a}, 1, type)));
      EXPECT_TRUE(std::isnan(a.grad().to_vector<float>()[1]));
    }
  }
}

TEST(ClipGradNorm, RefusesBounds) {
  const Tensor a = with_gradient({1});
  expect_error<ValueError>("clip_grad_norm_: expected max_norm >= 0, got -1.0", [&] { clip_grad_norm_({a}, -1); });
  expect_error<ValueError>("clip_grad_norm_: expected max_norm >= 0, got nan", [&] { clip_grad_norm_({a}, NAN); });
  expect_error<ValueError>("clip_grad_norm_: expected norm_type > 0, got 0.0", [&] { clip_grad_norm_({a}, 1, 0); });
  EXPECT_EQ(a.grad().to_vector<float>()[0], 1);
}

}  // namespace
}  // namespace gradus::test
