// Tensors, a gradient, and a layer: what gradus is made of, in thirty lines.
#include <gradus/gradus.hpp>

#include <iostream>

using namespace gradus;

int main() {
  // Tensors broadcast, slice and print as in PyTorch.
  Tensor x = tensor({{1.0, 2.0}, {3.0, 4.0}, {5.0, 6.0}});  // (3, 2)
  std::cout << x - x.mean(0) << "\n\n";

  // A tensor that requires a gradient gets it from backward().
  Tensor w = tensor({0.5, -1.0}).requires_grad_();
  Tensor loss = (x.matmul(w) - 1).square().mean();
  loss.backward();
  std::cout << loss << "\n" << w.grad() << "\n\n";

  // Layers are values; BatchNorm1d normalises every column over the batch.
  manual_seed(0);
  nn::Sequential net{nn::Linear(2, 4), nn::BatchNorm1d(4), nn::ReLU(), nn::Linear(4, 1)};
  optim::SGD optimizer(net.parameters(), {.lr = 0.1});
  Tensor y = tensor({{1.0}, {0.0}, {1.0}});
  for (int step = 0; step < 100; ++step) {
    optimizer.zero_grad();
    nn::functional::mse_loss(net(x), y).backward();
    optimizer.step();
  }
  std::cout << net << "\n\n" << net.eval()(x) << "\n";
}
