// Learns the parity of two bits with the installed library, all three parts of it, and saves the weights for
// predict.cpp.
#include <gradus/gradus.hpp>

#include <cstdio>

/// x^2, as an operation of this program's own.
struct Square : gradus::Function<Square> {
  static Tensor forward(Context& context, const Tensor& x) {
    context.save_for_backward({x});
    return x * x;
  }
  static Gradients backward(Context& context, const Tensor& dy) {
    const auto [x] = context.saved<1>();
    return {dy * 2 * x};
  }
};

int main() {
  using namespace gradus;
  manual_seed(1);
  const Tensor x = tensor({{0.F, 0.F}, {0.F, 1.F}, {1.F, 0.F}, {1.F, 1.F}});
  const Tensor y = tensor({{0.F}, {1.F}, {1.F}, {0.F}});

  nn::Sequential net{nn::Linear(2, 16), nn::BatchNorm1d(16), nn::Tanh(), nn::Linear(16, 1)};
  optim::Adam optimizer(net.parameters(), {.lr = 0.05});
  Tensor loss;
  for (int step = 0; step < 200; ++step) {
    optimizer.zero_grad();
    loss = Square::apply(net(x) - y).mean();
    loss.backward();
    optimizer.step();
  }

  save(net.state_dict(), "parity.safetensors");
  std::printf("%s\n", config().c_str());
  std::printf("loss %.2e after 200 steps\n", loss.item());
  return loss.item() < 1e-3 ? 0 : 1;
}
