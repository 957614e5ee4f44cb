// The least that uses a network: no training, no other file than safetensors. Prints the parity of two bits with the
// weights that main.cpp saved, and exits with 0 when all four are right.
#include <gradus/core/autograd.hpp>
#include <gradus/core/io.hpp>
#include <gradus/nn/activation.hpp>
#include <gradus/nn/batch_norm.hpp>
#include <gradus/nn/linear.hpp>
#include <gradus/nn/sequential.hpp>

#include <cmath>
#include <cstdio>
#include <vector>

#ifdef GRADUS_STATIC
#include <cxxabi.h>

// In place of the C++ library's, which is 47 kB: errors then show the names of types as the compiler mangles them.
extern "C" char* abi::__cxa_demangle(const char*, char*, std::size_t*, int* status) {
  *status = -1;
  return nullptr;
}
#endif

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
  net.load_state_dict(load_safetensors(weights));       // from memory, where they may be part of the program
  net.load_state_dict(load_safetensors(arguments[1]));  // from a file
  net.eval();

  const NoGradGuard no_grad;
  const Tensor y = net(tensor({{0.F, 0.F}, {0.F, 1.F}, {1.F, 0.F}, {1.F, 1.F}}));
  bool right = true;
  for (int row = 0; row < 4; ++row) {
    const float parity = y.data<float>()[row];
    std::printf("%d xor %d: %.3f\n", row / 2, row % 2, static_cast<double>(parity));
    right = right && std::abs(parity - (row == 1 || row == 2 ? 1.F : 0.F)) <= 0.2F;
  }
  return right ? 0 : 1;
} catch (const gradus::Error& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
