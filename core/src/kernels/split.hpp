// How the work of kernels is cut for threads: never so that the number of threads could show in the result.
#pragma once

#include "runtime/memory.hpp"
#include "runtime/parallel_for.hpp"

#include <algorithm>

namespace gradus::kernels {

/// Below this many elements a second thread costs more than it brings.
constexpr std::int64_t grain = 1 << 16;

/// What an exponential costs, in elements of a loop that only adds.
constexpr std::int64_t exponential = 12;

/// f(first, last) over parts of [0, items), of which each costs as much as `elements` elements; all parts but the last
/// are a multiple of `unit` long.
template <class F>
void split(std::int64_t items, std::int64_t elements, std::int64_t unit, F f) {
  const bool small = items < grain && elements < grain && items * elements < 2 * grain;  // and a division saved
  detail::parallel_for(0, items, small ? items : std::max(unit, grain / std::max<std::int64_t>(elements, 1)), f, unit);
}

/// Memory for the length of a call; none when `count` is 0.
template <class T>
class Scratch {
 public:
  explicit Scratch(std::int64_t count) : bytes_(static_cast<std::size_t>(count) * sizeof(T)) {
    if (count > 0) data_ = static_cast<T*>(detail::allocate(bytes_));
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch() { detail::deallocate(data_, bytes_); }
  T* data() const { return data_; }

 private:
  std::size_t bytes_;
  T* data_ = nullptr;
};

}  // namespace gradus::kernels
