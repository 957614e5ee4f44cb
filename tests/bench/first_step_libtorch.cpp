// The same program with libtorch.
#include <torch/torch.h>

#include <cstdio>

namespace nn = torch::nn;

int main() {
  torch::manual_seed(0);
  nn::Sequential net(nn::Linear(2, 16), nn::BatchNorm1d(16), nn::ReLU(), nn::Linear(16, 2));
  torch::optim::SGD optimizer(net->parameters(), torch::optim::SGDOptions(0.1).momentum(0.9));

  const torch::Tensor x = torch::randn({32, 2});
  const torch::Tensor y = torch::randint(2, {32}, torch::kLong);

  optimizer.zero_grad();
  const torch::Tensor loss = nn::functional::cross_entropy(net->forward(x), y);
  loss.backward();
  optimizer.step();
  std::printf("loss %.6f\n", loss.item<float>());
}
