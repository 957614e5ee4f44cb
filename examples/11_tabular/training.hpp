// A small net, and its training with early stopping.
#pragma once

#include <gradus/gradus.hpp>

struct Rows {
  gradus::Tensor x, y;  // (rows, features); classes (rows) or numbers (rows, 1)
};

struct TrainingOptions {
  std::vector<std::int64_t> hidden = {64, 32};
  std::int64_t epochs = 300, batch_size = 32, patience = 30;
  double lr = 0.003, weight_decay = 0.01;
};

/// Linear, BatchNorm1d, ReLU for every hidden size, then Linear.
gradus::nn::Sequential make_net(std::int64_t inputs, const std::vector<std::int64_t>& hidden, std::int64_t outputs);

gradus::Tensor loss_of(const gradus::Tensor& outputs, const gradus::Tensor& y);
gradus::Tensor outputs_of(gradus::nn::Sequential& net, const gradus::Tensor& x);

/// Trains until the loss of `validation` has not become less for `patience` epochs, and leaves the net with the weights
/// of its best epoch, which is returned.
std::int64_t train(gradus::nn::Sequential& net, const Rows& training, const Rows& validation,
                   const TrainingOptions& options);
