#include "digits.hpp"

using namespace gradus;

namespace lesson {

Digits load_digits() {
  constexpr std::int64_t pixels = 64, training = 1437;
  const Tensor table = read_csv(GRADUS_DATA_DIR "/digits.csv").to(float64);
  const Tensor x = table.narrow(1, 0, pixels) / 16, y = table.select(1, pixels).to(int64);
  const std::int64_t rest = x.size(0) - training;
  return {x.narrow(0, 0, training), y.narrow(0, 0, training), x.narrow(0, training, rest), y.narrow(0, training, rest)};
}

double accuracy(const Tensor& logits, const Tensor& y) { return (logits.argmax(1) == y).to(float64).mean().item(); }

}  // namespace lesson
