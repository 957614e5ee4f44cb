// Training in several processes, each with its own rows of every batch: data-parallel training over MPI. Built without
// MPI (GRADUS_MPI), or started without mpirun, a program is its only process and runs as it is.
//
//   int main() {
//     return distributed::run([](const distributed::Communicator& world) {
//       nn::Sequential net{nn::Linear(64, 32), nn::BatchNorm1d(32, {.sync = world}), nn::ReLU(), nn::Linear(32, 10)};
//       distributed::broadcast(net, world);
//       optim::SGD optimizer(net.parameters(), {.lr = 0.1});
//       Generator order(0);  // of the rows, the same in every process
//       DataLoader loader(digits, {.batch_size = 64, .shuffle = true, .generator = &order, .sampler =
//       world.sampler()}); for (auto& [x, y] : loader) {
//         optimizer.zero_grad();
//         nn::functional::cross_entropy(net(x), y).backward();  // the mean over the rows of this process
//         distributed::average_gradients(net, x.size(0), world);
//         optimizer.step();
//       }
//     });
//   }
#pragma once

#include <gradus/core/data.hpp>
#include <gradus/nn/all_reduce.hpp>
#include <gradus/nn/module.hpp>

#include <cstddef>
#include <memory>

namespace gradus::distributed {

/// Messages that a process has taken part in, their bytes, and the seconds in them, also those of waiting for others.
struct Traffic {
  std::int64_t messages = 0, bytes = 0;
  double seconds = 0;
};

namespace detail {

class Group : public nn::AllReduce {
 public:
  virtual int rank() const = 0;
  virtual int size() const = 0;
  virtual void broadcast(std::span<std::byte> bytes, int root) = 0;
  virtual std::shared_ptr<Group> split(int color, int key) = 0;
  Traffic traffic;
};
void report(const char* kind, const char* text) noexcept;
void finish();

}  // namespace detail

/// Processes that work together; a handle, cheap to copy. All of them make the same calls in the same order. A call
/// that the others do not answer within the timeout ends the job with a message.
class Communicator {
 public:
  Communicator();  ///< this process alone
  /// All processes that mpirun started. The first call starts MPI, and sees to it that an exception that nobody catches
  /// ends all of them, with its message.
  static Communicator world();

  int rank() const { return group_->rank(); }  ///< from 0 to size() - 1
  int size() const { return group_->size(); }
  /// The processes that call this with the same color, ordered by key and rank. Throws ValueError for a negative color.
  Communicator split(int color, int key = 0) const;
  void sum(std::span<double> values) const { group_->sum(values); }  ///< values = their sums over all processes
  double sum(double value) const;
  void broadcast(std::span<std::byte> bytes, int root = 0) const;  ///< bytes = those of the process `root`
  void barrier() const { sum(0.0); }

  /// For DataLoaderOptions: this process's part of every batch.
  DistributedSampler sampler() const { return {.rank = rank(), .size = size()}; }
  /// For BatchNormOptions.
  operator std::shared_ptr<nn::AllReduce>() const { return group_; }
  Traffic traffic() const { return group_->traffic; }

 private:
  explicit Communicator(std::shared_ptr<detail::Group> group) : group_(std::move(group)) {}
  std::shared_ptr<detail::Group> group_;
};

/// How long a call waits for other processes, in seconds: at first 300, or the environment's GRADUS_MPI_TIMEOUT, of
/// which `world` throws ValueError when it is no positive number.
void set_timeout(double seconds);

/// Calls `body(world)` and returns the status that main is to return. An exception ends all processes, and its message
/// is printed once, with the rank.
template <class F>
int run(F body) {
  try {
    body(Communicator::world());
    detail::finish();
    return 0;
  } catch (const Error& error) {
    detail::report(std::string(error.kind()).c_str(), error.what());
  } catch (const std::exception& error) {
    detail::report("exception", error.what());
  }
  return 1;
}

/// Gives every process the parameters and buffers of `root`. Throws RuntimeError, in all of them, when the modules
/// differ in names, shapes or dtypes.
void broadcast(nn::Module& module, const Communicator& communicator, int root = 0);

/// Makes every gradient that of the loss of all rows together, for losses that are the mean over the rows of a process:
/// g = sum_r rows_r g_r / sum_r rows_r, in double, in one message. Processes without rows give nothing, whatever their
/// gradients are. A parameter without a gradient gets one if another process has one.
void average_gradients(const std::vector<Tensor>& parameters, std::int64_t rows, const Communicator& communicator);
void average_gradients(const nn::Module& module, std::int64_t rows, const Communicator& communicator);

/// From now on every BatchNorm1d of the module normalises over the batches of all processes.
void convert_sync_batch_norm(nn::Module& module, const Communicator& communicator);

}  // namespace gradus::distributed
