#include <gradus/core/error.hpp>
#include <gradus/core/parallel.hpp>

#include "parallel_for.hpp"

#include <atomic>
#include <thread>

namespace gradus {
namespace {

std::atomic<int>& threads() {
  static std::atomic<int> count{static_cast<int>(std::thread::hardware_concurrency())};
  return count;
}

}  // namespace

void set_num_threads(int n) {
  if (n < 1) throw ValueError("set_num_threads expects a positive integer, got " + std::to_string(n));
  threads() = n;
}

int get_num_threads() { return threads() < 1 ? 1 : threads().load(); }

namespace detail {

void run_chunks(int chunks, void (*task)(void*, int), void* context) {
  for (int chunk = 0; chunk < chunks; ++chunk) task(context, chunk);
}

int chunks_for(std::int64_t, std::int64_t) noexcept { return 1; }

}  // namespace detail
}  // namespace gradus
