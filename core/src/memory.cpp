#include "memory.hpp"

#include <atomic>
#include <cstdlib>
#include <new>

namespace gradus::detail {
namespace {

std::atomic<std::size_t> system_calls{0};

}  // namespace

void* allocate(std::size_t bytes) {
  system_calls.fetch_add(1, std::memory_order_relaxed);
  void* block = std::aligned_alloc(64, (bytes + 63) / 64 * 64 + (bytes == 0 ? 64 : 0));
  if (!block) throw std::bad_alloc();
  return block;
}

void deallocate(void* block, std::size_t) noexcept { std::free(block); }

std::size_t system_allocations() noexcept { return system_calls.load(std::memory_order_relaxed); }

void empty_cache() noexcept {}

}  // namespace gradus::detail
