// Weights into a file and back, and a training that goes on where it stopped.
#include <gradus/gradus.hpp>

#include <cstdio>
#include <filesystem>
#include <iostream>

using namespace gradus;

namespace {

/// A module of one's own names its members once; saving, loading, copying and printing follow from that.
struct Net : nn::Module {
  nn::Linear hidden{2, 8, {.bias = false}};
  nn::BatchNorm1d norm{8};
  nn::Linear out{8, 1};

  void state(nn::StateList& list) override { list("hidden", hidden)("norm", norm)("out", out); }
  Tensor forward(const Tensor& x) const override { return out(relu(norm(hidden(x)))); }
};

double train_step(Net& net, optim::Optimizer& optimizer) {
  const Tensor x = randn({16, 2}), y = (x * x).sum(1, true);
  optimizer.zero_grad();
  const Tensor loss = nn::functional::mse_loss(net(x), y);
  loss.backward();
  optimizer.step();
  return loss.item();
}

}  // namespace

int main() {
  const std::string folder = std::filesystem::temp_directory_path() / "gradus_save_and_load";
  std::filesystem::create_directories(folder);
  manual_seed(1);
  Net net;
  optim::Adam optimizer(net.parameters(), {.lr = 0.01});
  for (int i = 0; i < 100; ++i) train_step(net, optimizer);

  // The weights alone: names and buffers included, as `torch.load` and safetensors expect them.
  save(net.state_dict(), folder + "/weights.safetensors");
  save(net.state_dict(), folder + "/weights.pt");
  Net loaded;
  std::cout << loaded.load_state_dict(load(folder + "/weights.pt")) << '\n';
  net.eval();
  loaded.eval();
  const Tensor x = randn({4, 2});
  std::cout << "same outputs: " << (equal(net(x), loaded(x)) ? "yes" : "no") << '\n';
  net.train();

  // Everything a training needs to go on, to the bit.
  const std::string checkpoint = folder + "/training.safetensors";
  optim::save_checkpoint(checkpoint, {net, optimizer, nullptr, &default_generator()});
  const double straight_on = train_step(net, optimizer);

  Net other;
  optim::Adam other_optimizer(other.parameters());
  optim::load_checkpoint(checkpoint, {other, other_optimizer, nullptr, &default_generator()});
  const double resumed = train_step(other, other_optimizer);
  std::printf("next loss: %.17g, resumed: %.17g\n", straight_on, resumed);

  // A file of another model is refused with all that is wrong, and nothing changes. With strict = false names may be
  // missing or unknown, here every one of them, so that nothing is loaded: look at what is returned.
  nn::Linear linear(2, 3);
  std::cout << linear.load_state_dict(load(folder + "/weights.pt"), {.strict = false}) << '\n';
  try {
    linear.load_state_dict(load(folder + "/weights.pt"));
  } catch (const Error& error) {
    std::cout << error.what() << '\n';
  }
  std::filesystem::remove_all(folder);
  return straight_on == resumed ? 0 : 1;
}
