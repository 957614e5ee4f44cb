// Memory for tensors, their handles and graph nodes. Freed blocks are kept and handed out again, so a steady training
// loop asks the operating system for nothing.
#pragma once

#include <cstddef>

namespace gradus::detail {

/// A block of at least `bytes` bytes, aligned to 64 (to 2 MiB in huge pages when it is that large). Zero bytes are
/// allowed. Throws std::bad_alloc.
void* allocate(std::size_t bytes);

/// Takes back a block of `allocate(bytes)`, the same number, on any thread. A null pointer is ignored.
void deallocate(void* block, std::size_t bytes) noexcept;

/// How often `allocate` had to ask the system since the program started, over all threads.
std::size_t system_allocations() noexcept;

/// Gives the free large blocks (above 32 KiB) back to the system.
void empty_cache() noexcept;

}  // namespace gradus::detail
