#include "runtime/memory.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <new>
#include <thread>
#include <utility>
#include <vector>

#ifdef __linux__
#include <unistd.h>
#endif

#ifdef __has_feature
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__
#elif __has_feature(thread_sanitizer)
#define __SANITIZE_THREAD__
#endif
#endif

namespace gradus::detail {
namespace {

constexpr std::array<std::size_t, 16> all_sizes{0,    1,    63,    64,    65,    200,    1024,    1025,
                                                1152, 4000, 32767, 32768, 32769, 100000, 2 << 20, (4 << 20) + 64};

TEST(Memory, BlocksAreAlignedAndHoldWhatWasAskedFor) {
  for (const std::size_t bytes : all_sizes) {
    void* block = allocate(bytes);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(block) % 64, 0u) << bytes;
    std::memset(block, 7, bytes);
    deallocate(block, bytes);
  }
}

TEST(Memory, LiveBlocksDoNotOverlap) {
  std::vector<std::pair<unsigned char*, std::size_t>> blocks;
  for (int round = 0; round < 30; ++round) {
    for (const std::size_t bytes : all_sizes) {
      if (bytes > 100000) continue;
      auto* block = static_cast<unsigned char*>(allocate(bytes));
      std::memset(block, static_cast<int>(blocks.size() % 251), bytes);
      blocks.emplace_back(block, bytes);
    }
  }
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    const auto [block, bytes] = blocks[i];
    for (std::size_t b = 0; b < bytes; ++b) ASSERT_EQ(block[b], i % 251) << "block " << i;
    deallocate(block, bytes);
  }
}

TEST(Memory, NullIsIgnored) { deallocate(nullptr, 100); }

#ifndef __SANITIZE_ADDRESS__

TEST(Memory, ImpossibleSizesThrow) { EXPECT_THROW(allocate(~std::size_t{0} / 2), std::bad_alloc); }

TEST(Memory, SteadyLoopNeverAsksTheSystem) {
  const auto loop = [] {
    std::vector<std::pair<void*, std::size_t>> blocks;
    for (int i = 0; i < 48; ++i)
      blocks.emplace_back(allocate(all_sizes[i % all_sizes.size()]), all_sizes[i % all_sizes.size()]);
    for (const auto& [block, bytes] : blocks) deallocate(block, bytes);
  };
  loop();
  const std::size_t before = system_allocations();
  for (int i = 0; i < 100; ++i) loop();
  EXPECT_EQ(system_allocations(), before);
}

TEST(Memory, BlocksFreedByAnotherThreadComeBack) {
  const auto pass_over = [] {
    std::vector<void*> blocks;
    for (int i = 0; i < 2000; ++i) blocks.push_back(allocate(192));
    std::thread([&] {
      for (void* block : blocks) deallocate(block, 192);
    }).join();
  };
  for (int i = 0; i < 3; ++i) pass_over();
  const std::size_t before = system_allocations();
  for (int i = 0; i < 50; ++i) pass_over();
  EXPECT_EQ(system_allocations(), before);
}

TEST(Memory, ThreadsLeaveNothingBehind) {
  const auto thread = [] {
    std::thread([] {
      for (const std::size_t bytes : {64, 640, 6400}) deallocate(allocate(bytes), bytes);
    }).join();
  };
  for (int i = 0; i < 3; ++i) thread();
  const std::size_t before = system_allocations();
  for (int i = 0; i < 50; ++i) thread();
  EXPECT_EQ(system_allocations(), before);
}

/// Allocates and frees when its thread has already handed back its blocks.
struct FreesLate {
  void* block = nullptr;
  ~FreesLate() {
    deallocate(block, 320);
    deallocate(allocate(320), 320);
  }
};

TEST(Memory, MayBeUsedWhileAThreadEnds) {
  const auto thread = [] {
    std::thread([] {
      static thread_local FreesLate late;  // made before the first block, hence destroyed after the cache
      late.block = allocate(320);
    }).join();
  };
  for (int i = 0; i < 3; ++i) thread();
  const std::size_t before = system_allocations();
  for (int i = 0; i < 50; ++i) thread();
  EXPECT_EQ(system_allocations(), before);
}

TEST(Memory, EmptyCacheGivesLargeBlocksBack) {
  constexpr std::size_t large = 3 << 20;
  deallocate(allocate(large), large);
  std::size_t before = system_allocations();
  deallocate(allocate(large), large);
  EXPECT_EQ(system_allocations(), before);
  empty_cache();
  deallocate(allocate(large), large);
  EXPECT_EQ(system_allocations(), before + 1);
}

#if defined(__linux__) && !defined(__SANITIZE_THREAD__)
std::size_t resident_bytes() {
  std::size_t total = 0, resident = 0;
  std::ifstream("/proc/self/statm") >> total >> resident;
  return resident * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

TEST(Memory, BlocksOfManySizesDoNotPileUp) {
  empty_cache();
  const std::size_t before = resident_bytes();
  constexpr std::size_t largest = 16 << 20;
  // One block at a time, ever larger: what was freed is of no use for the next, and comes to eight times the largest.
  for (std::size_t bytes = 1 << 20; bytes < largest; bytes += bytes / 7) {
    void* block = allocate(bytes);
    std::memset(block, 1, bytes);
    deallocate(block, bytes);
  }
  EXPECT_LT(resident_bytes() - before, 4 * largest);
}
#endif

#endif

}  // namespace
}  // namespace gradus::detail
