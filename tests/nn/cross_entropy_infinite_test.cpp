// Infinite logits, beside PyTorch's results for each dtype and form, and weights that want a gradient.
#include "errors.hpp"
#include "golden.hpp"
#include "near.hpp"

#include <gradus/core/autograd.hpp>
#include <gradus/core/gradcheck.hpp>
#include <gradus/core/print.hpp>
#include <gradus/core/random.hpp>
#include <gradus/nn/loss.hpp>

#include <gtest/gtest.h>

#include <cmath>

namespace gradus {
namespace {

namespace F = nn::functional;
using nn::CrossEntropyOptions;
using nn::Reduction;
using test::expect_error;
using test::max_distance;

TEST(CrossEntropy, TreatsInfinitiesAlikeInEveryDtypeAndForm) {
  const test::json fixture = test::load_golden("infinite_logits.json");
  EXPECT_EQ(fixture.at("cases").size(), 280U);
  for (const auto& c : fixture.at("cases")) {
    const Dtype dtype = c.at("dtype") == "float64" ? float64 : float32;
    const Tensor x = test::golden_tensor(c.at("x")).requires_grad_(), target = test::golden_tensor(c.at("target"));
    CrossEntropyOptions options{.ignore_index = c.at("ignore_index"), .label_smoothing = c.at("label_smoothing")};
    options.reduction = c.at("reduction") == "none"  ? Reduction::none
                        : c.at("reduction") == "sum" ? Reduction::sum
                                                     : Reduction::mean;
    if (!c.at("weight").is_null()) options.weight = test::golden_tensor(c.at("weight"));
    const Tensor loss = F::cross_entropy(x, target, options);
    loss.backward({.gradient = ones(loss.shape(), dtype)});
    const std::string text = to_string(x) + " " + c.dump();
    EXPECT_LE(max_distance(loss.detach(), test::golden_tensor(c.at("loss"))), 1e-4) << text;
    EXPECT_LE(max_distance(x.grad(), test::golden_tensor(c.at("grad"))), 1e-6) << text;
    for (std::int64_t i = 0; i < loss.numel(); ++i) {
      const bool minus = std::signbit(test::golden_tensor(c.at("loss")).reshape({-1})[i].item());
      const double value = loss.reshape({-1})[i].item();
      EXPECT_FALSE(value == 0 && std::signbit(value) && !minus) << text;
    }
  }
}

TEST(CrossEntropy, RefusesAWeightThatWantsAGradientItDoesNotGet) {
  const Tensor x = randn({2, 3}), target = tensor({0, 2}), weight = ones({3}).requires_grad_();
  expect_error<RuntimeError>("The function 'nll_loss_forward' is not differentiable with respect to argument 'weight'.",
                             [&] { F::cross_entropy(x, target, {.weight = weight}); });
  expect_error<RuntimeError>("The function 'nll_loss_forward' is not differentiable",
                             [&] { F::nll_loss(x, target, {.weight = weight}); });
  expect_error<RuntimeError>("The function 'nll_loss2d_forward' is not differentiable", [&] {
    F::cross_entropy(randn({2, 3, 1}), target.reshape({2, 1}), {.weight = weight});
  });
  for (const bool positive : {false, true}) {
    nn::BceOptions options;
    (positive ? options.pos_weight : options.weight) = weight;
    expect_error<RuntimeError>("The function 'binary_cross_entropy_with_logits' is not differentiable",
                               [&] { F::binary_cross_entropy_with_logits(x, sigmoid(x), options); });
  }
  const Tensor wide = ones({3}, float64).requires_grad_(), logits = randn({2, 3}, float64);
  EXPECT_TRUE(gradcheck(
      [&](const std::vector<Tensor>& in) { return F::cross_entropy(logits, softmax(in[1], 1), {.weight = in[0]}); },
      {wide, randn({2, 3}, float64).requires_grad_()}));
}

}  // namespace
}  // namespace gradus
