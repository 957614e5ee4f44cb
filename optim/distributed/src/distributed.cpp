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

using gradus::detail::fail, gradus::detail::message, gradus::detail::throw_if;

namespace {

std::atomic<double> timeout_seconds = 300;

void read_timeout() {
  const char* text = std::getenv("GRADUS_MPI_TIMEOUT");
  if (!text) return;
  char* end = nullptr;
  const double seconds = std::strtod(text, &end);
  throw_if<ValueError>(end == text || *end != '\0' || !(seconds > 0),
                       "GRADUS_MPI_TIMEOUT: expected a positive number of seconds, got '", text, "'");
  timeout_seconds = seconds;
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

double timeout() noexcept { return timeout_seconds; }

void report(const char* kind, const char* text) noexcept {
  // An error that several processes make is told by the first of them; it ends the others before they come to speak.
  const int rank = world_rank();
  if (rank > 0) std::this_thread::sleep_for(std::chrono::milliseconds(std::min(200 + 300 * rank, 5000)));
  std::fprintf(stderr, "gradus: rank %d of %d: %s: %s\n", rank, world_size(), kind, text);
  std::fflush(stderr);
  if (world_size() > 1) abort_all();
}

void finish() { finish_mpi(); }

}  // namespace detail

void set_timeout(double seconds) {
  throw_if<ValueError>(!(seconds > 0), "set_timeout: expected a positive number of seconds, got ", seconds);
  timeout_seconds = seconds;
}

Communicator::Communicator() : group_(std::make_shared<Alone>()) {}

Communicator Communicator::world() {
  static const std::shared_ptr<detail::Group> all = [] {
    auto group = detail::mpi_world();
    read_timeout();
    return group ? group : std::make_shared<Alone>();
  }();
  return Communicator(all);
}

Communicator Communicator::split(int color, int key) const {
  throw_if<ValueError>(color < 0, "split: expected a color from 0 up, got ", color);
  return Communicator(group_->split(color, key));
}

double Communicator::sum(double value) const {
  group_->sum({&value, 1});
  return value;
}

void Communicator::broadcast(std::span<std::byte> bytes, int root) const {
  throw_if<ValueError>(root < 0 || root >= size(), "broadcast: expected a root from 0 to ", size() - 1, ", got ", root);
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
  const double others = communicator.sum(text == own ? 0.0 : 1.0);
  throw_if<RuntimeError>(others > 0, "broadcast: ", static_cast<std::int64_t>(others), " of ", communicator.size(),
                         " processes have another module than rank ", root,
                         "\nmake it with the same layers everywhere");
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
  throw_if<ValueError>(rows < 0, "average_gradients: expected a number of rows from 0 up, got ", rows);
  if (communicator.size() == 1) return;
  const NoGradGuard no_grad;
  // rows g of every parameter, each followed by the rows of the processes that have a gradient; then all rows.
  std::vector<Tensor> parts;
  for (const Tensor& p : parameters) {
    const bool counts = rows > 0 && p.grad().defined();
    parts.push_back(counts ? p.grad().to(float64).reshape(-1) * rows : zeros(p.numel(), float64));
    parts.push_back(full({1}, counts ? rows : 0, float64));
  }
  parts.push_back(full({1}, rows, float64));
  Tensor sums = cat(parts, 0);
  communicator.sum(sums.data<double>());
  const double share = 1 / sums[-1].item();
  std::int64_t at = 0;
  for (const Tensor& p : parameters) {
    const Tensor sum = sums.narrow(0, at, p.numel());
    at += p.numel() + 1;
    if (sums[at - 1].item() == 0) continue;  // no process has a gradient of it
    if (!p.grad().defined() || p.grad().requires_grad()) p.set_grad(empty_like(p.detach()));
    p.grad().copy_((sum * share).reshape(p.shape()));
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
