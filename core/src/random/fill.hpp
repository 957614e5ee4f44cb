// The draws behind every random tensor, over plain memory: n elements at `out` in row-major order. Arguments have been
// checked by the caller. Which words of the stream an element uses is part of the contract with PyTorch; in brackets
// the words an element costs.
#pragma once

#include "kernels/isa.hpp"

#include <gradus/core/random.hpp>

#include <cstdint>

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

/// u (to - from) + from for u in [0, 1), everything rounded to T (float: 1, double: 2).
template <class T>
void fill_uniform(T* out, std::int64_t n, double from, double to, Generator& generator);

/// Normal values (float: 1, double: 2, and another 16 elements' words when n is not a multiple of 16). Fewer than 16
/// elements come from `next_normal` instead (4 a pair).
template <class T>
void fill_normal(T* out, std::int64_t n, double mean, double std, Generator& generator);

/// Makes uniform values normal in blocks of 16: u1 in the first half of a block, u2 in the second. This is what
/// fill_normal does in float32; the bits do not depend on the instruction set.
void box_muller(float* x, std::int64_t blocks, double mean, double std, kernels::Isa isa = kernels::isa());

/// Integers in [from, to) for from < to (1, or 2 when to - from is 2^32 or more).
template <class T>
void fill_integers(T* out, std::int64_t n, std::int64_t from, std::int64_t to, Generator& generator);

/// Integers from 0 to the largest that T counts to without a gap: 2^63 - 1, 2^24, 2^53 or true
/// (bool, float: 1; int64, double: 2).
template <class T>
void fill_integers(T* out, std::int64_t n, Generator& generator);

/// A permutation of 0 … n - 1 (n - 1 words in all).
void fill_permutation(std::int64_t* out, std::int64_t n, Generator& generator);

/// 1 with probability p, else 0 (2).
template <class T>
void fill_bernoulli(T* out, std::int64_t n, double p, Generator& generator);

/// 1 with probability p[i], else 0 (float: 1, double: 2).
template <class T>
void fill_bernoulli(T* out, const T* p, std::int64_t n, Generator& generator);

}  // namespace gradus::detail
