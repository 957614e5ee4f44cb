// The experiment of Ioffe & Szegedy 2015, section 4.1: three hidden layers of 100 sigmoids, with and without BatchNorm.
#pragma once

#include "images.hpp"
#include "progress.hpp"

/// Fixed by the paper.
constexpr std::int64_t hidden_units = 100, batch_size = 60;

/// What the paper leaves open, and how long to train.
struct Settings {
  std::int64_t steps = 5000;
  std::int64_t eval_every = 0;  // steps from one point of the curves to the next; 0: a 200th of all
  double lr = 0.1;
  double init_std = 0.1;   // of the normal distribution from which all weights are drawn; biases start at 0
  double threshold = 0.5;  // brighter pixels are 1, the others 0
  std::int64_t unit = 0;   // the sigmoid of the last hidden layer that is watched
  std::int64_t seed = 0;
};

/// The pixels of both parts as the paper's binary images.
ImageSet binarised(const ImageSet& images, double threshold);

/// Trains one of the two networks. The same seed gives both the same weights at first, and the same batches. Returns,
/// float64 (points, 5): steps done; the accuracy on test images, in evaluation mode; the 15th, 50th and 85th percentile
/// of the sigmoid's input, in training mode, over all batches since the point before.
/// Throws gradus::ValueError when it diverges.
gradus::Tensor train(const ImageSet& images, bool batch_norm, const Settings& settings, Progress& progress);
