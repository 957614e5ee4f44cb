// Prints what must be the same on every processor, system and compiler: sums over the bits of weights after training
// and of results of single operations. Compare two builds with diff; a BLAS library would make a difference.
#include <gradus/gradus.hpp>

#include <cstdint>
#include <cstdio>
#include <cstring>

using namespace gradus;

namespace {

/// FNV-1a over the elements; every NaN counts as the same.
class Hash {
 public:
  void add(const Tensor& x) {
    const Tensor values = x.to(float64);
    for (double value : values.data<double>()) {
      if (value != value) value = 0x7ff8;
      std::uint64_t bits;
      std::memcpy(&bits, &value, sizeof bits);
      hash_ = (hash_ ^ bits) * 0x100000001b3;
    }
  }
  void print(const char* what) const { std::printf("%-12s %016llx\n", what, static_cast<unsigned long long>(hash_)); }

 private:
  std::uint64_t hash_ = 0xcbf29ce484222325;
};

template <class Optimizer, class Options>
void train(const char* name, Options options) {
  manual_seed(1);
  nn::Sequential net{nn::Linear(64, 100), nn::BatchNorm1d(100), nn::ReLU(), nn::Linear(100, 10)};
  Optimizer optimizer(net.parameters(), options);
  for (int step = 0; step < 60; ++step) {
    const Tensor x = randn({32, 64}), target = randint(0, 10, {32});
    optimizer.zero_grad();
    nn::functional::cross_entropy(net(x), target).backward();
    optimizer.step();
  }
  Hash hash;
  for (const auto& [key, tensor] : net.state_dict()) hash.add(tensor);
  net.eval();
  hash.add(net(randn({7, 64})).softmax(1));
  hash.print(name);
}

void one(const char* name, const Tensor& y) {
  Hash hash;
  hash.add(y);
  hash.print(name);
}

}  // namespace

int main() {
  train<optim::SGD>("SGD", optim::SGDOptions{.lr = 0.05, .momentum = 0.9, .weight_decay = 1e-4});
  train<optim::Adam>("Adam", optim::AdamOptions{.lr = 1e-3});
  train<optim::RMSprop>("RMSprop", optim::RMSpropOptions{.lr = 1e-3});
  manual_seed(2);
  const Tensor x = randn({1000}) * 4, z = rand({1000}, float64);
  one("randn", x), one("rand", z), one("exp", x.exp()), one("log", x.abs().log()), one("tanh", x.tanh());
  one("sigmoid", x.sigmoid()), one("sqrt", x.abs().sqrt()), one("div", x / (x + 3)), one("sum", x.sum()),
      one("var", z.var());
}
