// The draws behind every random tensor, over plain memory: n elements at `out` in row-major order. Arguments have been
// checked by the caller. Which words of the stream an element uses is part of the contract with PyTorch; in brackets
// the words an element costs.
#pragma once

#include "kernels/fused_product.hpp"
#include "kernels/isa.hpp"

#include <gradus/core/random.hpp>

#include <concepts>
#include <cstdint>
#include <limits>
#include <numeric>
#include <utility>

namespace gradus::detail {

/// While alive, the generator is this thread's; others wait. Not to be nested.
class Turn {
 public:
  explicit Turn(const Generator& generator) noexcept : drawing_(generator.drawing_) { drawing_.lock(); }
  ~Turn() { drawing_.unlock(); }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

 private:
  Drawing& drawing_;
};

template <class T>
T next_unit(Generator& generator) {
  if constexpr (std::same_as<T, float>) {
    return generator.next_float();
  } else {
    return generator.next_double();
  }
}

/// u (to - from) + from for u in [0, 1), everything rounded to T (float: 1, double: 2).
template <class T>
void fill_uniform(T* out, std::int64_t n, double from, double to, Generator& generator) {
  const T low = static_cast<T>(from);
  const T range = static_cast<T>(to) - low;
  if (low == 0 && range == 1) {
    for (std::int64_t i = 0; i < n; ++i) out[i] = next_unit<T>(generator);
    return;
  }
  for (std::int64_t i = 0; i < n; ++i) out[i] = detail::fused_product(next_unit<T>(generator), range, low);
}

/// Normal values (float: 1, double: 2, and another 16 elements' words when n is not a multiple of 16). Fewer than 16
/// elements come from `next_normal` instead (4 a pair).
template <class T>
void fill_normal(T* out, std::int64_t n, double mean, double std, Generator& generator);

/// Makes uniform values normal in blocks of 16: u1 in the first half of a block, u2 in the second. This is what
/// fill_normal does in float32; the bits do not depend on the instruction set.
void box_muller(float* x, std::int64_t blocks, double mean, double std, kernels::Isa isa = kernels::isa());

/// Integers in [from, to) for from < to (1, or 2 when to - from is 2^32 or more).
template <class T>
void fill_integers(T* out, std::int64_t n, std::int64_t from, std::int64_t to, Generator& generator) {
  const std::uint64_t low = static_cast<std::uint64_t>(from);
  const std::uint64_t range = static_cast<std::uint64_t>(to) - low;
  const auto place = [low](std::uint64_t offset) { return static_cast<T>(static_cast<std::int64_t>(low + offset)); };
  if (range >> 32 == 0) {
    const auto narrow = static_cast<std::uint32_t>(range);
    for (std::int64_t i = 0; i < n; ++i) out[i] = place(generator.next_uint32() % narrow);
  } else {
    for (std::int64_t i = 0; i < n; ++i) out[i] = place(generator.next_uint64() % range);
  }
}

/// Integers from 0 to the largest that T counts to without a gap: 2^63 - 1, 2^24, 2^53 or true
/// (bool, float: 1; int64, double: 2).
template <class T>
void fill_integers(T* out, std::int64_t n, Generator& generator) {
  constexpr int digits = std::numeric_limits<T>::digits;
  constexpr std::uint64_t count = (std::uint64_t{1} << digits) + std::floating_point<T>;
  for (std::int64_t i = 0; i < n; ++i) {
    const std::uint64_t word = digits < 32 ? generator.next_uint32() : generator.next_uint64();
    out[i] = static_cast<T>(static_cast<std::int64_t>(word % count));
  }
}

/// A permutation of 0 … n - 1 (n - 1 words in all).
inline void fill_permutation(std::int64_t* out, std::int64_t n, Generator& generator) {
  std::iota(out, out + n, 0);
  for (std::int64_t i = 0; i < n - 1; ++i) std::swap(out[i], out[i + generator.next_uint32() % (n - i)]);
}

// Looked up, because a processor guesses a branch on random bits wrong half of the time.
template <class T>
constexpr T zero_or_one[] = {0, 1};

/// 1 with probability p, else 0 (2).
template <class T>
void fill_bernoulli(T* out, std::int64_t n, double p, Generator& generator) {
  for (std::int64_t i = 0; i < n; ++i) out[i] = zero_or_one<T>[generator.next_double() < p];
}

/// 1 with probability p[i], else 0 (float: 1, double: 2).
template <class T>
void fill_bernoulli(T* out, const T* p, std::int64_t n, Generator& generator) {
  for (std::int64_t i = 0; i < n; ++i) out[i] = zero_or_one<T>[next_unit<T>(generator) < p[i]];
}

}  // namespace gradus::detail
