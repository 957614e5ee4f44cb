// What a test does in every process: ranks WHAT [FILE], see run.sh. The rank that finds a mistake says so and ends the
// job.
#include <gradus/core/create.hpp>
#include <gradus/distributed.hpp>
#include <gradus/nn/activation.hpp>
#include <gradus/nn/batch_norm.hpp>
#include <gradus/nn/functional.hpp>
#include <gradus/nn/linear.hpp>
#include <gradus/optim/checkpoint.hpp>
#include <gradus/optim/lr_scheduler.hpp>
#include <gradus/optim/sgd.hpp>

#include <algorithm>
#include <cmath>
#include <csignal>
#include <cstdio>

using namespace gradus;
using distributed::Communicator;

namespace {

constexpr std::int64_t batch_rows = 24, features = 6, classes = 3;

nn::Sequential make_net(Dtype dtype, std::shared_ptr<nn::AllReduce> sync = nullptr) {
  manual_seed(1);
  nn::Sequential net{nn::Linear(features, 8), nn::BatchNorm1d(8, {.sync = sync}), nn::ReLU(),
                     nn::Linear(8, 5),        nn::BatchNorm1d(5, {.sync = sync}), nn::Linear(5, classes)};
  net.to(dtype);
  return net;
}

/// The rows from `begin` to `end` of every batch are those of a process.
struct Rows {
  std::int64_t begin, end;
};

Rows rows_of(const Communicator& world, const std::string& shards) {
  const int rank = world.rank(), size = world.size();
  if (shards == "equal") return {batch_rows * rank / size, batch_rows * (rank + 1) / size};
  // Process 0 has 5 rows, or none when shards are "empty"; the last has the rest, the others 4 each.
  const std::int64_t first = shards == "empty" ? 0 : 5;
  const auto begin = [&](int r) { return r == 0 ? 0 : r == size ? batch_rows : first + 4 * (r - 1); };
  return {begin(rank), begin(rank + 1)};
}

struct Training {
  Training(Dtype of_dtype, const Communicator& of, bool sync)
      : processes(of),
        net(make_net(of_dtype, sync ? std::shared_ptr<nn::AllReduce>(of) : nullptr)),
        optimizer(net.parameters(), {.lr = 0.1, .momentum = 0.9}),
        dtype(of_dtype) {}

  void step(int number, Rows rows) {
    Generator generator(static_cast<std::uint64_t>(number));
    const Tensor x = randn({batch_rows, features}, float64, generator).to(dtype) * 2 + 1;
    const Tensor y = randint(0, classes, {batch_rows}, int64, generator);
    optimizer.zero_grad();
    const Tensor logits = net(x.narrow(0, rows.begin, rows.end - rows.begin));
    nn::functional::cross_entropy(logits, y.narrow(0, rows.begin, rows.end - rows.begin)).backward();
    distributed::average_gradients(net, rows.end - rows.begin, processes);
    optimizer.step();
    schedule.step();
  }
  void steps(int from, int to, Rows rows) {
    for (int i = from; i < to; ++i) step(i, rows);
  }
  optim::TrainingState state() { return {net, optimizer, &schedule}; }

  Communicator processes;
  nn::Sequential net;
  optim::SGD optimizer;
  optim::ExponentialLR schedule{optimizer, 0.98};
  Dtype dtype;
};

constexpr Rows all_rows{0, batch_rows};

/// The largest difference of parameters and buffers, relative to the largest value of each.
double distance(const nn::Module& a, const nn::Module& b) {
  double worst = 0;
  const StateDict state = b.state_dict();
  for (const auto& [name, x] : a.state_dict()) {
    const Tensor wide = x.to(float64), other = state.at(name).to(float64);
    worst = std::max(worst, (wide - other).abs().max().item() / std::max(1e-300, other.abs().max().item()));
  }
  return worst;
}

void expect(bool right, const std::string& what) {
  if (!right) throw RuntimeError("wrong: " + what);
}

void equality(const Communicator& world) {
  for (const Dtype dtype : {float32, float64}) {
    Training alone(dtype, Communicator(), false);
    alone.steps(0, 50, all_rows);
    for (const std::string shards : {"equal", "unequal", "empty"}) {
      Training together(dtype, world, true);
      if (world.rank() > 0) together.net.parameters()[0].detach().fill_(world.rank());
      distributed::broadcast(together.net, world);
      together.steps(0, 50, rows_of(world, shards));
      const double difference = distance(together.net, alone.net);
      if (world.rank() == 0) {
        std::printf("| %d | %s | %s | %.1e |\n", world.size(), shards.c_str(), std::string(to_string(dtype)).c_str(),
                    difference);
      }
      expect(difference <= (dtype == float32 ? 1e-6 : 1e-13),
             shards + " shards differ by " + std::to_string(difference));
    }
  }
}

/// A gradient penalty: mean over the rows of |n dL/dx|^2, and its gradient.
void double_backward(const Communicator& world) {
  const auto gradients = [](Training& training, Rows rows) {
    Generator generator(7);
    const std::int64_t n = rows.end - rows.begin;
    const Tensor all = randn({batch_rows, features}, float64, generator),
                 up = randn({batch_rows, classes}, float64, generator);
    const Tensor x = all.narrow(0, rows.begin, n).clone().requires_grad_();
    const Tensor loss = (training.net(x) * up.narrow(0, rows.begin, n)).sum() / static_cast<double>(n);
    const Tensor dx = grad({loss}, {x}, {.create_graph = true})[0] * static_cast<double>(n);
    (dx.square().sum() / static_cast<double>(n)).backward();
    distributed::average_gradients(training.net, n, training.processes);
  };
  Training alone(float64, Communicator(), false), together(float64, world, true);
  gradients(alone, all_rows);
  gradients(together, rows_of(world, "unequal"));
  const auto expected = alone.net.parameters(), found = together.net.parameters();
  for (std::size_t i = 0; i < expected.size(); ++i) {
    if (!expected[i].grad().defined()) continue;
    const double scale = std::max(1e-12, expected[i].grad().abs().max().item());
    const double worst = (found[i].grad() - expected[i].grad()).abs().max().item();
    expect(worst <= 1e-11 * scale || worst <= 1e-13,
           "second derivative of parameter " + std::to_string(i) + " off by " + std::to_string(worst));
  }
}

/// Without sync each process normalises over its own n rows. The mean of n of N rows misses that of all by
/// sqrt(var / n (1 - n / N)) on average.
void without_sync(const Communicator& world) {
  Training alone(float64, Communicator(), false), together(float64, world, false);
  alone.steps(0, 50, all_rows);
  together.steps(0, 50, rows_of(world, "equal"));
  const double difference = distance(together.net, alone.net);
  if (world.rank() == 0) std::printf("without sync, %d processes: %.1e\n", world.size(), difference);
  if (world.size() > 1) expect(difference > 1e-2, "without sync the nets should differ");

  const Rows rows = rows_of(world, "equal");
  const double n = static_cast<double>(rows.end - rows.begin);
  Generator generator(3);
  double squares = 0, expected = 0;
  for (int i = 0; i < 4000; ++i) {
    const Tensor x = randn({batch_rows}, float64, generator);
    squares += std::pow(x.narrow(0, rows.begin, rows.end - rows.begin).mean().item() - x.mean().item(), 2);
    expected += x.var().item() / n * (1 - n / batch_rows);
  }
  if (world.size() > 1) expect(std::abs(squares / expected - 1) < 0.1, "the means of parts miss as theory says");
}

/// All processes must fail alike, and go on.
void refusals(const Communicator& world) {
  const auto refused = [](auto f, const char* beginning) {
    try {
      f();
    } catch (const Error& error) {
      return std::string(error.what()).starts_with(beginning);
    }
    return false;
  };
  const Communicator half = world.split(world.rank() % 2, -world.rank());  // in descending order
  expect(half.sum(1.0) == half.size() && half.size() == (world.size() + 1 - world.rank() % 2) / 2, "half of the world");
  expect(half.rank() == (half.size() - 1) - world.rank() / 2, "order in the half");
  nn::Linear other(2, world.rank() == 0 ? 3 : 4);
  if (world.size() > 1) expect(refused([&] { distributed::broadcast(other, world); }, "broadcast: "), "another module");
  nn::BatchNorm1d bn(2, {.sync = world});
  const Tensor x = full({world.rank() == 0 ? 1 : 0, 2}, 2.0);
  expect(refused([&] { bn(x); }, "Expected more than 1 value per channel"), "one value in all");
  expect(bn.num_batches_tracked.item() == 0, "a refused batch counts");
  expect(bn(zeros({0, 2})).shape() == Shape({0, 2}), "no rows at all");
  expect(bn.num_batches_tracked.item() == 0, "an empty batch counts");
}

void save(const Communicator& world, const std::string& file) {
  Training training(float64, world, true);
  training.steps(0, 10, rows_of(world, "unequal"));
  if (world.rank() == 0) optim::save_checkpoint(file, training.state());
  world.barrier();
}

void resume(const Communicator& world, const std::string& file) {
  Training alone(float64, Communicator(), false), together(float64, world, true);
  optim::load_checkpoint(file, together.state());
  alone.steps(0, 20, all_rows);
  together.steps(10, 20, rows_of(world, "unequal"));
  expect(distance(together.net, alone.net) <= 1e-13, "resumed on another number of processes");
  expect(together.optimizer.lr() == alone.optimizer.lr(), "rate");
}

void fail(const Communicator& world, const std::string& file) {
  Training training(float32, world, true);
  for (int i = 0;; ++i) {
    if (i == 20 && world.rank() == 1 && file == "throw") throw ValueError("this rank has had enough");
    if (i == 20 && file == "throw-all") throw ValueError("all ranks have had enough");
    if (i == 20 && world.rank() == 1) std::raise(SIGKILL);
    training.step(i, rows_of(world, "equal"));
    if (world.rank() == 0 && file.ends_with(".pt")) optim::save_checkpoint(file, training.state());
  }
}

/// One process answers too late.
void stall(const Communicator& world) {
  distributed::set_timeout(2);
  if (world.rank() == 1) std::raise(SIGSTOP);
  world.barrier();
}

}  // namespace

int main(int argc, char** argv) {
  const std::string what = argc > 1 ? argv[1] : "", file = argc > 2 ? argv[2] : "";
  return distributed::run([&](const Communicator& world) {
    if (what == "equality") equality(world), double_backward(world), refusals(world);
    if (what == "without-sync") without_sync(world);
    if (what == "save") save(world, file);
    if (what == "resume") resume(world, file);
    if (what == "load") optim::load_checkpoint(file, Training(float32, world, true).state());
    if (what == "fail") fail(world, file);
    if (what == "stall") stall(world);
  });
}
