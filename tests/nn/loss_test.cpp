#include "errors.hpp"
#include "golden.hpp"
#include "near.hpp"

#include <gradus/core/autograd.hpp>
#include <gradus/core/gradcheck.hpp>
#include <gradus/core/random.hpp>
#include <gradus/nn/loss.hpp>

#include <gtest/gtest.h>

#include <cmath>

namespace gradus {
namespace {

namespace F = nn::functional;
using nn::Reduction;
using test::expect_error;
using test::golden_tensor;
using test::json;
using test::max_distance;
using test::relative_distance;

constexpr Reduction reductions[] = {Reduction::none, Reduction::mean, Reduction::sum};

// --- against PyTorch's recorded results

Reduction reduction_of(const json& args) {
  const std::string name = args.value("reduction", "mean");
  return name == "none" ? Reduction::none : name == "sum" ? Reduction::sum : Reduction::mean;
}

Tensor optional_tensor(const json& args, const char* name, Dtype dtype) {
  return args.contains(name) ? golden_tensor(args.at(name)).to(dtype) : Tensor();
}

Tensor loss_of(const json& c, const Tensor& x, const Tensor& target) {
  const std::string function = c.at("function");
  const json& args = c.at("args");
  const Reduction reduction = reduction_of(args);
  const Tensor weight = optional_tensor(args, "weight", x.dtype());
  if (function == "mse_loss") return F::mse_loss(x, target, reduction);
  if (function == "l1_loss") return F::l1_loss(x, target, reduction);
  if (function == "nll_loss") return F::nll_loss(x, target, {.weight = weight, .reduction = reduction});
  if (function == "binary_cross_entropy_with_logits") {
    return F::binary_cross_entropy_with_logits(
        x, target,
        {.weight = weight, .reduction = reduction, .pos_weight = optional_tensor(args, "pos_weight", x.dtype())});
  }
  EXPECT_EQ(function, "cross_entropy");
  return F::cross_entropy(x, target,
                          {.weight = weight,
                           .ignore_index = args.value("ignore_index", -100),
                           .reduction = reduction,
                           .label_smoothing = args.value("label_smoothing", 0.0)});
}

void expect_recorded(const json& c, Dtype dtype, const char* value, const char* gradient, double tolerance) {
  const Tensor x = golden_tensor(c.at("input")).to(dtype).requires_grad_();
  Tensor target = golden_tensor(c.at("target"));
  if (is_floating(target.dtype())) target = target.to(dtype);
  const Tensor y = loss_of(c, x, target);
  EXPECT_EQ(y.dtype(), dtype);
  EXPECT_LE(relative_distance(y, golden_tensor(c.at(value))), tolerance);
  y.sum().backward();
  EXPECT_LE(relative_distance(x.grad(), golden_tensor(c.at(gradient))), tolerance);
}

TEST(Loss, ValuesAndGradientsArePyTorchs) {
  const json& cases = test::load_golden("losses.json").at("cases");
  EXPECT_EQ(cases.size(), 23U);
  for (const json& c : cases) {
    SCOPED_TRACE(c.at("function").get<std::string>() + " " + c.at("args").dump());
    expect_recorded(c, float32, "value", "grad_of_sum", 5e-7);
    expect_recorded(c, float64, "value_f64", "grad_f64", 2e-14);
  }
}

// --- gradients against finite differences; gradcheck weighs every output with a random number of its own

Tensor random_input(const Shape& shape, std::int64_t seed) {
  Generator generator(seed);
  return randn(shape, float64, generator).requires_grad_();
}

template <class Loss>
void expect_gradients(Loss loss, const std::vector<Tensor>& inputs) {
  const auto function = [&](const std::vector<Tensor>& x) { return loss(x); };
  EXPECT_TRUE(gradcheck(function, inputs));
  EXPECT_TRUE(gradgradcheck(function, inputs));
}

TEST(Loss, SquaredErrorHasGradientsInBothArguments) {
  for (const Reduction reduction : reductions) {
    expect_gradients([&](const auto& x) { return F::mse_loss(x[0], x[1], reduction); },
                     {random_input({3, 4}, 1), random_input({3, 4}, 2)});
  }
}

TEST(Loss, AbsoluteErrorHasGradientsInBothArguments) {
  for (const Reduction reduction : reductions) {
    expect_gradients([&](const auto& x) { return F::l1_loss(x[0], x[1], reduction); },
                     {random_input({3, 4}, 1), random_input({3, 4}, 2)});
  }
}

TEST(Loss, AbsoluteErrorHasNoSlopeWhereItIsZero) {
  const Tensor x = tensor({1.0, 2.0, 3.0}).requires_grad_();
  F::l1_loss(x, tensor({1.0, 5.0, 1.0}), Reduction::sum).backward();
  EXPECT_TRUE(equal(x.grad(), tensor({0.0, -1.0, 1.0})));
}

TEST(Loss, BinaryCrossEntropyHasGradientsInBothArguments) {
  const Tensor weight = tensor({0.5, 2.0, 1.5, 3.0}, float64), positive = tensor({3.0, 0.25, 1.0, 2.0}, float64);
  for (const Reduction reduction : reductions) {
    for (const nn::BceOptions& options :
         {nn::BceOptions{.reduction = reduction}, nn::BceOptions{.weight = weight, .reduction = reduction},
          nn::BceOptions{.weight = weight, .reduction = reduction, .pos_weight = positive}}) {
      expect_gradients([&](const auto& x) { return F::binary_cross_entropy_with_logits(x[0], x[1], options); },
                       {random_input({3, 4}, 3), random_input({3, 4}, 4)});
    }
  }
}

TEST(Loss, ModulesKeepTheirOptions) {
  const Tensor x = random_input({3, 4}, 5), target = randn({3, 4}, float64);
  EXPECT_TRUE(equal(nn::MSELoss(Reduction::sum)(x, target), F::mse_loss(x, target, Reduction::sum)));
  EXPECT_TRUE(equal(nn::L1Loss(Reduction::none)(x, target), F::l1_loss(x, target, Reduction::none)));
  const nn::BceOptions options{
      .weight = rand({4}, float64), .reduction = Reduction::sum, .pos_weight = rand({4}, float64)};
  nn::BCEWithLogitsLoss loss(options);
  EXPECT_TRUE(equal(loss(x, target), F::binary_cross_entropy_with_logits(x, target, options)));
  EXPECT_EQ(loss.named_buffers().size(), 2U);
  EXPECT_EQ(loss.named_buffers()[1].first, "pos_weight");
  EXPECT_TRUE(loss.parameters().empty());
}

// --- extreme and empty arguments

TEST(Loss, BinaryCrossEntropyNeitherOverflowsNorCancels) {
  const Tensor x = tensor({1000.0, -1000.0, 40.0, -40.0}, float64).requires_grad_();
  const Tensor y =
      F::binary_cross_entropy_with_logits(x, tensor({0.0, 1.0, 1.0, 0.0}, float64), {.reduction = Reduction::none});
  const double tiny = std::log1p(std::exp(-40.0));
  EXPECT_TRUE(equal(y, tensor({1000.0, 1000.0, tiny, tiny}, float64)));
  y.sum().backward();
  EXPECT_LE(max_distance(x.grad(), tensor({1.0, -1.0, 0.0, 0.0}, float64)), 1e-15);
}

TEST(Loss, HuberWithABoundBeyondItsDtypeIsASquare) {
  const Tensor x = tensor({3., -4.}).requires_grad_();
  nn::functional::huber_loss(x, zeros({2}), nn::Reduction::sum, 1e300).backward();
  EXPECT_TRUE(equal(x.grad(), x.detach()));
}

TEST(Loss, BackwardOfDifferencesIsTheSameWithAndWithoutAGraph) {
  Generator generator(5);
  for (const Dtype dtype : {float32, float64}) {
    Tensor from = randn({7, 31}, dtype, generator) * 2;
    from[3].fill_(std::nan(""));
    const Tensor x = from.requires_grad_(), target = randn({7, 31}, dtype, generator).requires_grad_();
    for (const Reduction reduction : reductions) {
      for (const Tensor& loss : {F::mse_loss(x, target, reduction), F::huber_loss(x, target, reduction, 0.7),
                                 F::smooth_l1_loss(x, target, reduction, 0.3)}) {
        const Tensor sum = loss.sum() * 3;
        const auto alone = grad({sum}, {x, target}, {.retain_graph = true});
        const auto again = grad({sum}, {x, target}, {.create_graph = true});
        for (std::size_t i = 0; i < 2; ++i) EXPECT_EQ(max_distance(alone[i], again[i].detach()), 0);
      }
    }
  }
}

TEST(Loss, MeanOfNothingIsNotANumber) {
  const Tensor nothing = zeros({0, 3});
  EXPECT_TRUE(std::isnan(F::mse_loss(nothing, nothing).item()));
  EXPECT_TRUE(std::isnan(F::l1_loss(nothing, nothing).item()));
  EXPECT_TRUE(std::isnan(F::binary_cross_entropy_with_logits(nothing, nothing).item()));
  EXPECT_EQ(F::mse_loss(nothing, nothing, Reduction::sum).item(), 0);
  EXPECT_EQ(F::mse_loss(nothing, nothing, Reduction::none).shape(), Shape({0, 3}));
}

TEST(Loss, PromotesDtypes) {
  const Tensor x = ones({2, 3}).requires_grad_();
  EXPECT_EQ(F::mse_loss(x, zeros({2, 3}, int64)).dtype(), float32);
  const Tensor y = F::mse_loss(x, zeros({2, 3}, float64));
  EXPECT_EQ(y.dtype(), float64);
  y.backward();
  EXPECT_EQ(x.grad().dtype(), float32);
  EXPECT_LE(max_distance(x.grad(), full({2, 3}, 1.0 / 3)), 1e-7);
}

// --- mistakes

TEST(Loss, RefusesSizesThatWouldBroadcast) {
  const std::string told =
      "Using a target size (torch.Size([3])) that is different to the input size (torch.Size([3, 1])). This will "
      "likely lead to incorrect results due to broadcasting. Please ensure they have the same size.";
  expect_error<ValueError>(told, [] { F::mse_loss(zeros({3, 1}), zeros({3})); });
  expect_error<ValueError>(told, [] { F::l1_loss(zeros({3, 1}), zeros({3})); });
}

TEST(Loss, RefusesDtypesItCannotCompare) {
  const Tensor integers = zeros({3}, int64);
  expect_error<RuntimeError>("\"mse_cpu\" not implemented for 'Long'", [&] { F::mse_loss(integers, integers); });
  expect_error<RuntimeError>("mean(): could not infer output dtype.", [&] { F::l1_loss(integers, integers); });
  expect_error<RuntimeError>("result type Float can't be cast to the desired output type Long",
                             [&] { F::binary_cross_entropy_with_logits(zeros({3}), integers); });
}

TEST(Loss, RefusesWeightsThatDoNotBroadcast) {
  const Tensor x = zeros({3, 5});
  expect_error<RuntimeError>("The size of tensor a",
                             [&] { F::binary_cross_entropy_with_logits(x, x, {.pos_weight = ones({4})}); });
  expect_error<RuntimeError>("output with shape [3, 5] doesn't match the broadcast shape [2, 3, 5]", [&] {
    F::binary_cross_entropy_with_logits(x, x, {.weight = ones({2, 3, 5})});
  });
}

TEST(Loss, NoticesThatAnArgumentChangedBeforeBackward) {
  const Tensor x = ones({2}).requires_grad_();
  Tensor target = zeros({2});
  const Tensor y = F::mse_loss(x, target);
  target.add_(1);
  expect_error<RuntimeError>("one of the variables needed for gradient computation has been modified",
                             [&] { y.backward(); });
}

}  // namespace
}  // namespace gradus
