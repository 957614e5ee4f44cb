// Norms where one of negative p is 0. The other values are those of the fixtures.
#include "tensors.hpp"

namespace gradus::test {
namespace {

TEST(Norm, TheGradientIsZeroWhereTheNormIs) {
  const Tensor x = tensor({{0., 2., -3.}, {1., -2., 0.5}}, float64);
  for (const double p : {-0.5, -1., -2.}) {
    EXPECT_EQ(x[0].norm(p).item(), 0) << p;
    expect_tensor(gradient([p](const Tensor& v) { return v.norm(p, 1); }, x)[0], zeros({3}, float64));
    expect_derivative([p](const Tensor& v) { return v.norm(p, 1); }, x(Slice(1), Slice()).clone().requires_grad_());
  }
}

}  // namespace
}  // namespace gradus::test
