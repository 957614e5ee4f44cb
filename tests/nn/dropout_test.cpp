#include "errors.hpp"
#include "golden.hpp"

#include <gradus/core/autograd.hpp>
#include <gradus/core/gradcheck.hpp>
#include <gradus/nn/dropout.hpp>

#include <gtest/gtest.h>

#include <cmath>

namespace gradus {
namespace {

namespace F = nn::functional;
using test::expect_error;
using test::golden_tensor;

TEST(Dropout, DropsWhatPyTorchDrops) {
  int found = 0;
  for (const auto& entry : test::load_golden("rng.json").at("entries")) {
    if (entry.at("name") != "dropout") continue;
    ++found;
    manual_seed(entry.at("seed").get<std::int64_t>());
    nn::Dropout dropout(0.4);
    EXPECT_TRUE(equal(dropout(ones({12})), golden_tensor(entry.at("results")[0])));
    EXPECT_EQ(default_generator().next_uint32() % (1U << 31), entry.at("next_uint32").get<std::uint32_t>());
  }
  EXPECT_EQ(found, 3);
}

TEST(Dropout, DropsElementsWithTheProbabilityAndScalesTheRest) {
  Generator generator(5);
  for (const Dtype dtype : {float32, float64}) {
    const Tensor y = F::dropout(full({100, 200}, 3, dtype), 0.2, true, generator);
    EXPECT_EQ(y.dtype(), dtype);
    const Tensor dropped = y == 0;
    EXPECT_NEAR(dropped.to(float64).mean().item(), 0.2, 0.01);
    EXPECT_TRUE(allclose(y, where(dropped, zeros_like(y), full_like(y, 3.75))));
  }
}

TEST(Dropout, InEvalModeIsTheInputItself) {
  manual_seed(1);
  nn::Dropout dropout(0.4);
  const Tensor x = ones({4}).requires_grad_();
  EXPECT_TRUE(dropout.eval()(x).is_same(x));
  EXPECT_TRUE(F::dropout(x, 0.4, false).is_same(x));
  EXPECT_EQ(default_generator(), Generator(1));
  EXPECT_FALSE(dropout.train()(x).is_same(x));
}

TEST(Dropout, DrawsNothingWhenNothingIsOpen) {
  Generator generator(1);
  const Tensor x = ones({4}).requires_grad_();
  EXPECT_TRUE(F::dropout(x, 0, true, generator).is_same(x));
  const Tensor y = F::dropout(x, 1, true, generator);
  EXPECT_TRUE(equal(y, zeros({4})));
  y.sum().backward();
  EXPECT_TRUE(equal(x.grad(), zeros({4})));
  EXPECT_EQ(F::dropout(zeros({0, 3}), 0.5, true, generator).shape(), Shape({0, 3}));
  EXPECT_EQ(generator, Generator(1));
}

TEST(Dropout, GradientPassesWhereTheElementPassed) {
  const auto function = [](const std::vector<Tensor>& x) {
    Generator generator(2);
    return F::dropout(x[0], 0.3, true, generator);
  };
  const Tensor x = randn({5, 3}, float64).requires_grad_();
  EXPECT_TRUE(gradcheck(function, {x}));
  EXPECT_TRUE(gradgradcheck(function, {x}));
  EXPECT_EQ(function({x}).grad_fn(), "MulBackward0");
}

TEST(Dropout, RefusesWhatIsNoProbability) {
  const std::string told = "dropout probability has to be between 0 and 1, but got ";
  expect_error<ValueError>(told + "1.5", [] { nn::Dropout(1.5); });
  expect_error<ValueError>(told + "-0.1", [] { F::dropout(ones({3}), -0.1); });
  expect_error<ValueError>(told + "nan", [] { nn::Dropout(std::nan("")); });
}

TEST(Dropout, RefusesIntegers) {
  manual_seed(1);
  expect_error<RuntimeError>("result type Float can't be cast to the desired output type Long",
                             [] { F::dropout(arange(3)); });
  EXPECT_EQ(default_generator(), Generator(1));
}

}  // namespace
}  // namespace gradus
