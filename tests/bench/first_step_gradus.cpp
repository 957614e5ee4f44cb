// The program of somebody who begins: a small net and one training step. Its cost is what `compare` shows.
#include <gradus/gradus.hpp>

#include <cstdio>

using namespace gradus;

int main() {
  manual_seed(0);
  nn::Sequential net{nn::Linear(2, 16), nn::BatchNorm1d(16), nn::ReLU(), nn::Linear(16, 2)};
  optim::SGD optimizer(net.parameters(), {.lr = 0.1, .momentum = 0.9});

  const Tensor x = randn({32, 2});
  const Tensor y = randint(2, {32});

  optimizer.zero_grad();
  const Tensor loss = nn::functional::cross_entropy(net(x), y);
  loss.backward();
  optimizer.step();
  std::printf("loss %.6f\n", loss.item());
}
