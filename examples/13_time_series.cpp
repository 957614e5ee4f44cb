// Signals told apart by their shape: sines, squares, sawtooths and noise of any phase and frequency, by two
// convolutions with BatchNorm1d over (N, C, L); then the same net with BatchNorm folded into its convolutions.
#include "command_line.hpp"
#include "text.hpp"
#include "text_table.hpp"

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

double accuracy(nn::Sequential& net, const TensorDataset<2>& data) {
  const nn::EvalGuard eval(net);
  const NoGradGuard no_grad;
  const auto& tensors = data.tensors();
  return (net(tensors[0]).argmax(1) == tensors[1]).to(float64).mean().item();
}

void train(nn::Sequential& net, const TensorDataset<2>& data, const TensorDataset<2>& test, int epochs) {
  optim::Adam optimizer(net.parameters(), {.lr = 0.01});
  DataLoader loader(data, {.batch_size = 64, .shuffle = true});
  for (int epoch = 1; epoch <= epochs; ++epoch) {
    double sum = 0;
    for (const auto& [x, kind] : loader) {
      optimizer.zero_grad();
      const Tensor loss = nn::functional::cross_entropy(net(x), kind);
      loss.backward();
      optimizer.step();
      sum += loss.item();
    }
    std::printf("epoch %d  loss %.4f  test %.2f %%\n", epoch, sum / static_cast<double>(loader.size()),
                100 * accuracy(net, test));
  }
}

}  // namespace

int main(int argc, char** argv) {
  return run_program("13_time_series", [&] {
    int epochs = 6;
    std::int64_t count = 2000;
    CLI::App app("Learns to tell the shapes of signals apart.");
    app.add_option("--epochs", epochs)->check(CLI::Range(1, 1000));
    app.add_option("--count", count, "training signals")->check(CLI::Range(64, 1000000));
    if (const auto status = parse_command_line(app, argc, argv)) return *status;

    manual_seed(0);
    const TensorDataset<2> data = make_signals(count), test = make_signals(500);
    nn::Sequential net = make_net();
    std::printf("%s\n", nn::summary(net).c_str());
    train(net, data, test, epochs);

    net.eval();
    const NoGradGuard no_grad;
    const nn::Sequential fused = fuse(net);
    const auto& tensors = test.tensors();
    const Tensor classes = fused(tensors[0]).argmax(1);
    std::printf("\nfused: %zu layers instead of %zu, largest difference %.0e\n", fused.size(), net.size(),
                (fused(tensors[0]) - net(tensors[0])).abs().max().item());
    TextTable table({"kind", "right"}, {.text_columns = 1, .plain = true});
    for (std::int64_t kind = 0; kind < 4; ++kind) {
      table.row(kind_names[kind], percent((classes == kind)[tensors[1] == kind].to(float64).mean().item()));
    }
    std::printf("%s", table.text().c_str());
    return 0;
  });
}
