#include "errors.hpp"

#include <gradus/core/gradcheck.hpp>
#include <gradus/core/random.hpp>
#include <gradus/nn/flatten.hpp>

#include <gtest/gtest.h>

namespace gradus {
namespace {

using nn::Flatten;
using test::expect_error;

TEST(Flatten, KeepsTheBatchByDefault) {
  const Tensor x = arange(24).reshape({2, 3, 4});
  const Tensor y = Flatten()(x);
  EXPECT_EQ(y.shape(), Shape({2, 12}));
  EXPECT_TRUE(equal(y[1], arange(12, 24)));
  EXPECT_TRUE(y.shares_storage(x));
  EXPECT_EQ(Flatten()(zeros({0, 3, 4})).shape(), Shape({0, 12}));
}

TEST(Flatten, TakesTheDimensionsNamed) {
  const Tensor x = zeros({2, 3, 4, 5});
  EXPECT_EQ(Flatten(0)(x).shape(), Shape({120}));
  EXPECT_EQ(Flatten(1, 2)(x).shape(), Shape({2, 12, 5}));
  EXPECT_EQ(Flatten(-2, -1)(x).shape(), Shape({2, 3, 20}));
  EXPECT_EQ(Flatten(0)(zeros({})).shape(), Shape({1}));
}

TEST(Flatten, IsDifferentiable) {
  const auto function = [](const std::vector<Tensor>& x) { return Flatten()(x[0]) * arange(6); };
  EXPECT_TRUE(gradcheck(function, {randn({2, 3, 2}, float64).requires_grad_()}));
}

TEST(Flatten, RefusesDimensionsThatAreNotThere) {
  const std::string told = "Dimension out of range (expected to be in range of [-1, 0], but got 1)";
  expect_error<IndexError>(told, [] { Flatten()(zeros({3})); });
  expect_error<IndexError>(told, [] { Flatten()(zeros({})); });
  expect_error<RuntimeError>("flatten() has invalid args: start_dim cannot come after end_dim", [] {
    Flatten(2, 1)(zeros({2, 3, 4}));
  });
}

}  // namespace
}  // namespace gradus
