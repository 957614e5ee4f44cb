// Signals told apart by their shape: sines, squares, sawtooths and noise of any phase and frequency, by two
// convolutions with BatchNorm1d over (N, C, L); then the same net with BatchNorm folded into its convolutions.
#include "command_line.hpp"
#include "text.hpp"
#include "text_table.hpp"
#include "training.hpp"

#include <gradus/gradus.hpp>

#include <CLI/CLI.hpp>

#include <cmath>
#include <cstdio>

using namespace gradus;

namespace {

constexpr std::int64_t series_length = 64;
constexpr const char* kind_names[] = {"sine", "square", "sawtooth", "noise"};

double shape_of(std::int64_t kind, double turns, double noise) {
  const double turn = turns - std::floor(turns);
  switch (kind) {
    case 0: return std::sin(6.283185307179586 * turn);
    case 1: return turn < 0.5 ? 1 : -1;
    case 2: return 2 * turn - 1;
    default: return noise;
  }
}

/// Signals (N, 1, L), two to six periods long under noise, and their kinds (N).
TensorDataset<2> make_signals(std::int64_t n) {
  const Tensor kinds = randint(4, {n}), noise = randn({n, series_length}), start = rand({n}),
               periods = rand({n}) * 4 + 2;
  Tensor x = noise * 0.3;
  for (std::int64_t i = 0; i < n; ++i) {
    Tensor row = x[i];
    const Tensor other = randn({series_length});
    const double from = start[i].item(), speed = periods[i].item() / series_length;
    for (std::int64_t l = 0; l < series_length; ++l) {
      row.data<float>()[static_cast<std::size_t>(l)] += static_cast<float>(
          shape_of(kinds[i].item<std::int64_t>(), from + speed * static_cast<double>(l), other[l].item()));
    }
  }
  return TensorDataset(x.reshape({n, 1, series_length}), kinds);
}

nn::Sequential make_net() {
  return nn::Sequential{nn::Conv1d(1, 16, 9, {.padding = "same", .bias = false}),
                        nn::BatchNorm1d(16),
                        nn::ReLU(),
                        nn::MaxPool1d(2),
                        nn::Conv1d(16, 32, 5, {.padding = "same", .bias = false}),
                        nn::BatchNorm1d(32),
                        nn::ReLU(),
                        nn::AdaptiveAvgPool1d(1),
                        nn::Flatten(),
                        nn::Linear(32, 4)};
}

void train(nn::Sequential& net, const TensorDataset<2>& data, const TensorDataset<2>& test, int epochs) {
  optim::Adam optimizer(net.parameters(), {.lr = 0.01});
  DataLoader loader(data, {.batch_size = 64, .shuffle = true});
  const auto& [x, kinds] = test.tensors();
  for (int epoch = 1; epoch <= epochs; ++epoch) {
    const double loss = train_epoch(net, optimizer, loader);
    std::printf("epoch %d  loss %.4f  test %.2f %%\n", epoch, loss, 100 * evaluate(net, x, kinds).accuracy);
  }
}

/// The same net with BatchNorm folded away, and how often it is right about each kind.
void fuse_and_test(nn::Sequential& net, const TensorDataset<2>& test) {
  net.eval();
  nn::Sequential fused = fuse(net);
  const auto& [x, kinds] = test.tensors();
  const Tensor outputs = outputs_of(fused, x), classes = outputs.argmax(1);
  std::printf("\nfused: %zu layers instead of %zu, largest difference %.0e\n", fused.size(), net.size(),
              (outputs - outputs_of(net, x)).abs().max().item());
  TextTable table({"kind", "right"}, {.text_columns = 1});
  for (std::int64_t kind = 0; kind < 4; ++kind) {
    table.row(kind_names[kind], percent((classes == kind)[kinds == kind].to(float64).mean().item()));
  }
  std::printf("%s", table.text().c_str());
}

}  // namespace

int main(int argc, char** argv) {
  return run_program("13_time_series", [&] {
    int epochs = 6;
    std::int64_t count = 2000;
    CLI::App app("Learns to tell the shapes of signals apart.");
    app.add_option("--epochs", epochs)->check(CLI::Range(1, 1000));
    app.add_option("--count", count, "training signals")->check(CLI::Range(64, 1000000));
    parse_command_line(app, argc, argv);

    manual_seed(0);
    const TensorDataset<2> data = make_signals(count), test = make_signals(500);
    nn::Sequential net = make_net();
    std::printf("%s\n", nn::summary(net).c_str());
    train(net, data, test, epochs);
    fuse_and_test(net, test);
    return 0;
  });
}
