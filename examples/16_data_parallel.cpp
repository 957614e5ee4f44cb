// A net with BatchNorm trained in several processes: mpirun -np 2 16_data_parallel. Each takes its rows of every batch,
// and all normalise over all rows, so the result is that of one process.
#include "images.hpp"
#include "timing.hpp"
#include "training.hpp"

#include <gradus/distributed.hpp>
#include <gradus/gradus.hpp>

#include <CLI/CLI.hpp>

#include <cstdio>

using namespace gradus;
using distributed::Communicator;

namespace {

struct Options {
  std::string data;
  std::int64_t epochs = 5, batch_size = 128;
  bool sync = true;
};

/// This process's part of the training; the seconds of each step.
std::vector<double> train(nn::Sequential& net, const Images& images, const Communicator& world, const Options& o) {
  optim::SGD optimizer(net.parameters(), {.lr = 0.1, .momentum = 0.9});
  Generator order(2);  // of the rows, the same in every process
  const DataLoader loader(
      TensorDataset(images.x, images.y),
      {.batch_size = o.batch_size, .shuffle = true, .generator = &order, .sampler = world.sampler()});
  std::vector<double> steps;
  std::int64_t rows = 0;
  for (std::int64_t epoch = 0; epoch < o.epochs; ++epoch) {
    for (auto& [x, y] : loader) {
      const double before = now();
      optimizer.zero_grad();
      nn::functional::cross_entropy(net(x), y).backward();
      distributed::average_gradients(net, x.size(0), world);
      optimizer.step();
      steps.push_back(now() - before);
      rows += x.size(0);
    }
  }
  const auto [messages, bytes, waited] = world.traffic();
  const auto count = static_cast<double>(steps.size());
  std::printf("rank %d of %d: %lld rows in %zu steps, %.1f messages and %.0f bytes a step, %.3f ms in them\n",
              world.rank(), world.size(), static_cast<long long>(rows), steps.size(),
              static_cast<double>(messages) / count, static_cast<double>(bytes) / count, 1000 * waited / count);
  std::fflush(stdout);
  return steps;
}

void run(const Communicator& world, const Options& o) {
  manual_seed(1);
  const ImageSet images = o.data.empty() ? load_digits(GRADUS_DATA_DIR "/digits.csv") : load_mnist(o.data);
  nn::Sequential net = make_mlp({images.height * images.width, 256, 128, 10});
  if (o.sync) distributed::convert_sync_batch_norm(net, world);
  distributed::broadcast(net, world);
  const double start = now();
  const std::vector<double> steps = train(net, images.train, world, o);
  world.barrier();
  const double seconds = now() - start;
  if (world.rank() > 0) return;
  const auto trained = static_cast<double>(images.train.y.numel() * o.epochs);
  const auto count = static_cast<std::int64_t>(steps.size());
  std::printf("%.2f %% of %lld test images right, %.0f rows a second in all, %.3f ms a step (median)\n",
              100 * evaluate(net, images.test.x, images.test.y).accuracy, static_cast<long long>(images.test.y.numel()),
              trained / seconds, 1000 * from_span(steps, count).sort(0).values[count / 2].item());
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
  return distributed::run([&](const Communicator& world) { run(world, options); });
}
