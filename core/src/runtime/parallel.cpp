// A pool of threads. A job is cut into chunks, and each thread that is free takes the next one, the caller too, so that
// a thread that wakes late delays nothing. After a job a thread spins for a moment before it sleeps, because waking it
// takes several microseconds.
#include "runtime/parallel_for.hpp"
#include "tensor/message.hpp"

#include <gradus/core/error.hpp>
#include <gradus/core/parallel.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#endif

namespace gradus {
namespace {

constexpr auto spin_time = std::chrono::microseconds(50);

void relax() {
#ifdef __x86_64__
  __builtin_ia32_pause();
#endif
}

/// Waits for ready() without sleeping, not longer than spin_time. Returns what ready() did in the end.
template <class Ready>
bool spin_until(Ready ready) {
  const auto until = std::chrono::steady_clock::now() + spin_time;
  do {
    for (int i = 0; i < 32; ++i, relax()) {
      if (ready()) return true;
    }
  } while (std::chrono::steady_clock::now() < until);
  return ready();
}

std::atomic<int> num_threads{detail::available_processors()};
constinit thread_local bool inside = false;

class Pool {
 public:
  /// False, with nothing done, while another thread uses the pool.
  bool run(int chunks, void (*task)(void*, int), void* context) {
    const std::unique_lock user(user_, std::try_to_lock);
    if (!user) return false;
    grow(chunks - 1);
    task_ = task;
    context_ = context;
    chunks_ = chunks;
    error_ = nullptr;
    unfinished_ = chunks;
    left_ = left_ / one_job * one_job + one_job + static_cast<std::uint64_t>(chunks);
    wake();
    while (work()) {
    }
    wait_for_others();
    if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
    return true;
  }

 private:
  void grow(int workers) {
    try {
      for (; workers_ < workers; ++workers_) std::thread([this] { serve(); }).detach();
    } catch (const std::system_error&) {
      // The caller does what no other thread can be had for.
    }
  }

  void serve() {
    inside = true;
    const auto work_left = [this] { return left_ % one_job != 0; };
    while (true) {
      if (!work() && !spin_until(work_left)) {
        std::unique_lock lock(mutex_);
        ++sleepers_;
        woken_.wait(lock, work_left);
        --sleepers_;
      }
    }
  }

  void wake() {
    if (sleepers_ == 0) return;
    const std::lock_guard lock(mutex_);
    woken_.notify_all();
  }

  /// Takes a chunk and does it; false when none is left. What the job is may be read once a chunk of it is ours: until
  /// that is finished, no other job begins.
  bool work() {
    std::uint64_t left = left_;
    do {
      if (left % one_job == 0) return false;
    } while (!left_.compare_exchange_weak(left, left - 1));
    const int chunk = chunks_ - static_cast<int>(left % one_job);
    try {
      task_(context_, chunk);
    } catch (...) {
      const std::lock_guard lock(mutex_);
      if (!error_) error_ = std::current_exception();
    }
    if (--unfinished_ == 0) {
      const std::lock_guard lock(mutex_);
      finished_.notify_one();
    }
    return true;
  }

  void wait_for_others() {
    const auto done = [this] { return unfinished_ == 0; };
    if (!spin_until(done)) {
      std::unique_lock lock(mutex_);
      finished_.wait(lock, done);
    }
  }

  static constexpr std::uint64_t one_job = std::uint64_t{1} << 32;
  std::mutex user_;  // held while a job runs
  void (*task_)(void*, int) = nullptr;
  void* context_ = nullptr;
  int chunks_ = 0, workers_ = 0;
  std::exception_ptr error_;
  std::atomic<std::uint64_t> left_{0};  // chunks nobody has taken, plus one_job times the number of the job
  std::atomic<int> unfinished_{0}, sleepers_{0};
  std::mutex mutex_;
  std::condition_variable woken_, finished_;
};

// Never destroyed: its threads may sleep in it until the process ends. A forked child has no such threads and starts
// anew.
std::atomic<Pool*> pool{nullptr};

Pool& the_pool() {
  if (Pool* existing = pool) return *existing;
  static std::mutex making;
  const std::lock_guard lock(making);
  if (!pool) {
#if defined(__unix__) || defined(__APPLE__)
    static const int forks = pthread_atfork(nullptr, nullptr, [] { pool = nullptr; });
    static_cast<void>(forks);
#endif
    pool = new Pool;
  }
  return *pool;
}

}  // namespace

void set_num_threads(int n) {
  detail::throw_if<ValueError>(n < 1, "set_num_threads expects a positive integer, got ", n);
  num_threads = n;
}

int get_num_threads() { return num_threads; }

namespace detail {

void run_chunks(int chunks, void (*task)(void*, int), void* context) {
  if (!inside) {
    struct Inside {
      Inside() { inside = true; }
      ~Inside() { inside = false; }
    } const guard;
    if (the_pool().run(chunks, task, context)) return;
  }
  for (int chunk = 0; chunk < chunks; ++chunk) task(context, chunk);
}

int chunks_for(std::int64_t items, std::int64_t grain) noexcept {
  return inside ? 1 : static_cast<int>(std::min<std::int64_t>(num_threads, items / grain));
}

}  // namespace detail
}  // namespace gradus
