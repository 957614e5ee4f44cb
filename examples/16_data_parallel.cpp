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
  std::int64_t epochs = 5, batch_size = 128;
  bool sync = true;
};

double seconds() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

nn::Sequential make_net(std::int64_t pixels, const Options& options, const Communicator& world) {
  nn::Sequential net{nn::Linear(pixels, 256, {.bias = false}),
                     nn::BatchNorm1d(256),
                     nn::ReLU(),
                     nn::Linear(256, 128, {.bias = false}),
                     nn::BatchNorm1d(128),
                     nn::ReLU(),
                     nn::Linear(128, 10)};
  if (options.sync) distributed::convert_sync_batch_norm(net, world);
  distributed::broadcast(net, world);
  return net;
}

void train(const Communicator& world, const Options& options) {
  manual_seed(1);
  Generator order(2);  // of the rows, the same in every process
  const ImageSet images = options.data.empty() ? load_digits(GRADUS_DATA_DIR "/digits.csv") : load_mnist(options.data);
  nn::Sequential net = make_net(images.height * images.width, options, world);
  optim::SGD optimizer(net.parameters(), {.lr = 0.1, .momentum = 0.9});
  const DataLoader loader(
      TensorDataset(images.train.x, images.train.y),
      {.batch_size = options.batch_size, .shuffle = true, .generator = &order, .sampler = world.sampler()});
  std::int64_t rows = 0;
  std::vector<double> steps;  // seconds of each
  const double start = seconds();
  for (std::int64_t epoch = 0; epoch < options.epochs; ++epoch) {
    for (auto& [x, y] : loader) {
      const double before = seconds();
      optimizer.zero_grad();
      nn::functional::cross_entropy(net(x), y).backward();
      distributed::average_gradients(net, x.size(0), world);
      optimizer.step();
      rows += x.size(0);
      steps.push_back(seconds() - before);
    }
  }
  world.barrier();
  const double time = seconds() - start;
  const auto [messages, bytes, waited] = world.traffic();
  const auto count = static_cast<double>(steps.size());
  std::printf("rank %d of %d: %lld rows in %zu steps, %.1f messages and %.0f bytes a step, %.3f ms in them\n",
              world.rank(), world.size(), static_cast<long long>(rows), steps.size(),
              static_cast<double>(messages) / count, static_cast<double>(bytes) / count, 1000 * waited / count);
  std::fflush(stdout);
  world.barrier();
  if (world.rank() > 0) return;
  const auto middle = steps.begin() + static_cast<std::ptrdiff_t>(steps.size() / 2);
  std::nth_element(steps.begin(), middle, steps.end());
  std::printf("%.2f %% of %lld test images right, %.0f rows a second in all, %.3f ms a step (median)\n",
              100 * accuracy(net, images.test), static_cast<long long>(images.test.y.numel()),
              static_cast<double>(images.train.y.numel() * options.epochs) / time, 1000 * *middle);
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
  app.add_flag("!--no-sync", options.sync, "Let each process normalise over its own rows");
  CLI11_PARSE(app, argc, argv);
  return distributed::run([&](const Communicator& world) { train(world, options); });
}
