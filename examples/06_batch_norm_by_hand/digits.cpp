#include "digits.hpp"

using namespace gradus;

namespace lesson {

ImageSet load_digits() {
  manual_seed(8);
  ImageSet digits = ::load_digits(GRADUS_DATA_DIR "/digits.csv");
  for (Images* part : {&digits.train, &digits.test}) part->x = part->x.to(float64);
  return digits;
}

double loss_with_gradients(const nn::Module& net, const Tensor& x, const Tensor& y) {
  const Tensor loss = nn::functional::cross_entropy(net(x), y);
  loss.backward();
  return loss.item();
}

std::vector<double> train(const nn::Module& net, const Images& images, double lr,
                          const std::function<double(const Tensor& x, const Tensor& y)>& gradients) {
  optim::SGD optimizer(net.parameters(), {.lr = lr});
  Generator order(8);
  DataLoader loader(TensorDataset(images.x, images.y),
                    {.batch_size = 60, .shuffle = true, .drop_last = true, .generator = &order});
  std::vector<double> losses;
  for (int epoch = 0; epoch < 10; ++epoch) {
    double sum = 0;
    for (const auto& [x, y] : loader) {
      optimizer.zero_grad();
      sum += gradients ? gradients(x, y) : loss_with_gradients(net, x, y);
      optimizer.step();
    }
    losses.push_back(sum / static_cast<double>(loader.size()));
  }
  return losses;
}

}  // namespace lesson
