// Tensors of gradus in expressions of xtensor. Both see the same elements: no copy is made on the way in.
#include <gradus/core/xtensor.hpp>
#include <gradus/gradus.hpp>

#include <iostream>

using namespace gradus;

int main() {
  manual_seed(0);
  Tensor x = randn({6, 3}) * 2 + 5;  // (N, C)

  std::cout << "1. A tensor is read like any array of xtensor.\n";
  const auto values = as_xtensor<float>(x);
  const xt::xarray<double> mean = xt::mean<double>(values, {0});  // <double>: in float, long sums lose digits
  const xt::xarray<double> var = xt::mean<double>(xt::square(values - mean), {0});
  std::cout << "mean = " << from_xtensor(mean) << "\n\n";

  std::cout << "2. An expression becomes a tensor. This one is what BatchNorm1d computes.\n";
  const Tensor by_hand = from_xtensor((values - mean) / xt::sqrt(var + 1e-5));
  nn::BatchNorm1d bn(3);
  const double difference = (bn(x).detach() - by_hand).abs().max().item();
  std::cout << "by hand = " << by_hand << "\nlargest difference to the layer: " << difference << "\n\n";

  std::cout << "3. Assigning to a view writes the tensor; what is assigned broadcasts.\n";
  as_xtensor<float>(bn.weight) = xt::linspace<float>(1, 3, 3);
  xt::view(as_xtensor<float>(x), 0) = 0;
  std::cout << "weight = " << bn.weight << "\nx[0] = " << x[0] << "\n\n";

  std::cout << "4. Gradients are the business of gradus, and arrays again once they are there.\n";
  bn(x).tanh().sum().backward();
  const Tensor dweight = bn.weight.grad();
  const xt::xarray<float> step = -0.01f * as_xtensor<float>(dweight);
  std::cout << "a step of gradient descent: " << from_xtensor(step) << '\n';

  return difference < 1e-6 ? 0 : 1;
}
