// What losses.json does not hold: second derivatives, every combination of options against one plain formula, mistakes.
#include "errors.hpp"
#include "near.hpp"

#include <gradus/core/autograd.hpp>
#include <gradus/core/dot.hpp>
#include <gradus/core/gradcheck.hpp>
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
using test::relative_distance;

constexpr Reduction reductions[] = {Reduction::none, Reduction::mean, Reduction::sum};

Tensor random_logits(const Shape& shape, Dtype dtype = float64) {
  Generator generator(7);
  return (randn(shape, float64, generator) * 3).to(dtype).requires_grad_();
}

/// The loss of logits (N, C) as it is defined, one sample after the other.
std::vector<double> plain_losses(const Tensor& logits, const Tensor& target, const CrossEntropyOptions& o) {
  const Tensor x = logits.detach().to(float64);
  std::vector<double> losses;
  for (std::int64_t n = 0; n < x.size(0); ++n) {
    const std::int64_t y = target[n].item<std::int64_t>(), classes = x.size(1);
    double total = 0, loss = 0;
    for (std::int64_t c = 0; c < classes; ++c) total += std::exp(x[n][c].item());
    for (std::int64_t c = 0; c < classes; ++c) {
      const double weight = o.weight.defined() ? o.weight[c].item() : 1;
      const double share = (c == y) * (1 - o.label_smoothing) + o.label_smoothing / static_cast<double>(classes);
      loss -= weight * share * (x[n][c].item() - std::log(total));
    }
    losses.push_back(y == o.ignore_index ? 0 : loss);
  }
  return losses;
}

Tensor plain_loss(const Tensor& x, const Tensor& target, const CrossEntropyOptions& o) {
  const Tensor losses = from_span(plain_losses(x, target, o), {x.size(0)});
  if (o.reduction == Reduction::none) return losses;
  if (o.reduction == Reduction::sum) return losses.sum();
  double total = 0;
  for (std::int64_t n = 0; n < x.size(0); ++n) {
    const std::int64_t y = target[n].item<std::int64_t>();
    if (y != o.ignore_index) total += o.weight.defined() ? o.weight[y].item() : 1;
  }
  return losses.sum() / total;
}

/// Calls f(options) for every combination, weights in `dtype`.
template <class F>
void for_all_options(Dtype dtype, F f) {
  const Tensor weight = tensor({0.5, 2.0, 1.25, 0.75}, dtype);
  for (const Reduction reduction : reductions) {
    for (const Tensor& w : {Tensor(), weight}) {
      for (const double smoothing : {0.0, 0.15, 1.0}) {
        for (const std::int64_t ignore : {-100, 2}) {
          f(CrossEntropyOptions{
              .weight = w, .ignore_index = ignore, .reduction = reduction, .label_smoothing = smoothing});
        }
      }
    }
  }
}

TEST(CrossEntropy, IsItsDefinitionWithAllOptions) {
  const Tensor target = tensor({3, 0, 2, 1, 0});
  for (const Dtype dtype : {float32, float64}) {
    const Tensor x = random_logits({5, 4}, dtype);
    for_all_options(dtype, [&](const CrossEntropyOptions& options) {
      const Tensor y = F::cross_entropy(x, target, options);
      EXPECT_EQ(y.dtype(), dtype);
      EXPECT_LE(relative_distance(y, plain_loss(x, target, options)), dtype == float32 ? 2e-7 : 1e-14);
      EXPECT_TRUE(equal(nn::CrossEntropyLoss(options)(x, target), y));
    });
  }
}

TEST(CrossEntropy, HasFirstAndSecondDerivativesWithAllOptions) {
  const Tensor target = tensor({3, 0, 2, 1, 0});
  for_all_options(float64, [&](const CrossEntropyOptions& options) {
    const auto loss = [&](const std::vector<Tensor>& x) { return F::cross_entropy(x[0], target, options); };
    EXPECT_TRUE(gradcheck(loss, {random_logits({5, 4})}));
    EXPECT_TRUE(gradgradcheck(loss, {random_logits({5, 4})}));
  });
}

TEST(CrossEntropy, HasDerivativesInProbabilitiesToo) {
  for_all_options(float64, [&](const CrossEntropyOptions& options) {
    const auto loss = [&](const std::vector<Tensor>& x) { return F::cross_entropy(x[0], x[1], options); };
    const std::vector<Tensor> inputs{random_logits({5, 4}), rand({5, 4}, float64).requires_grad_()};
    EXPECT_TRUE(gradcheck(loss, inputs));
    EXPECT_TRUE(gradgradcheck(loss, inputs));
  });
}

TEST(CrossEntropy, HasDerivativesWithFurtherDimensions) {
  const Tensor target = tensor({{{0, 3}, {1, -100}, {2, 2}}, {{3, 1}, {0, 0}, {2, 1}}});  // (2, 3, 2)
  for_all_options(float64, [&](const CrossEntropyOptions& options) {
    const auto loss = [&](const std::vector<Tensor>& x) { return F::nll_loss(x[0].log_softmax(1), target); };
    const auto from_logits = [&](const std::vector<Tensor>& x) {
      CrossEntropyOptions o = options;
      o.ignore_index = -100;
      return F::cross_entropy(x[0], target, o);
    };
    EXPECT_TRUE(gradcheck(loss, {random_logits({2, 4, 3, 2})}));
    EXPECT_TRUE(gradcheck(from_logits, {random_logits({2, 4, 3, 2})}));
    EXPECT_TRUE(gradgradcheck(from_logits, {random_logits({2, 4, 3, 2})}));
  });
}

TEST(CrossEntropy, FurtherDimensionsAreSamples) {
  const Tensor x = random_logits({2, 4, 3}, float32), target = tensor({{0, 3, 1}, {2, -100, 2}});
  const Tensor rows = x.permute({0, 2, 1}).reshape({6, 4});
  const CrossEntropyOptions options{.weight = tensor({0.5, 2.0, 1.25, 0.75}), .label_smoothing = 0.1};
  EXPECT_LE(relative_distance(F::cross_entropy(x, target, options), F::cross_entropy(rows, target.flatten(), options)),
            1e-7);
  EXPECT_LE(relative_distance(F::cross_entropy(x, target), F::cross_entropy(rows, target.flatten())), 1e-7);
}

// --- the fused form: float32 logits (N, C), class numbers, nothing else asked for

/// Gradient of `upstream` times the loss in x, recording the backward pass or not.
Tensor gradient(const Tensor& x, const Tensor& target, const CrossEntropyOptions& options, bool create_graph) {
  const Tensor y = F::cross_entropy(x, target, options);
  EXPECT_EQ(y.grad_fn(), "NllLossBackward0");
  return grad({y}, {x}, {.grad_outputs = {full({}, -1.7)}, .create_graph = create_graph})[0];
}

TEST(CrossEntropy, FusedAndComposedGradientsAgree) {
  const Tensor x = random_logits({9, 5}, float32), target = tensor({0, 4, 2, 1, 1, 0, 3, 2, 4});
  for (const Reduction reduction : {Reduction::mean, Reduction::sum}) {
    const CrossEntropyOptions options{.ignore_index = 1, .reduction = reduction};
    const Tensor exact = random_logits({9, 5});
    const Tensor truth =
        grad({F::cross_entropy(exact, target, options)}, {exact}, {.grad_outputs = {full({}, -1.7, float64)}})[0];
    EXPECT_LE(relative_distance(gradient(x, target, options, false), truth), 1e-7);
    EXPECT_LE(relative_distance(gradient(x, target, options, true), truth), 3e-7);
    EXPECT_TRUE(equal(gradient(x, target, options, false)[3], zeros({5})));  // ignored
  }
}

TEST(CrossEntropy, FusedFormHasASecondDerivative) {
  const Tensor target = tensor({0, 4, 2}), direction = randn({3, 5});
  const auto curvature = [&](const Tensor& x) {
    const Tensor dx = grad({F::cross_entropy(x, target)}, {x}, {.create_graph = true})[0];
    return grad({(dx * direction.to(x.dtype())).sum()}, {x})[0];
  };
  EXPECT_LE(relative_distance(curvature(random_logits({3, 5}, float32)), curvature(random_logits({3, 5}))), 1e-6);
}

TEST(CrossEntropy, BothFormsTakeExtremeLogits) {
  for (const Dtype dtype : {float32, float64}) {
    const Tensor x = tensor({{1000.0, -1000.0, 0.0}, {-INFINITY, 1.0, 2.0}}, dtype).requires_grad_();
    const Tensor y = F::cross_entropy(x, tensor({1, 1}), {.reduction = Reduction::sum});
    EXPECT_LE(relative_distance(y, full({}, 2000 + std::log(1 + std::exp(1.0)))), 1e-7);
    y.backward();
    const double p = 1 / (1 + std::exp(1.0));
    EXPECT_LE(max_distance(x.grad(), tensor({{1.0, -1.0, 0.0}, {0.0, p - 1, 1 - p}})), 1e-7);
  }
}

TEST(CrossEntropy, MeanOfNothingIsNotANumberButItsGradientIsZero) {
  for (const Dtype dtype : {float32, float64}) {
    const Tensor x = random_logits({2, 3}, dtype);
    const Tensor y = F::cross_entropy(x, tensor({-100, -100}));
    EXPECT_TRUE(std::isnan(y.item()));
    y.backward();
    EXPECT_TRUE(equal(x.grad(), zeros({2, 3}, dtype)));
    EXPECT_TRUE(std::isnan(F::cross_entropy(zeros({0, 3}, dtype), zeros({0}, int64)).item()));
    EXPECT_TRUE(std::isnan(F::cross_entropy(zeros({0, 3}, dtype), zeros({0, 3}, dtype)).item()));
    EXPECT_EQ(F::cross_entropy(zeros({0, 3}, dtype), zeros({0}, int64), {.reduction = Reduction::sum}).item(), 0);
  }
}

TEST(CrossEntropy, NodesHavePyTorchsNames) {
  const Tensor x = random_logits({3, 4}, float32), target = tensor({0, 1, 2}), q = x.detach().softmax(1);
  EXPECT_EQ(F::cross_entropy(x, target).grad_fn(), "NllLossBackward0");
  EXPECT_EQ(F::cross_entropy(x, target, {.reduction = Reduction::none}).grad_fn(), "NllLossBackward0");
  EXPECT_EQ(F::cross_entropy(x, target, {.label_smoothing = 0.1}).grad_fn(), "AddBackward0");
  EXPECT_EQ(F::cross_entropy(x, q).grad_fn(), "DivBackward1");
  EXPECT_EQ(F::cross_entropy(x, q, {.reduction = Reduction::sum}).grad_fn(), "NegBackward0");
  EXPECT_EQ(F::cross_entropy(random_logits({2, 4, 3}), zeros({2, 3}, int64)).grad_fn(), "NllLoss2DBackward0");
  EXPECT_EQ(F::nll_loss(x, target).grad_fn(), "NllLossBackward0");
  EXPECT_EQ(F::mse_loss(x, q).grad_fn(), "MseLossBackward0");
  EXPECT_EQ(F::l1_loss(x, q).grad_fn(), "MeanBackward0");
  EXPECT_EQ(F::binary_cross_entropy_with_logits(x, q).grad_fn(), "BinaryCrossEntropyWithLogitsBackward0");
}

TEST(CrossEntropy, LeavesNoNodeBehind) {
  const std::int64_t before = live_nodes();
  {
    const Tensor x = random_logits({3, 4}, float32);
    F::cross_entropy(x, tensor({0, 1, 2})).backward();
    F::cross_entropy(x, tensor({0, 1, 2}), {.label_smoothing = 0.1});
  }
  EXPECT_EQ(live_nodes(), before);
}

TEST(CrossEntropy, WeightIsStateOfTheModule) {
  nn::CrossEntropyLoss loss({.weight = tensor({0.5, 2.0, 1.0})});
  EXPECT_EQ(loss.named_buffers().at(0).first, "weight");
  loss.to(float64);
  const Tensor x = random_logits({2, 3}), target = tensor({1, 2});
  EXPECT_TRUE(equal(loss(x, target), F::cross_entropy(x, target, {.weight = tensor({0.5, 2.0, 1.0}, float64)})));
  EXPECT_TRUE(nn::CrossEntropyLoss().state_dict().empty());
}

// --- mistakes that errors.json does not hold

TEST(CrossEntropy, RefusesShapesThatDoNotFit) {
  const Tensor x = zeros({3, 5, 2});
  expect_error<ValueError>("Expected 1 or more dimensions (got 0)", [] { F::cross_entropy(tensor(1.0), tensor(0)); });
  expect_error<ValueError>("Expected input batch_size (3) to match target batch_size (0).", [] {
    F::cross_entropy(zeros({3, 5}), tensor(1));
  });
  expect_error<RuntimeError>("Expected target size [3, 2], got [3, 3]", [&] {
    F::cross_entropy(x, zeros({3, 3}, int64));
  });
  expect_error<RuntimeError>("Expected target size [3, 2], got [3]", [&] { F::cross_entropy(x, zeros({3}, int64)); });
  expect_error<RuntimeError>("size mismatch (got input: [5], target: [1])",
                             [] { F::cross_entropy(zeros({5}), tensor({1})); });
}

TEST(CrossEntropy, RefusesDtypesThatDoNotFit) {
  const Tensor x = zeros({3, 5}), target = zeros({3}, int64);
  expect_error<RuntimeError>("expected scalar type Long but found Bool",
                             [&] { F::cross_entropy(x, zeros({3}, boolean)); });
  expect_error<RuntimeError>("Expected floating point type for target with class probabilities, got Long", [&] {
    F::cross_entropy(x, zeros({3, 5}, int64));
  });
  expect_error<RuntimeError>("\"log_softmax_lastdim_kernel_impl\" not implemented for 'Long'",
                             [&] { F::cross_entropy(x.to(int64), target); });
  expect_error<RuntimeError>("\"nll_loss_out_frame\" not implemented for 'Long'",
                             [&] { F::nll_loss(x.to(int64), target); });
  expect_error<RuntimeError>("expected scalar type Float but found Double",
                             [&] { F::cross_entropy(x, target, {.weight = ones({5}, float64)}); });
  expect_error<RuntimeError>("cross_entropy: weight tensor should be defined either for all 5 classes",
                             [&] { F::cross_entropy(x, x, {.weight = ones({4})}); });
}

TEST(CrossEntropy, RefusesASmoothingThatIsNoShare) {
  for (const double smoothing : {-0.5, 1.5, std::nan("")}) {
    expect_error<RuntimeError>("label_smoothing must be between 0.0 and 1.0. Got: ", [&] {
      F::cross_entropy(zeros({3, 5}), zeros({3}, int64), {.label_smoothing = smoothing});
    });
  }
}

TEST(CrossEntropy, FindsAWrongClassInEveryForm) {
  const Tensor target = tensor({{0, 7}, {1, 2}, {3, 4}});
  expect_error<IndexError>("Target 7 is out of bounds.", [&] { F::cross_entropy(zeros({3, 5, 2}), target); });
  expect_error<IndexError>("Target 5 is out of bounds.", [] { F::nll_loss(zeros({2, 5}, float64), tensor({1, 5})); });
  expect_error<IndexError>("Target -1 is out of bounds.", [] { F::nll_loss(zeros({5}), tensor(-1)); });
  expect_error<IndexError>("Target 0 is out of bounds.", [] { F::cross_entropy(zeros({2, 0}), tensor({0, 0})); });
}

TEST(CrossEntropy, NoticesThatTheTargetChangedBeforeBackward) {
  const Tensor x = random_logits({2, 3}, float32);
  Tensor target = tensor({0, 1});
  const Tensor y = F::cross_entropy(x, target);
  target.add_(1);
  expect_error<RuntimeError>("one of the variables needed for gradient computation has been modified",
                             [&] { y.backward(); });
}

TEST(CrossEntropy, IsDrawnWithItsTarget) {
  const Tensor x = random_logits({2, 3}, float32), target = set_name(tensor({0, 1}), "target");
  for (const double label_smoothing : {0., 0.1}) {
    const TraceGuard trace;
    const std::string dot = to_dot(F::cross_entropy(x, target, {.label_smoothing = label_smoothing}));
    EXPECT_NE(dot.find("<b>data target<"), std::string::npos) << dot;
    EXPECT_NE(dot.find("style=dashed"), std::string::npos) << dot;
    EXPECT_EQ(dot.find("<b>saved log sum exp x<") != std::string::npos, label_smoothing == 0) << dot;
  }
}

}  // namespace
}  // namespace gradus
