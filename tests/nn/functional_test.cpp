// Losses and dropout have files of their own; here: the functions that nn::functional shares with the tensor
// operations.
#include <gradus/core/tensor.hpp>
#include <gradus/nn/batch_norm.hpp>
#include <gradus/nn/functional.hpp>

#include <gtest/gtest.h>

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

}  // namespace
}  // namespace gradus
