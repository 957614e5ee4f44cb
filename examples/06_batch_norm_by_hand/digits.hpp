// Training on the handwritten digits that come with gradus, short and always the same.
#pragma once

#include "images.hpp"

#include <gradus/core/data.hpp>
#include <gradus/nn/module.hpp>
#include <gradus/optim/sgd.hpp>

#include <vector>

namespace lesson {

using gradus::Tensor;

/// 1437 images for training, 360 for testing: x (N, 64), float64.
ImageSet load_digits();

/// The mean cross-entropy of a batch; adds its gradients to those that the parameters hold.
double loss_with_gradients(const gradus::nn::Module& net, const Tensor& x, const Tensor& y);

/// Ten epochs of SGD in batches of 60. `gradients(x, y)` leaves the gradients of a batch in the parameters and returns
/// its loss. Returns the mean losses of the epochs.
template <class F>
std::vector<double> train(const std::vector<Tensor>& parameters, const Images& images, double lr, F gradients) {
  gradus::optim::SGD optimizer(parameters, {.lr = lr});
  gradus::Generator order(8);
  gradus::DataLoader loader(gradus::TensorDataset(images.x, images.y),
                            {.batch_size = 60, .shuffle = true, .drop_last = true, .generator = &order});
  std::vector<double> losses;
  for (int epoch = 0; epoch < 10; ++epoch) {
    double sum = 0;
    for (auto& [x, y] : loader) {
      optimizer.zero_grad();
      sum += gradients(x, y);
      optimizer.step();
    }
    losses.push_back(sum / static_cast<double>(loader.size()));
  }
  return losses;
}

}  // namespace lesson
