#include "training.hpp"

#include "terminal.hpp"
#include "text.hpp"

#include <cmath>
#include <cstdio>
#include <limits>

using namespace gradus;

namespace {

double run_epoch(nn::Sequential& net, optim::AdamW& optimizer, const Rows& rows, std::int64_t batch_size) {
  // BatchNorm needs two rows for a variance: a last batch of one is left out.
  const bool drop_last = rows.x.size(0) > batch_size && rows.x.size(0) % batch_size == 1;
  DataLoader loader(TensorDataset(rows.x, rows.y), {.batch_size = batch_size, .shuffle = true, .drop_last = drop_last});
  double sum = 0;
  std::int64_t count = 0;
  for (auto& [x, y] : loader) {
    optimizer.zero_grad();
    const Tensor loss = loss_of(net(x), y);
    loss.backward();
    optimizer.step();
    sum += loss.item() * static_cast<double>(x.size(0));
    count += x.size(0);
  }
  return sum / static_cast<double>(count);
}

StateDict copy_of(const StateDict& state) {
  StateDict copy;
  for (const auto& [name, tensor] : state) copy[name] = tensor.detach().clone();
  return copy;
}

}  // namespace

nn::Sequential make_net(std::int64_t inputs, const std::vector<std::int64_t>& hidden, std::int64_t outputs) {
  nn::Sequential net;
  for (const std::int64_t size : hidden) {
    net.push_back(nn::Linear(inputs, size, {.bias = false}));
    net.push_back(nn::BatchNorm1d(size));
    net.push_back(nn::ReLU());
    inputs = size;
  }
  net.push_back(nn::Linear(inputs, outputs));
  return net;
}

Tensor loss_of(const Tensor& outputs, const Tensor& y) {
  return y.dtype() == int64 ? nn::functional::cross_entropy(outputs, y) : nn::functional::mse_loss(outputs, y);
}

Tensor outputs_of(nn::Sequential& net, const Tensor& x) {
  const NoGradGuard no_grad;
  net.eval();
  Tensor outputs = net(x);
  net.train();
  return outputs;
}

std::int64_t train(nn::Sequential& net, const Rows& training, const Rows& validation, const TrainingOptions& options) {
  optim::AdamW optimizer(net.parameters(), {.lr = options.lr, .weight_decay = options.weight_decay});
  StateDict best;
  double least = std::numeric_limits<double>::infinity();
  std::int64_t best_epoch = 0;
  ProgressLine line(stdout, false);
  for (std::int64_t epoch = 1; epoch <= options.epochs; ++epoch) {
    const double training_loss = run_epoch(net, optimizer, training, options.batch_size);
    const double loss = loss_of(outputs_of(net, validation.x), validation.y).item();
    if (!std::isfinite(loss))
      throw ValueError("the training diverged in epoch " + std::to_string(epoch) + "\ntake a smaller --lr");
    if (loss < least) {
      least = loss;
      best_epoch = epoch;
      best = copy_of(net.state_dict());
    }
    const bool last = epoch == options.epochs || epoch - best_epoch >= options.patience;
    const std::string text = "epoch " + std::to_string(epoch) + ": loss " + fixed(training_loss, 4) +
                             ", on validation " + fixed(loss, 4) + ", best " + fixed(least, 4) + " in epoch " +
                             std::to_string(best_epoch);
    if (last) {
      line.print(text);
    } else if (line.due()) {
      line.update(text);
    }
    if (last) break;
  }
  net.load_state_dict(best);
  return best_epoch;
}
