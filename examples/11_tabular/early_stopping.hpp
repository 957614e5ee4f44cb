// A training that stops when the validation says so.
#pragma once

#include "training.hpp"

struct Rows {
  gradus::Tensor x, y;  // (rows, features); classes (rows) or numbers (rows, 1)
};

struct TrainingOptions {
  std::vector<std::int64_t> hidden = {64, 32};
  std::int64_t epochs = 300, batch_size = 32, patience = 30;
  double lr = 0.003;
};

/// Trains until the loss of `validation` has not become less for `patience` epochs, and leaves the net with the weights
/// of its best epoch.
void train(gradus::nn::Sequential& net, const Rows& training, const Rows& validation, const TrainingOptions& options);
