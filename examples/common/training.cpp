#include "training.hpp"

#include <gradus/core/autograd.hpp>
#include <gradus/core/ops.hpp>
#include <gradus/nn/activation.hpp>
#include <gradus/nn/batch_norm.hpp>
#include <gradus/nn/linear.hpp>

#include <algorithm>

using namespace gradus;

nn::Sequential make_mlp(const std::vector<std::int64_t>& sizes, bool batch_norm) {
  nn::Sequential net;
  for (std::size_t i = 0; i + 2 < sizes.size(); ++i) {
    net.push_back(nn::Linear(sizes[i], sizes[i + 1], {.bias = !batch_norm}));
    if (batch_norm) net.push_back(nn::BatchNorm1d(sizes[i + 1]));
    net.push_back(nn::ReLU());
  }
  net.push_back(nn::Linear(sizes[sizes.size() - 2], sizes.back()));
  return net;
}

Tensor loss_of(const Tensor& outputs, const Tensor& y) {
  return y.dtype() == int64 ? nn::functional::cross_entropy(outputs, y) : nn::functional::mse_loss(outputs, y);
}

double train_epoch(nn::Module& net, optim::Optimizer& optimizer, DataLoader<2>& loader) {
  double sum = 0, count = 0;
  for (const auto& [x, y] : loader) {
    optimizer.zero_grad();
    const Tensor loss = loss_of(net(x), y);
    loss.backward();
    optimizer.step();
    const auto rows = static_cast<double>(x.size(0));
    sum += loss.item() * rows;
    count += rows;
  }
  return sum / count;
}

Tensor outputs_of(nn::Module& net, const Tensor& x) {
  const NoGradGuard no_grad;
  const nn::EvalGuard eval(net);
  constexpr std::int64_t at_once = 1000;
  std::vector<Tensor> parts;
  for (std::int64_t start = 0; start < x.size(0); start += at_once) {
    parts.push_back(net(x.narrow(0, start, std::min(at_once, x.size(0) - start))));
  }
  return cat(parts);
}

Score evaluate(nn::Module& net, const Tensor& x, const Tensor& y) {
  const Tensor outputs = outputs_of(net, x);
  return {nn::functional::cross_entropy(outputs, y).item(), (outputs.argmax(1) == y).to(float64).mean().item()};
}
