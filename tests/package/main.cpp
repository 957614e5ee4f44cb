// Fits y = 2x + 1 with the installed library.
#include <gradus/gradus.hpp>

#include <cmath>
#include <cstdio>

int main() {
  using namespace gradus;
  const Tensor x = linspace(-1, 1, 32).reshape({32, 1});
  const Tensor y = x * 2 + 1;
  Tensor weight = zeros({1, 1}).requires_grad_();
  Tensor bias = zeros({1}).requires_grad_();

  for (int step = 0; step < 200; ++step) {
    const Tensor loss = (matmul(x, weight) + bias - y).square().mean();
    loss.backward();
    NoGradGuard no_grad;
    for (Tensor* parameter : {&weight, &bias}) {
      parameter->sub_(parameter->grad(), 0.2);
      parameter->set_grad({});
    }
  }

  std::printf("y = %.4fx + %.4f\n", weight.item(), bias.item());
  return std::abs(weight.item() - 2) < 1e-3 && std::abs(bias.item() - 1) < 1e-3 ? 0 : 1;
}
