#include "random/fill.hpp"
#include "tensor/message.hpp"

#include <gradus/core/error.hpp>

#include <bit>
#include <cmath>
#include <cstring>
#include <numbers>
#include <random>
#include <string>
#include <thread>

namespace gradus {
namespace {

/// What PyTorch's generator writes, field by field. It keeps the waiting normal in `normal_y`; the fields without a
/// remark belong to older algorithms and are always zero.
struct SavedState {
  std::uint64_t initial_seed;
  std::int32_t left;    ///< draws up to and including the one that refills the words
  std::int32_t seeded;  ///< 1
  std::uint64_t next;   ///< index of the next word
  std::uint64_t words[624];
  double normal_x;
  double normal_y;
  double normal_rho;
  std::int32_t normal_is_valid;
  std::int32_t unused[3];
};
static_assert(sizeof(SavedState) == 5056 && std::endian::native == std::endian::little);

}  // namespace

void detail::Drawing::lock() noexcept {
  while (taken_.exchange(true, std::memory_order_acquire)) std::this_thread::yield();
}
void detail::Drawing::unlock() noexcept { taken_.store(false, std::memory_order_release); }

Generator& Generator::manual_seed(Seed seed) {
  const detail::Turn turn(*this);
  initial_seed_ = seed.value;
  waiting_normal_.reset();
  words_[0] = static_cast<std::uint32_t>(seed.value);
  for (std::uint32_t i = 1; i < words_.size(); ++i) {
    words_[i] = 1812433253U * (words_[i - 1] ^ (words_[i - 1] >> 30)) + i;
  }
  next_ = words_.size();
  return *this;
}

std::uint64_t Generator::seed() {
  std::random_device device;
  const std::uint64_t high = device();
  manual_seed(high << 32 | device());
  return initial_seed_;
}

void Generator::refill() {
  const std::size_t n = words_.size();
  constexpr std::size_t m = 397;
  const auto twist = [](std::uint32_t a, std::uint32_t b) {
    const std::uint32_t mixed = (a & 0x8000'0000) | (b & 0x7FFF'FFFF);
    return (mixed >> 1) ^ ((b & 1) * 0x9908'B0DF);
  };
  for (std::size_t i = 0; i < n - m; ++i) words_[i] = words_[i + m] ^ twist(words_[i], words_[i + 1]);
  for (std::size_t i = n - m; i < n - 1; ++i) words_[i] = words_[i + m - n] ^ twist(words_[i], words_[i + 1]);
  words_[n - 1] = words_[m - 1] ^ twist(words_[n - 1], words_[0]);
  next_ = 0;
}

double Generator::next_normal() {
  if (waiting_normal_) {
    const double value = *waiting_normal_;
    waiting_normal_.reset();
    return value;
  }
  const double u1 = next_double();
  const double u2 = next_double();
  const double radius = std::sqrt(-2.0 * std::log(1.0 - u2));
  const double angle = 2.0 * std::numbers::pi * u1;
  waiting_normal_ = radius * std::sin(angle);
  return radius * std::cos(angle);
}

std::vector<std::uint8_t> Generator::state() const {
  const detail::Turn turn(*this);
  SavedState saved{};
  saved.initial_seed = initial_seed_;
  saved.left = static_cast<std::int32_t>(words_.size() - next_ + 1);
  saved.seeded = 1;
  saved.next = next_;
  for (std::size_t i = 0; i < words_.size(); ++i) saved.words[i] = words_[i];
  saved.normal_y = waiting_normal_.value_or(0.0);
  saved.normal_is_valid = waiting_normal_.has_value();
  std::vector<std::uint8_t> bytes(sizeof saved);
  std::memcpy(bytes.data(), &saved, sizeof saved);
  return bytes;
}

void Generator::set_state(std::span<const std::uint8_t> state) {
  SavedState saved;
  if (state.size() != sizeof saved) {
    throw RuntimeError("set_state: expected the " + std::to_string(sizeof saved) + " bytes of a state(), got " +
                       std::to_string(state.size()));
  }
  std::memcpy(&saved, state.data(), sizeof saved);
  const auto size = static_cast<std::int32_t>(words_.size());
  detail::throw_if<RuntimeError>(saved.seeded != 1 || saved.left < 1 || saved.left > size,
                                 "Invalid mt19937 state\nPass the bytes that state() returned.");
  const detail::Turn turn(*this);
  initial_seed_ = saved.initial_seed;
  // PyTorch leaves `next` at 0 in a generator that has not drawn yet; `left` is right always.
  next_ = static_cast<std::size_t>(size - saved.left) + 1;
  for (std::size_t i = 0; i < words_.size(); ++i) words_[i] = static_cast<std::uint32_t>(saved.words[i]);
  waiting_normal_.reset();
  if (saved.normal_is_valid) waiting_normal_ = saved.normal_y;
}

Generator& default_generator() {
  static Generator generator = [] {
    Generator unforeseeable;
    unforeseeable.seed();
    return unforeseeable;
  }();
  return generator;
}

}  // namespace gradus
