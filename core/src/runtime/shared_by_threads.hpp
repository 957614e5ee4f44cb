// Changes of numbers that threads share. As long as the process has one thread they are plain loads and stores,
// which are faster than atomic changes; libstdc++ does the same for shared_ptr.
#pragma once

#include <atomic>
#include <type_traits>

#if __has_include(<sys/single_threaded.h>)
#include <sys/single_threaded.h>
#endif

namespace gradus::detail {

/// False where it is not known.
inline bool one_thread() noexcept {
#if __has_include(<sys/single_threaded.h>)
  return __libc_single_threaded;
#else
  return false;
#endif
}

/// As std::atomic_fetch_add_explicit.
template <class T>
T fetch_add(std::atomic<T>& sum, std::type_identity_t<T> n, std::memory_order order) noexcept {
  if (!one_thread()) return sum.fetch_add(n, order);
  const T before = sum.load(std::memory_order_relaxed);
  sum.store(before + n, std::memory_order_relaxed);
  return before;
}

/// As std::atomic_exchange_explicit.
template <class T>
T exchange(std::atomic<T>& of, std::type_identity_t<T> value, std::memory_order order) noexcept {
  if (!one_thread()) return of.exchange(value, order);
  const T before = of.load(std::memory_order_relaxed);
  of.store(value, std::memory_order_relaxed);
  return before;
}

}  // namespace gradus::detail
