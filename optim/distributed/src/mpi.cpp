// MPI behind a Communicator.
#ifdef GRADUS_HAS_MPI

#include "group.hpp"

#include <mpi.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <exception>
#include <thread>

namespace gradus::distributed::detail {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

/// Waits for a request, and ends the job when the others do not come.
void wait(MPI_Request request, const char* call) {
  const Clock::time_point start = Clock::now();
  int done = 0;
  for (int tries = 0;; ++tries) {
    MPI_Test(&request, &done, MPI_STATUS_IGNORE);
    if (done) return;
    if (tries > 100) std::this_thread::yield();
    if (tries % 1000 == 0 && seconds_since(start) > timeout()) {
      std::fprintf(stderr,
                   "gradus: rank %d waited %g s for the others in %s: one of them ended, hangs, or makes other calls\n",
                   world_rank(), timeout(), call);
      abort_all();
    }
  }
}

class MpiGroup final : public Group {
 public:
  explicit MpiGroup(MPI_Comm communicator) : communicator_(communicator) {
    MPI_Comm_rank(communicator, &rank_);
    MPI_Comm_size(communicator, &size_);
  }
  int rank() const override { return rank_; }
  int size() const override { return size_; }

  void sum(std::span<double> values) override {
    for_each_part(values, [this](std::span<double> part) {
      MPI_Request request;
      MPI_Iallreduce(MPI_IN_PLACE, part.data(), static_cast<int>(part.size()), MPI_DOUBLE, MPI_SUM, communicator_,
                     &request);
      wait(request, "sum");
    });
  }
  void broadcast(std::span<std::byte> bytes, int root) override {
    for_each_part(bytes, [this, root](std::span<std::byte> part) {
      MPI_Request request;
      MPI_Ibcast(part.data(), static_cast<int>(part.size()), MPI_BYTE, root, communicator_, &request);
      wait(request, "broadcast");
    });
  }
  std::shared_ptr<Group> split(int color, int key) override {
    MPI_Request request;
    MPI_Ibarrier(communicator_, &request);  // split itself would wait for ever
    wait(request, "split");
    MPI_Comm part;
    MPI_Comm_split(communicator_, color, key, &part);
    return std::make_shared<MpiGroup>(part);
  }

 private:
  /// MPI counts in int, so large messages go in parts.
  template <class T, class F>
  void for_each_part(std::span<T> all, F f) {
    constexpr std::size_t most = std::size_t{1} << 28;
    const Clock::time_point start = Clock::now();
    for (std::size_t at = 0; at < all.size(); at += most) {
      f(all.subspan(at, std::min(most, all.size() - at)));
      ++traffic.messages;
    }
    traffic.bytes += static_cast<std::int64_t>(all.size_bytes());
    traffic.seconds += seconds_since(start);
  }

  MPI_Comm communicator_;
  int rank_ = 0, size_ = 1;
};

/// What nobody caught ends all processes, not only this one.
[[noreturn]] void on_terminate() {
  try {
    if (const std::exception_ptr error = std::current_exception()) std::rethrow_exception(error);
    report("terminate", "called without an exception");
  } catch (const Error& error) {
    report(std::string(error.kind()).c_str(), error.what());
  } catch (const std::exception& error) {
    report("exception", error.what());
  } catch (...) {
    report("exception", "of an unknown type");
  }
  abort_all();
  std::abort();
}

bool running() {
  int initialized = 0, finalized = 0;
  MPI_Initialized(&initialized);
  MPI_Finalized(&finalized);
  return initialized && !finalized;
}

}  // namespace

std::shared_ptr<Group> mpi_world() {
  if (!running()) {
    int provided = 0;
    MPI_Init_thread(nullptr, nullptr, MPI_THREAD_SERIALIZED, &provided);
    std::set_terminate(on_terminate);
    std::atexit(finish_mpi);
  }
  return world_size() > 1 ? std::make_shared<MpiGroup>(MPI_COMM_WORLD) : nullptr;
}

int world_rank() {
  int rank = 0;
  if (running()) MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  return rank;
}

int world_size() {
  int size = 1;
  if (running()) MPI_Comm_size(MPI_COMM_WORLD, &size);
  return size;
}

void abort_all() noexcept {
  if (running()) MPI_Abort(MPI_COMM_WORLD, 1);
}

void finish_mpi() {
  if (running()) MPI_Finalize();
}

}  // namespace gradus::distributed::detail

#endif
