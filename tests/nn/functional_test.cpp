// Losses and dropout have files of their own; here: the functions that nn::functional shares with the tensor
// operations.
#include "golden.hpp"

#include <gradus/core/tensor.hpp>
#include <gradus/nn/batch_norm.hpp>
#include <gradus/nn/functional.hpp>

#include <gtest/gtest.h>

#include <map>

namespace gradus {
namespace {

namespace F = nn::functional;

TEST(Functional, NamesTheTensorOperations) {
  const Tensor x = tensor({{-2.0, 0.5, 1.0}, {3.0, -0.25, 0.0}});
  EXPECT_TRUE(equal(F::relu(x), relu(x)));
  EXPECT_TRUE(equal(F::leaky_relu(x, 0.2), leaky_relu(x, 0.2)));
  EXPECT_TRUE(equal(F::sigmoid(x), sigmoid(x)));
  EXPECT_TRUE(equal(F::tanh(x), tanh(x)));
  EXPECT_TRUE(equal(F::gelu(x), gelu(x)));
  EXPECT_TRUE(equal(F::softplus(x), softplus(x)));
  EXPECT_TRUE(equal(F::softmax(x, 1), softmax(x, 1)));
  EXPECT_TRUE(equal(F::log_softmax(x, 1), log_softmax(x, 1)));
}

TEST(Functional, LinearNeedsNoLayer) {
  const Tensor x = tensor({{1.0, 2.0}}), weight = tensor({{1.0, 10.0}, {2.0, 0.0}, {0.0, 0.5}});
  EXPECT_TRUE(equal(F::linear(x, weight, tensor({1.0, 2.0, 3.0})), tensor({{22.0, 4.0, 4.0}})));
  EXPECT_TRUE(equal(F::linear(x, weight, {}), tensor({{21.0, 2.0, 1.0}})));
}

TEST(Functional, NodesAreNamedAsInPyTorch) {
  const Tensor a = rand({2, 3}).requires_grad_(), b = rand({2, 3}), target = tensor({0, 1});
  nn::BatchNorm1d evaluated(3);
  evaluated.eval();
  const std::map<std::string, Tensor> results{
      {"F.mse_loss(a,torch.rand(2,3))", F::mse_loss(a, b)},
      {"F.l1_loss(a,torch.rand(2,3))", F::l1_loss(a, b)},
      {"F.cross_entropy(a,torch.tensor([0,1]))", F::cross_entropy(a, target)},
      {"F.cross_entropy(a,torch.tensor([0,1]),label_smoothing=.1)",
       F::cross_entropy(a, target, {.label_smoothing = 0.1})},
      {"F.nll_loss(a,torch.tensor([0,1]))", F::nll_loss(a, target)},
      {"F.binary_cross_entropy_with_logits(a,torch.rand(2,3))", F::binary_cross_entropy_with_logits(a, b)},
      {"nn.BatchNorm1d(3)(a)", nn::BatchNorm1d(3)(a)},
      {"nn.BatchNorm1d(3).eval()(a)", evaluated(a)},
      {"F.dropout(a,.5)", F::dropout(a, 0.5, true)},
  };
  std::size_t tested = 0;
  for (const test::json& entry : test::load_golden("grad_fn.json").at("cases")) {
    const auto result = results.find(entry.at("python").get<std::string>());
    if (result == results.end()) continue;
    EXPECT_EQ(result->second.grad_fn(), entry.at("grad_fn").get<std::string>()) << result->first;
    ++tested;
  }
  EXPECT_EQ(tested, results.size());
}

}  // namespace
}  // namespace gradus
