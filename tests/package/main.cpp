// Learns the parity of two bits with the installed library, all three parts of it, and saves the weights for
// predict.cpp.
#include <gradus/gradus.hpp>

#include <cstdio>
#include <string>

/// BatchNorm of x (N, C), as an operation of this program's own.
struct MyBatchNorm : gradus::Function<MyBatchNorm> {
  static constexpr bool once_differentiable = true;  // xhat and rstd are kept without the graph behind them

  static Tensor forward(Context& context, const Tensor& x, const Tensor& weight, const Tensor& bias, double eps) {
    const Tensor centered = x - x.mean(0), rstd = (centered.square().mean(0) + eps).rsqrt(), xhat = centered * rstd;
    context.save_for_backward({xhat, rstd, weight});
    return xhat * weight + bias;
  }
  static Gradients backward(Context& context, const Tensor& dy) {
    const auto [xhat, rstd, weight] = context.saved<3>();
    const Tensor dxhat = dy * weight;
    return {rstd * (dxhat - dxhat.mean(0) - xhat * (dxhat * xhat).mean(0)), (dy * xhat).sum(0), dy.sum(0)};
  }
};

/// Throws when its gradient is not that of its forward function.
void check_my_batch_norm() {
  using namespace gradus;
  const Tensor x = randn({5, 3}, float64).requires_grad_(), weight = randn({3}, float64).requires_grad_(),
               bias = randn({3}, float64).requires_grad_();
  gradcheck([](std::span<const Tensor> in) { return MyBatchNorm::apply(in[0], in[1], in[2], 1e-5).tanh(); },
            {x, weight, bias});
}

/// Throws when `net`, written and read as ONNX, is another one. Where gradus lacks that, the error is to name the
/// option.
void check_onnx(gradus::nn::Sequential& net, const gradus::Tensor& x) try {
  net.eval();
  gradus::nn::export_onnx(net, "parity.onnx");
  if (!gradus::allclose(gradus::nn::load_onnx("parity.onnx")(x), net(x)))
    throw gradus::RuntimeError("the net that was read computes something else");
} catch (const gradus::NotImplementedError& error) {
  if (std::string(error.what()).find("GRADUS_ONNX=ON") == std::string::npos) throw;
}

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
    loss = (net(x) - y).square().mean();
    loss.backward();
    optimizer.step();
  }

  check_my_batch_norm();
  check_onnx(net, x);
  save(net.state_dict(), "parity.safetensors");
  std::printf("%s\n", config().c_str());
  std::printf("loss %.2e after 200 steps\n", loss.item());
  return loss.item() < 1e-3 ? 0 : 1;
}
