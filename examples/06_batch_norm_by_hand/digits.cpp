#include "digits.hpp"

#include <gradus/nn/functional.hpp>

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

}  // namespace lesson
