#include "errors.hpp"

#include <gradus/gradus.hpp>

#include <gtest/gtest.h>

namespace gradus::nn {
namespace {

/// y = x w, whose backward forgets w where `wrong`.
struct Product : Function<Product> {
  static Tensor forward(Context& context, const Tensor& x, const Tensor& w, bool wrong) {
    context.save_for_backward({x, w});
    context.keep(wrong);
    return x * w;
  }
  static Gradients backward(Context& context, const Tensor& dy) {
    const auto [x, w] = context.saved<2>();
    return {dy * w, context.kept<bool>() ? dy.sum(0) : (dy * x).sum(0)};
  }
};

struct Scale : Module {
  Parameter weight{rand({3}, float64) + 0.5};
  bool wrong = false;
  void state(StateList& list) override { list("weight", weight); }
  Tensor forward(const Tensor& x) override { return Product::apply(x, weight, wrong); }
};

TEST(ModuleGradcheck, ChecksInputAndParametersAndLeavesThemAlone) {
  manual_seed(1);
  Sequential net{Linear(4, 3, {.dtype = float64}), BatchNorm1d(3, {.dtype = float64}), Tanh(), Scale()};
  const Tensor x = randn({5, 4}, float64).requires_grad_();
  std::vector<Tensor> before;
  std::vector<std::uint32_t> versions;
  for (const Tensor& p : net.parameters()) before.push_back(p.detach().clone()), versions.push_back(p.version());
  EXPECT_TRUE(gradcheck(net, x));
  EXPECT_TRUE(gradcheck(net, x.detach()));
  for (std::size_t i = 0; i < before.size(); ++i) {
    EXPECT_TRUE(equal(net.parameters()[i], before[i]));
    EXPECT_EQ(net.parameters()[i].version(), versions[i]);
  }
}

TEST(ModuleGradcheck, NamesAParameterWhoseGradientIsWrong) {
  Scale layer;
  EXPECT_TRUE(gradcheck(layer, rand({2, 3}, float64)));
  layer.wrong = true;
  test::expect_error_with<RuntimeError>([&] { gradcheck(layer, rand({2, 3}, float64)); }, "with respect to input 1");
}

}  // namespace
}  // namespace gradus::nn
