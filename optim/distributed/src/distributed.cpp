#include "group.hpp"
#include "tensor/message.hpp"

#include <gradus/core/autograd.hpp>
#include <gradus/distributed.hpp>
#include <gradus/nn/batch_norm.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>

namespace gradus::distributed {

using gradus::detail::message;

namespace {

std::atomic<double>& timeout_seconds() {
  static std::atomic<double> seconds = [] {
    const char* text = std::getenv("GRADUS_MPI_TIMEOUT");
    const double given = text ? std::atof(text) : 0;
    return given > 0 ? given : 300;
  }();
  return seconds;
}

/// A process without others.
class Alone final : public detail::Group {
 public:
  int rank() const override { return 0; }
  int size() const override { return 1; }
  void sum(std::span<double>) override {}
  void broadcast(std::span<std::byte>, int) override {}
  std::shared_ptr<Group> split(int, int) override { return std::make_shared<Alone>(); }
};

}  // namespace

namespace detail {

double timeout() noexcept { return timeout_seconds(); }

void report(const char* kind, const char* text) noexcept {
  // An error that all processes make is told by the first; it ends the others before they come to speak.
  if (world_rank() > 0) std::this_thread::sleep_for(std::chrono::milliseconds(500));
  std::fprintf(stderr, "gradus: rank %d of %d: %s: %s\n", world_rank(), world_size(), kind, text);
  std::fflush(stderr);
  if (world_size() > 1) abort_all();
}

void finish() { finish_mpi(); }

}  // namespace detail

void set_timeout(double seconds) {
  if (!(seconds > 0)) throw ValueError(message("set_timeout: expected a positive number of seconds, got ", seconds));
  timeout_seconds() = seconds;
}

Communicator::Communicator() : group_(std::make_shared<Alone>()) {}

Communicator Communicator::world() {
  static const std::shared_ptr<detail::Group> all = [] {
    auto group = detail::mpi_world();
    return group ? group : std::make_shared<Alone>();
  }();
  return Communicator(all);
}

Communicator Communicator::split(int color, int key) const {
  if (color < 0) throw ValueError(message("split: expected a color from 0 up, got ", color));
  return Communicator(group_->split(color, key));
}

double Communicator::sum(double value) const {
  group_->sum({&value, 1});
  return value;
}

void Communicator::broadcast(std::span<std::byte> bytes, int root) const {
  if (root < 0 || root >= size()) {
    throw ValueError(message("broadcast: expected a root from 0 to ", size() - 1, ", got ", root));
  }
  group_->broadcast(bytes, root);
}

namespace {

/// Calls f(bytes) with the elements of every tensor.
template <class F>
void for_each_bytes(const StateDict& state, F f) {
  for (const auto& [name, tensor] : state) {
    Tensor handle = tensor;
    gradus::visit(handle.dtype(), [&]<class T>(T*) { f(std::as_writable_bytes(handle.data<T>())); });
  }
}

std::string layout(const StateDict& state) {
  std::string text;
  for (const auto& [name, tensor] : state) text += message(name, " ", tensor.shape(), " ", tensor.dtype(), "\n");
  return text;
}

void check_layout(const std::string& own, const Communicator& communicator, int root) {
  std::uint64_t length = own.size();
  communicator.broadcast(std::as_writable_bytes(std::span(&length, 1)), root);
  std::string text = own;
  text.resize(length);
  communicator.broadcast(std::as_writable_bytes(std::span(text.data(), text.size())), root);
  if (const double others = communicator.sum(text == own ? 0.0 : 1.0); others > 0) {
    throw RuntimeError(message("broadcast: ", static_cast<std::int64_t>(others), " of ", communicator.size(),
                               " processes have another module than rank ", root,
                               "\nmake it with the same layers everywhere"));
  }
}

}  // namespace

void broadcast(nn::Module& module, const Communicator& communicator, int root) {
  const StateDict state = module.state_dict();
  check_layout(layout(state), communicator, root);
  std::vector<std::byte> all;
  for_each_bytes(state, [&all](std::span<std::byte> part) { all.insert(all.end(), part.begin(), part.end()); });
  communicator.broadcast(all, root);
  std::size_t at = 0;
  StateDict received;
  for (const auto& [name, tensor] : state) received[name] = tensor.clone();
  for_each_bytes(received, [&](std::span<std::byte> part) {
    std::memcpy(part.data(), all.data() + at, part.size());
    at += part.size();
  });
  module.load_state_dict(received);
}

void average_gradients(const std::vector<Tensor>& parameters, std::int64_t rows, const Communicator& communicator) {
  if (rows < 0) throw ValueError(message("average_gradients: expected a number of rows from 0 up, got ", rows));
  if (communicator.size() == 1) return;
  const NoGradGuard no_grad;
  std::vector<double> sums;  // rows g of every parameter, each followed by the rows of those that have a gradient
  for (const Tensor& p : parameters) {
    const bool here = rows > 0 && p.grad().defined();
    const std::size_t at = sums.size();
    sums.resize(at + static_cast<std::size_t>(p.numel()) + 1);
    if (!here) continue;
    const Tensor weighted = p.grad().detach().to(float64) * static_cast<double>(rows);
    std::ranges::copy(weighted.data<double>(), sums.begin() + static_cast<std::ptrdiff_t>(at));
    sums.back() = static_cast<double>(rows);
  }
  sums.push_back(static_cast<double>(rows));
  communicator.sum(sums);
  const double* at = sums.data();
  for (Tensor p : parameters) {
    const double* const values = at;
    at += p.numel() + 1;
    if (at[-1] == 0) continue;  // no process has a gradient of it
    Tensor mean = empty(p.shape(), float64);
    std::transform(values, at - 1, mean.data<double>().begin(), [&sums](double sum) { return sum / sums.back(); });
    if (p.grad().defined() && !p.grad().requires_grad()) {
      p.grad().copy_(mean);
    } else {
      p.set_grad(mean.to(p.dtype()));
    }
  }
}

void average_gradients(const nn::Module& module, std::int64_t rows, const Communicator& communicator) {
  average_gradients(module.parameters(), rows, communicator);
}

void convert_sync_batch_norm(nn::Module& module, const Communicator& communicator) {
  for (nn::Module* one : module.modules()) {
    if (auto* layer = dynamic_cast<nn::BatchNorm1d*>(one)) layer->set_sync(communicator);
  }
}

}  // namespace gradus::distributed
