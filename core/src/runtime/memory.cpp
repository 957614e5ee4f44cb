// Blocks are sorted into size classes. Each thread keeps a few free small blocks of every class for itself and needs no
// lock for them; the rest, and all large blocks, lie in the store that all threads share. A block belongs to nobody: it
// is kept by whoever frees it.
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

constexpr std::size_t kAlignment = 64;
[[maybe_unused]] constexpr std::size_t kHugePage = std::size_t{2} << 20;  // of Linux

// Up to 1 KiB classes are 64 bytes apart, above there are eight to every power of two: at most an eighth is wasted.
constexpr std::size_t kLinear = 1024, kLinearClasses = kLinear / kAlignment;
constexpr std::size_t kSmall = 32 << 10;  // the largest block that threads keep
constexpr std::size_t kSmallClasses = kLinearClasses + 8 * 5, kClasses = kLinearClasses + 8 * 44;

constexpr std::size_t class_of(std::size_t bytes) {
  const std::size_t last = bytes - (bytes != 0);
  if (last < kLinear) return last / kAlignment;
  const auto power = static_cast<std::size_t>(std::bit_width(last)) - 1;
  return kLinearClasses + (power - 10) * 8 + ((last >> (power - 3)) & 7);
}
constexpr std::size_t class_bytes(std::size_t index) {
  if (index < kLinearClasses) return (index + 1) * kAlignment;
  const std::size_t power = (index - kLinearClasses) / 8 + 10;
  return ((index - kLinearClasses) % 8 + 9) << (power - 3);
}
static_assert(class_of(kSmall) == kSmallClasses - 1 && class_of(kSmall + 1) == kSmallClasses);
static_assert(class_bytes(kSmallClasses - 1) == kSmall && class_bytes(class_of(1025)) == 1152);

struct Block {
  Block* next;
};

std::atomic<std::size_t> system_calls{0};

/// Large blocks are mapped: given back to free(), they might stay resident. Null when there is no memory.
void* from_system(std::size_t bytes) {
  system_calls.fetch_add(1, std::memory_order_relaxed);
#ifdef __linux__
  if (bytes >= kHugePage) {
    void* mapped = mmap(nullptr, bytes + kHugePage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped == MAP_FAILED) return nullptr;
    char* const start = static_cast<char*>(mapped);
    const std::size_t before = -reinterpret_cast<std::uintptr_t>(start) % kHugePage;
    if (before) munmap(start, before);
    munmap(start + before + bytes, kHugePage - before);
    madvise(start + before, bytes, MADV_HUGEPAGE);
    return start + before;
  }
#endif
  return ::operator new(bytes, std::align_val_t(kAlignment), std::nothrow);
}

void to_system(void* block, std::size_t bytes) noexcept {
#ifdef __linux__
  if (bytes >= kHugePage) {
    munmap(block, bytes);
    return;
  }
#endif
  static_cast<void>(bytes);
  ::operator delete(block, std::align_val_t(kAlignment));
}

/// What all threads share.
class Store {
 public:
  /// Up to `wanted` small blocks of a class, linked; at least one.
  Block* take(std::size_t index, std::size_t wanted) {
    const std::lock_guard lock(mutex_);
    Shelf& shelf = shelves_[index];
    Block* taken = nullptr;
    for (std::size_t i = 0; i < wanted; ++i) {
      Block* block = shelf.pop();
      if (!block) block = carve(shelf, class_bytes(index), taken == nullptr);
      if (!block) break;
      block->next = taken;
      taken = block;
    }
    return taken;
  }

  void put(std::size_t index, Block* first, Block* last) noexcept {
    const std::lock_guard lock(mutex_);
    last->next = shelves_[index].free;
    shelves_[index].free = first;
  }

  void* take_large(std::size_t index) {
    const std::lock_guard lock(mutex_);
    const std::size_t bytes = class_bytes(index);
    Block* block = shelves_[index].pop();
    if (block) {
      cached_ -= bytes;
    } else {
      // What lies here in the wrong sizes never exceeds what was once in use.
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
    block->next = shelves_[index].free;
    shelves_[index].free = block;
  }

  void empty() noexcept {
    const std::lock_guard lock(mutex_);
    release_large();
  }

 private:
  struct Shelf {
    Block* free = nullptr;
    char *fresh = nullptr, *end = nullptr;  // the part of the newest slab that has not been handed out
    Block* pop() {
      Block* block = free;
      if (block) free = block->next;
      return block;
    }
  };

  Block* carve(Shelf& shelf, std::size_t bytes, bool new_slab_allowed) {
    if (static_cast<std::size_t>(shelf.end - shelf.fresh) < bytes) {
      if (!new_slab_allowed) return nullptr;
      const std::size_t slab = bytes <= kLinear ? 64 << 10 : 4 * bytes;
      shelf.fresh = static_cast<char*>(from_system(slab));
      if (!shelf.fresh) {
        shelf.end = nullptr;
        throw std::bad_alloc();
      }
      shelf.end = shelf.fresh + slab;
    }
    shelf.fresh += bytes;
    return reinterpret_cast<Block*>(shelf.fresh - bytes);
  }

  void release_large() noexcept {
    for (std::size_t index = kSmallClasses; index < kClasses; ++index) {
      while (Block* block = shelves_[index].pop()) to_system(block, class_bytes(index));
    }
    cached_ = 0;
  }

  std::mutex mutex_;
  std::array<Shelf, kClasses> shelves_{};
  std::size_t in_use_ = 0, most_in_use_ = 0, cached_ = 0;  // bytes of large blocks
};

/// Never destroyed: it must outlive every other object.
Store& store() {
  static Store& shared = *new Store;
  return shared;
}

/// The free small blocks of one thread.
struct Drawer {
  Block* free;
  std::uint32_t room;  // how many more fit
};
enum class Life : std::uint8_t { untouched, open, closed };

// Trivial, so that reaching them costs nothing and they may be used until the very end of the thread.
constinit thread_local std::array<Drawer, kSmallClasses> drawers{};
constinit thread_local Life life = Life::untouched;

constexpr std::uint32_t capacity_of(std::size_t index) {
  const std::size_t fit = (std::size_t{128} << 10) / class_bytes(index);
  return static_cast<std::uint32_t>(fit > 256 ? 256 : fit < 8 ? 8 : fit);
}

/// Hands the first `count` blocks of a drawer to the store.
void give_back(std::size_t index, std::uint32_t count) noexcept {
  if (count == 0) return;
  Drawer& drawer = drawers[index];
  Block *first = drawer.free, *last = first;
  for (std::uint32_t i = 1; i < count; ++i) last = last->next;
  drawer.free = last->next;
  drawer.room += count;
  store().put(index, first, last);
}

/// Empties the drawers when the thread ends; what is freed after that goes to the store.
struct Closing {
  Closing() {
    life = Life::open;
    for (std::size_t index = 0; index < kSmallClasses; ++index) drawers[index].room = capacity_of(index);
  }
  ~Closing() {
    life = Life::closed;
    for (std::size_t index = 0; index < kSmallClasses; ++index) {
      give_back(index, capacity_of(index) - drawers[index].room);
      drawers[index].room = 0;
    }
  }
};
void open_drawers() { static thread_local const Closing closing; }

[[gnu::noinline]] void* refill(std::size_t index) {
  if (life == Life::untouched) open_drawers();
  if (life == Life::closed) return store().take(index, 1);
  const std::uint32_t wanted = capacity_of(index) / 2;
  Block* taken = store().take(index, wanted);
  Drawer& drawer = drawers[index];
  drawer.free = taken->next;
  for (Block* block = drawer.free; block; block = block->next) --drawer.room;
  return taken;
}

[[gnu::noinline]] void put_away(std::size_t index, Block* block) noexcept {
  if (life == Life::untouched) open_drawers();
  if (life == Life::closed) return store().put(index, block, block);
  Drawer& drawer = drawers[index];
  if (drawer.room == 0) give_back(index, capacity_of(index) / 2);
  block->next = drawer.free;
  drawer.free = block;
  --drawer.room;
}

}  // namespace

#ifdef __SANITIZE_ADDRESS__  // sees mistakes only when every block is given back

void* allocate(std::size_t bytes) { return ::operator new(bytes, std::align_val_t(kAlignment)); }
void deallocate(void* block, std::size_t) noexcept { ::operator delete(block, std::align_val_t(kAlignment)); }

#else

void* allocate(std::size_t bytes) {
  const std::size_t index = class_of(bytes);
  if (index >= kSmallClasses) {
    if (index >= kClasses) throw std::bad_alloc();
    return store().take_large(index);
  }
  Drawer& drawer = drawers[index];
  Block* block = drawer.free;
  if (!block) return refill(index);
  drawer.free = block->next;
  ++drawer.room;
  return block;
}

void deallocate(void* block, std::size_t bytes) noexcept {
  if (!block) return;
  const std::size_t index = class_of(bytes);
  auto* freed = static_cast<Block*>(block);
  if (index >= kSmallClasses) return store().put_large(index, freed);
  Drawer& drawer = drawers[index];
  if (drawer.room == 0) return put_away(index, freed);
  freed->next = drawer.free;
  drawer.free = freed;
  --drawer.room;
}

#endif

std::size_t system_allocations() noexcept { return system_calls.load(std::memory_order_relaxed); }

void empty_cache() noexcept { store().empty(); }

}  // namespace gradus::detail
