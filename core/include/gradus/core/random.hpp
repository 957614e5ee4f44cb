// Random numbers: one seeded stream, the same words and bit for bit the same tensors as PyTorch draws on an x86-64
// processor, whatever processor runs it.
#pragma once

#include <gradus/core/tensor.hpp>

#include <array>
#include <atomic>
#include <concepts>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace gradus {

/// Any integer from -2^63 to 2^64 - 1. A negative one counts modulo 2^64, as in PyTorch.
struct Seed {
  template <std::integral T>
  constexpr Seed(T seed) : value(static_cast<std::uint64_t>(seed)) {}
  std::uint64_t value;
};

namespace detail {
class Turn;

/// Whether a thread is drawing, which is no part of a stream: copies have a flag of their own, and all are equal.
class Drawing {
 public:
  Drawing() = default;
  Drawing(const Drawing&) noexcept {}
  Drawing& operator=(const Drawing&) noexcept { return *this; }
  friend bool operator==(const Drawing&, const Drawing&) { return true; }
  void lock() noexcept;
  void unlock() noexcept;

 private:
  std::atomic<bool> taken_ = false;
};

}  // namespace detail

/// A stream of random numbers: the Mersenne twister MT19937, started from the low 32 bits of a seed.
/// A copy continues with the same numbers on its own. Two generators are equal when they continue alike and were given
/// the same seed.
/// Threads may share a generator: each draw of a tensor takes its numbers in one piece. Copying it, and the `next_`
/// functions, which are for one number, are for one thread at a time. Source: M. Matsumoto, T. Nishimura (1998),
/// doi:10.1145/272991.272995; draws and state as `torch.Generator`.
class Generator {
 public:
  static constexpr std::int64_t default_seed = 67280421310721;

  explicit Generator(Seed seed = default_seed) { manual_seed(seed); }

  /// Starts the stream of this seed from its beginning.
  Generator& manual_seed(Seed seed);
  /// Starts a stream that nobody can foresee and returns its seed.
  std::uint64_t seed();
  /// The seed this stream was started with.
  std::uint64_t initial_seed() const { return initial_seed_; }

  /// 32 random bits: one word, the unit in which the stream is counted.
  std::uint32_t next_uint32();
  /// 64 random bits: two words, the high half first.
  std::uint64_t next_uint64();
  /// A multiple of 2^-24 in [0, 1): one word.
  float next_float() { return static_cast<float>(next_uint32() & 0xFF'FFFF) * 0x1p-24F; }
  /// A multiple of 2^-53 in [0, 1): two words.
  double next_double() { return static_cast<double>(next_uint64() & 0x1F'FFFF'FFFF'FFFF) * 0x1p-53; }
  /// A standard normal value. They come in pairs, four words a pair; the second of a pair waits for the next call.
  /// Source: G. Box, M. Muller (1958), doi:10.1214/aoms/1177706645.
  double next_normal();

  /// All there is to know about the stream, as the 5056 bytes of PyTorch's `get_state()`: each side reads the other's.
  std::vector<std::uint8_t> state() const;
  /// Continues where the generator that gave this `state()` stood.
  /// Throws RuntimeError, the stream unchanged, when the bytes are not such a state.
  void set_state(std::span<const std::uint8_t> state);

  friend bool operator==(const Generator&, const Generator&) = default;

 private:
  friend class detail::Turn;
  void refill();

  std::array<std::uint32_t, 624> words_;
  std::size_t next_;  ///< index of the next word; at the end of words_ a refill is due
  std::uint64_t initial_seed_;
  std::optional<double> waiting_normal_;
  mutable detail::Drawing drawing_;
};

inline std::uint32_t Generator::next_uint32() {
  if (next_ == words_.size()) refill();
  std::uint32_t word = words_[next_++];
  word ^= word >> 11;
  word ^= (word << 7) & 0x9D2C'5680;
  word ^= (word << 15) & 0xEFC6'0000;
  return word ^ (word >> 18);
}

inline std::uint64_t Generator::next_uint64() {
  const std::uint64_t high = next_uint32();
  return high << 32 | next_uint32();
}

/// The generator of every draw that is not given one. Its seed cannot be foreseen until `manual_seed` sets it.
/// The process has one. Threads may draw from it at the same time, but which numbers each of them gets is then chance:
/// for repeatable ones give each a generator of its own, which every function here takes.
Generator& default_generator();

/// Seeds the default generator: from here on everything drawn is reproducible. As `torch.manual_seed`.
inline Generator& manual_seed(Seed seed) { return default_generator().manual_seed(seed); }

// --- new tensors. The draws fill them in row-major order; in-place forms below with the same arguments draw the same.
// A Shape with a negative extent throws RuntimeError.

/// Uniform in [0, 1). Throws RuntimeError unless `dtype` is floating.
Tensor rand(const Shape& shape, Dtype dtype = float32, Generator& generator = default_generator());
/// Normal with mean 0 and standard deviation 1. Throws RuntimeError unless `dtype` is floating.
Tensor randn(const Shape& shape, Dtype dtype = float32, Generator& generator = default_generator());
/// Integers in [low, high), each as likely as the others. Throws RuntimeError as `random_`.
Tensor randint(std::int64_t low, std::int64_t high, const Shape& shape, Dtype dtype = int64,
               Generator& generator = default_generator());
inline Tensor randint(std::int64_t high, const Shape& shape, Generator& generator = default_generator()) {
  return randint(0, high, shape, int64, generator);
}
/// The int64 numbers 0 … n - 1 in random order. Throws RuntimeError for a negative n.
Tensor randperm(std::int64_t n, Generator& generator = default_generator());
/// `num_samples` places of every row of `weights`, a vector or a matrix: int64 (…, num_samples). A place is drawn in
/// proportion to its weight; without `replacement` no place twice.
/// Throws RuntimeError for weights that are negative, not finite or all 0, and for more samples than places.
Tensor multinomial(const Tensor& weights, std::int64_t num_samples, bool replacement = false,
                   Generator& generator = default_generator());
/// Normal, every element with a mean and a standard deviation of its own; the shapes broadcast. Outside the graph.
/// Throws RuntimeError unless they are floating and std >= 0.
Tensor normal(const Tensor& mean, const Tensor& std, Generator& generator = default_generator());
Tensor normal(const Tensor& mean, double std = 1, Generator& generator = default_generator());
Tensor normal(double mean, const Tensor& std, Generator& generator = default_generator());
Tensor normal(double mean, double std, const Shape& shape, Dtype dtype = float32,
              Generator& generator = default_generator());
/// 1 with the probability given for that element, else 0; shape and dtype of `p`, outside the graph.
/// Throws RuntimeError unless p is floating and all of it lies in [0, 1].
Tensor bernoulli(const Tensor& p, Generator& generator = default_generator());

// --- in place, on the tensor behind the handle. All throw RuntimeError where Tensor's in-place operations do, and draw
// nothing then.

/// Uniform in [from, to). Throws RuntimeError unless x is floating and from <= to, to - from finite in its dtype.
Tensor uniform_(Tensor x, double from = 0, double to = 1, Generator& generator = default_generator());
/// Normal. Throws RuntimeError unless x is floating and std >= 0.
Tensor normal_(Tensor x, double mean = 0, double std = 1, Generator& generator = default_generator());
/// Integers in [from, to). Throws RuntimeError unless from < to and the dtype holds both ends.
Tensor random_(Tensor x, std::int64_t from, std::int64_t to, Generator& generator = default_generator());
/// Integers from 0 to the last to which x's dtype counts without a gap: 1, 2^63 - 1, 2^24 or 2^53.
Tensor random_(Tensor x, Generator& generator = default_generator());
/// 1 with probability p, else 0, in any dtype. Throws RuntimeError unless p is in [0, 1].
Tensor bernoulli_(Tensor x, double p = 0.5, Generator& generator = default_generator());

}  // namespace gradus
