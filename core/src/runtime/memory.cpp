// An allocator with size classes. Each thread has a cache of small blocks, which needs no lock: a free list for every
// class. What a thread cache does not hold, and all large blocks, is in the central cache, which all threads share. A
// block that is freed goes to the cache of the thread that frees it. Small blocks are parts of slabs.
#include "runtime/memory.hpp"

#include <array>
#include <atomic>
#include <bit>
#include <cstdint>
#include <mutex>
#include <new>

#ifdef __linux__
#include <sys/mman.h>
#endif

#ifdef __has_feature
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__
#endif
#endif

namespace gradus::detail {
namespace {

constexpr std::size_t alignment = 64;
[[maybe_unused]] constexpr std::size_t huge_page = std::size_t{2} << 20;  // of Linux

// Up to 1 KiB classes are 64 bytes apart, above there are eight to every power of two: at most an eighth is wasted.
constexpr std::size_t linear_limit = 1024, linear_classes = linear_limit / alignment;
constexpr std::size_t small_limit = 32 << 10;  // the largest block of a thread cache
constexpr std::size_t small_classes = linear_classes + 8 * 5, class_count = linear_classes + 8 * 44;

constexpr std::size_t class_of(std::size_t bytes) {
  const std::size_t last = bytes - (bytes != 0);
  if (last < linear_limit) return last / alignment;
  const auto power = static_cast<std::size_t>(std::bit_width(last)) - 1;
  return linear_classes + (power - 10) * 8 + ((last >> (power - 3)) & 7);
}
constexpr std::size_t class_bytes(std::size_t index) {
  if (index < linear_classes) return (index + 1) * alignment;
  const std::size_t power = (index - linear_classes) / 8 + 10;
  return ((index - linear_classes) % 8 + 9) << (power - 3);
}
static_assert(class_of(small_limit) == small_classes - 1 && class_of(small_limit + 1) == small_classes);
static_assert(class_bytes(small_classes - 1) == small_limit && class_bytes(class_of(1025)) == 1152);

struct Block {
  Block* next;
};
struct BlockList {
  Block* first = nullptr;
  Block* pop() {
    Block* block = first;
    if (block) first = block->next;
    return block;
  }
  void push(Block* begin, Block* last) {
    last->next = first;
    first = begin;
  }
};

std::atomic<std::size_t> system_calls{0};

/// Large blocks are mapped: given back to free(), they might stay resident. Null when there is no memory.
void* from_system(std::size_t bytes) {
  system_calls.fetch_add(1, std::memory_order_relaxed);
#ifdef __linux__
  if (bytes >= huge_page) {
    void* mapped = mmap(nullptr, bytes + huge_page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped == MAP_FAILED) return nullptr;
    char* const start = static_cast<char*>(mapped);
    const std::size_t before = -reinterpret_cast<std::uintptr_t>(start) % huge_page;
    if (before) munmap(start, before);
    munmap(start + before + bytes, huge_page - before);
    madvise(start + before, bytes, MADV_HUGEPAGE);
    return start + before;
  }
#endif
  return ::operator new(bytes, std::align_val_t(alignment), std::nothrow);
}

void to_system(void* block, std::size_t bytes) noexcept {
#ifdef __linux__
  if (bytes >= huge_page) {
    munmap(block, bytes);
    return;
  }
#endif
  static_cast<void>(bytes);
  ::operator delete(block, std::align_val_t(alignment));
}

/// The free blocks that all threads share.
class CentralCache {
 public:
  /// Up to `wanted` small blocks of a class, linked; at least one.
  Block* take(std::size_t index, std::size_t wanted) {
    const std::lock_guard lock(mutex_);
    SizeClass& of = classes_[index];
    BlockList taken;
    for (std::size_t i = 0; i < wanted; ++i) {
      Block* block = of.pop();
      if (!block) block = next_of_slab(of, class_bytes(index), taken.first == nullptr);
      if (!block) break;
      taken.push(block, block);
    }
    return taken.first;
  }

  void put(std::size_t index, Block* first, Block* last) noexcept {
    const std::lock_guard lock(mutex_);
    classes_[index].push(first, last);
  }

  void* take_large(std::size_t index) {
    const std::lock_guard lock(mutex_);
    const std::size_t bytes = class_bytes(index);
    Block* block = classes_[index].pop();
    if (block) {
      cached_ -= bytes;
    } else {
      // Free blocks of the wrong sizes never exceed what was once in use.
      if (cached_ > most_in_use_) release_large();
      block = static_cast<Block*>(from_system(bytes));
      if (!block) {
        release_large();
        block = static_cast<Block*>(from_system(bytes));
      }
      if (!block) throw std::bad_alloc();
    }
    in_use_ += bytes;
    if (in_use_ > most_in_use_) most_in_use_ = in_use_;
    return block;
  }

  void put_large(std::size_t index, Block* block) noexcept {
    const std::lock_guard lock(mutex_);
    in_use_ -= class_bytes(index);
    cached_ += class_bytes(index);
    classes_[index].push(block, block);
  }

  void empty() noexcept {
    const std::lock_guard lock(mutex_);
    release_large();
  }

 private:
  struct SizeClass : BlockList {
    char *fresh = nullptr, *end = nullptr;  // the part of the newest slab that has not been handed out
  };

  Block* next_of_slab(SizeClass& of, std::size_t bytes, bool new_slab_allowed) {
    if (static_cast<std::size_t>(of.end - of.fresh) < bytes) {
      if (!new_slab_allowed) return nullptr;
      const std::size_t slab = bytes <= linear_limit ? 64 << 10 : 4 * bytes;
      of.fresh = static_cast<char*>(from_system(slab));
      if (!of.fresh) {
        of.end = nullptr;
        throw std::bad_alloc();
      }
      of.end = of.fresh + slab;
    }
    of.fresh += bytes;
    return reinterpret_cast<Block*>(of.fresh - bytes);
  }

  void release_large() noexcept {
    for (std::size_t index = small_classes; index < class_count; ++index) {
      while (Block* block = classes_[index].pop()) to_system(block, class_bytes(index));
    }
    cached_ = 0;
  }

  std::mutex mutex_;
  std::array<SizeClass, class_count> classes_{};
  std::size_t in_use_ = 0, most_in_use_ = 0, cached_ = 0;  // bytes of large blocks
};

/// Never destroyed: it must outlive every other object.
CentralCache& central() {
  static CentralCache& shared = *new CentralCache;
  return shared;
}

/// The free blocks of one size class in a thread cache.
struct FreeList : BlockList {
  std::uint32_t room = 0;  // how many more fit
};
enum class CacheState : std::uint8_t { unused, in_use, closed };

// Trivial, so that reaching them costs nothing and they may be used until the very end of the thread.
constinit thread_local std::array<FreeList, small_classes> thread_cache{};
constinit thread_local CacheState cache_state = CacheState::unused;

constexpr std::uint32_t capacity_of(std::size_t index) {
  const std::size_t fit = (std::size_t{128} << 10) / class_bytes(index);
  return static_cast<std::uint32_t>(fit > 256 ? 256 : fit < 8 ? 8 : fit);
}

/// Returns the first `count` blocks of a class to the central cache.
void give_back(std::size_t index, std::uint32_t count) noexcept {
  if (count == 0) return;
  FreeList& list = thread_cache[index];
  Block *first = list.first, *last = first;
  for (std::uint32_t i = 1; i < count; ++i) last = last->next;
  list.first = last->next;
  list.room += count;
  central().put(index, first, last);
}

/// Empties the cache when the thread ends; what is freed after that goes to the central cache.
struct CacheLifetime {
  CacheLifetime() {
    cache_state = CacheState::in_use;
    for (std::size_t index = 0; index < small_classes; ++index) thread_cache[index].room = capacity_of(index);
  }
  ~CacheLifetime() {
    cache_state = CacheState::closed;
    for (std::size_t index = 0; index < small_classes; ++index) {
      give_back(index, capacity_of(index) - thread_cache[index].room);
      thread_cache[index].room = 0;
    }
  }
};
void open_cache() { static thread_local const CacheLifetime lifetime; }

[[gnu::noinline, maybe_unused]] void* refill(std::size_t index) {
  if (cache_state == CacheState::unused) open_cache();
  if (cache_state == CacheState::closed) return central().take(index, 1);
  Block* taken = central().take(index, capacity_of(index) / 2);
  FreeList& list = thread_cache[index];
  list.first = taken->next;
  for (Block* block = list.first; block; block = block->next) --list.room;
  return taken;
}

void push(FreeList& list, Block* block) {
  list.push(block, block);
  --list.room;
}

/// For a list without room.
[[gnu::noinline, maybe_unused]] void make_room_and_push(std::size_t index, Block* block) noexcept {
  if (cache_state == CacheState::unused) open_cache();
  if (cache_state == CacheState::closed) return central().put(index, block, block);
  if (thread_cache[index].room == 0) give_back(index, capacity_of(index) / 2);
  push(thread_cache[index], block);
}

}  // namespace

#ifdef __SANITIZE_ADDRESS__  // sees mistakes only when every block is given back

void* allocate(std::size_t bytes) { return ::operator new(bytes, std::align_val_t(alignment)); }
void deallocate(void* block, std::size_t) noexcept { ::operator delete(block, std::align_val_t(alignment)); }

#else

void* allocate(std::size_t bytes) {
  const std::size_t index = class_of(bytes);
  if (index >= small_classes) {
    if (index >= class_count) throw std::bad_alloc();
    return central().take_large(index);
  }
  FreeList& list = thread_cache[index];
  Block* block = list.pop();
  if (!block) return refill(index);
  ++list.room;
  return block;
}

void deallocate(void* block, std::size_t bytes) noexcept {
  if (!block) return;
  const std::size_t index = class_of(bytes);
  auto* freed = static_cast<Block*>(block);
  if (index >= small_classes) return central().put_large(index, freed);
  FreeList& list = thread_cache[index];
  if (list.room == 0) return make_room_and_push(index, freed);
  push(list, freed);
}

#endif

std::size_t system_allocations() noexcept { return system_calls.load(std::memory_order_relaxed); }

void empty_cache() noexcept { central().empty(); }

}  // namespace gradus::detail
