// Counts what a program asks of the C++ heap. It replaces operator new, so one source of a program includes it.
#pragma once

#include <atomic>
#include <cstdlib>
#include <new>

namespace gradus::test {

inline std::atomic<long> calls_of_new{0};

[[gnu::noinline]] inline void* counted(std::size_t bytes) {  // else g++ compares malloc with delete
  ++calls_of_new;
  if (void* block = std::malloc(bytes)) return block;
  throw std::bad_alloc();
}

}  // namespace gradus::test

void* operator new(std::size_t bytes) { return gradus::test::counted(bytes); }
void* operator new[](std::size_t bytes) { return gradus::test::counted(bytes); }
void operator delete(void* block) noexcept { std::free(block); }
void operator delete[](void* block) noexcept { std::free(block); }
void operator delete(void* block, std::size_t) noexcept { std::free(block); }
void operator delete[](void* block, std::size_t) noexcept { std::free(block); }
