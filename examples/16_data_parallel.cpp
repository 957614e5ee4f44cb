// A net with BatchNorm trained in several processes: mpirun -np 2 16_data_parallel. Each takes its rows of every batch,
// and all normalise over all rows, so the result is that of one process.
#include "images.hpp"

#include <gradus/distributed.hpp>
#include <gradus/gradus.hpp>

#include <CLI/CLI.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>

using namespace gradus;
using distributed::Communicator;

namespace {

struct Options {
  std::string data;
  std::int64_t epochs = 5, batch_size = 128, hidden = 100;
  bool sync = true;
};

double seconds() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

nn::Sequential make_net(std::int64_t pixels, const Options& options, const Communicator& world) {
  nn::Sequential net{nn::Linear(pixels, options.hidden), nn::BatchNorm1d(options.hidden), nn::ReLU(),
                     nn::Linear(options.hidden, 10)};
  if (options.sync) distributed::convert_sync_batch_norm(net, world);
  distributed::broadcast(net, world);
  return net;
}

double accuracy(const nn::Sequential& trained, const Images& test) {
  nn::Sequential net = trained;
  net.eval();
  const NoGradGuard no_grad;
  return (net(test.x).argmax(1) == test.y).to(float64).mean().item();
}

void train(const Communicator& world, const Options& options) {
  manual_seed(1);  // the same in every process: its order of rows is that of all
  const ImageSet images = options.data.empty() ? load_digits(GRADUS_DATA_DIR "/digits.csv") : load_mnist(options.data);
  nn::Sequential net = make_net(images.height * images.width, options, world);
  optim::SGD optimizer(net.parameters(), {.lr = 0.1, .momentum = 0.9});
  const DataLoader loader(TensorDataset(images.train.x, images.train.y),
                          {.batch_size = options.batch_size, .shuffle = true, .sampler = world.sampler()});
  std::int64_t rows = 0, steps = 0;
  double fastest = 1e9;
  const double start = seconds();
  for (std::int64_t epoch = 0; epoch < options.epochs; ++epoch) {
    for (auto& [x, y] : loader) {
      const double before = seconds();
      optimizer.zero_grad();
      nn::functional::cross_entropy(net(x), y).backward();
      distributed::average_gradients(net, x.size(0), world);
      optimizer.step();
      rows += x.size(0);
      ++steps;
      fastest = std::min(fastest, seconds() - before);
    }
  }
  world.barrier();
  const double time = seconds() - start;
  const auto [messages, bytes] = world.traffic();
  std::printf("rank %d of %d: %lld rows in %lld steps, %.1f messages and %.0f bytes a step\n", world.rank(),
              world.size(), static_cast<long long>(rows), static_cast<long long>(steps),
              static_cast<double>(messages) / static_cast<double>(steps),
              static_cast<double>(bytes) / static_cast<double>(steps));
  std::fflush(stdout);
  world.barrier();
  if (world.rank() == 0) {
    std::printf("%.2f %% of %lld test images right, %.0f rows a second in all, fastest step %.3f ms\n",
                100 * accuracy(net, images.test), static_cast<long long>(images.test.y.numel()),
                static_cast<double>(images.train.y.numel() * options.epochs) / time, 1000 * fastest);
  }
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app("Data-parallel training over MPI");
  app.add_option("--data", options.data, "Folder of MNIST's files, or of a set in its form; digits without it");
  app.add_option("--epochs", options.epochs)->check(CLI::PositiveNumber)->capture_default_str();
  app.add_option("--batch-size", options.batch_size, "Rows of a batch, in all processes together")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--hidden", options.hidden)->check(CLI::PositiveNumber)->capture_default_str();
  app.add_flag("!--no-sync", options.sync, "Let each process normalise over its own rows");
  CLI11_PARSE(app, argc, argv);
  return distributed::run([&](const Communicator& world) { train(world, options); });
}
