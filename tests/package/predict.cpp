// The least that uses a network: no training, nothing of optim. Prints the parity of two bits with the weights that
// main.cpp saved, and exits with 0 when all four are right.
#include <gradus/core/io.hpp>
#include <gradus/nn/activation.hpp>
#include <gradus/nn/batch_norm.hpp>
#include <gradus/nn/linear.hpp>
#include <gradus/nn/sequential.hpp>

#include <cstdio>
#include <vector>

namespace {

std::vector<std::byte> content(const char* path) {
  std::vector<std::byte> bytes;
  if (std::FILE* file = std::fopen(path, "rb")) {
    for (int c; (c = std::getc(file)) != EOF;) bytes.push_back(static_cast<std::byte>(c));
    std::fclose(file);
  }
  return bytes;
}

}  // namespace

int main(int count, char** arguments) try {
  using namespace gradus;
  if (count != 2) return std::fputs("usage: predict WEIGHTS\n", stderr), 2;
  nn::Sequential net{nn::Linear(2, 16), nn::BatchNorm1d(16), nn::Tanh(), nn::Linear(16, 1)};
  const std::vector<std::byte> weights = content(arguments[1]);
  net.load_state_dict(load(weights));       // from memory, where they may be part of the program
  net.load_state_dict(load(arguments[1]));  // from a file
  net.eval();

  const Tensor y = net(tensor({{0.F, 0.F}, {0.F, 1.F}, {1.F, 0.F}, {1.F, 1.F}})).flatten();
  for (const float value : y.data<float>()) std::printf("%.3f\n", static_cast<double>(value));
  return allclose(y, tensor({0.F, 1.F, 1.F, 0.F}), 0, 0.2) ? 0 : 1;
} catch (const gradus::Error& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
