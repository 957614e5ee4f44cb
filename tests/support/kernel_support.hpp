// What tests of kernels share: the instruction sets of this machine, buffers that notice writes beyond their ends, data
// with the awkward values, and comparison bit for bit.
#pragma once

#include "kernels/table.hpp"

#include <gradus/core/parallel.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <memory>
#include <new>
#include <ostream>
#include <random>
#include <span>
#include <vector>

namespace gradus::test {

using kernels::Isa;

inline std::vector<Isa> isas() {
  std::vector<Isa> supported;
  for (const Isa isa : {Isa::plain, Isa::neon, Isa::sse2, Isa::avx2, Isa::avx512}) {
    if (kernels::supported(isa)) supported.push_back(isa);
  }
  return supported;
}

/// The one whose bits the others have to give: that without vectors, if it is there.
inline Isa reference() { return isas().front(); }

/// The kernels of core for elements of T.
template <class T>
const kernels::Kernels<T>& kernels_of(Isa isa) {
  return kernels::table_for<kernels::Table>(isa)->of<T>();
}

/// f with null pointers of both floating elements.
template <class F>
void for_both_widths(F f) {
  f(static_cast<float*>(nullptr));
  f(static_cast<double*>(nullptr));
}

constexpr std::int64_t usual_lengths[] = {0, 1, 3, 15, 16, 17, 33, 257};

/// n elements that begin `offset` elements behind a 64-byte boundary, with marks before and behind them.
template <class T = float>
class Guarded {
 public:
  explicit Guarded(std::int64_t n, std::int64_t offset = 0)
      : first_(margin_size + static_cast<std::size_t>(offset)),
        size_(static_cast<std::size_t>(n)),
        block_(static_cast<T*>(::operator new((first_ + size_ + margin_size) * sizeof(T), std::align_val_t(64)))) {
    for (std::size_t i = 0; i < first_ + size_ + margin_size; ++i) block_[i] = margin_mark;
  }
  Guarded(const Guarded&) = delete;
  Guarded& operator=(const Guarded&) = delete;
  ~Guarded() {
    for (std::size_t i = 0; i < margin_size; ++i) {
      EXPECT_EQ(block_[first_ - 1 - i], margin_mark) << "written " << i + 1 << " elements before the beginning";
      EXPECT_EQ(block_[first_ + size_ + i], margin_mark) << "written " << i + 1 << " elements behind the end";
    }
    ::operator delete(block_, std::align_val_t(64));
  }
  T* data() { return block_ + first_; }
  T& operator[](std::int64_t i) { return data()[i]; }
  std::vector<T> values() { return {data(), data() + size_}; }
  void fill(const std::vector<T>& values) { std::copy(values.begin(), values.end(), data()); }

 private:
  static constexpr std::size_t margin_size = 64;
  static constexpr T margin_mark = static_cast<T>(-12345.75);
  std::size_t first_, size_;
  T* block_;
};

/// By Marsaglia's polar method; every standard library has a std::normal_distribution of its own.
template <class T = float>
std::vector<T> normal(std::int64_t n, std::uint32_t seed, double mean = 0, double std = 1) {
  std::mt19937 engine(seed);
  const auto uniform = [&engine] {  // in [-1, 1)
    const auto low = static_cast<double>(engine());
    return 2 * ((low + static_cast<double>(engine()) * 0x1p32) * 0x1p-64) - 1;
  };
  std::vector<T> values(static_cast<std::size_t>(n));
  for (std::size_t i = 0; i < values.size(); i += 2) {
    double x, y, square;
    do {
      x = uniform();
      y = uniform();
      square = x * x + y * y;
    } while (square > 1 || square == 0);
    const double scale = std::sqrt(-2 * std::log(square) / square);
    values[i] = static_cast<T>(y * scale * std + mean);
    if (i + 1 < values.size()) values[i + 1] = static_cast<T>(x * scale * std + mean);
  }
  return values;
}

/// Normal values with zeros of both signs, denormals, infinities, NaN and the ends of the range among them.
template <class T = float>
std::vector<T> awkward(std::int64_t n, std::uint32_t seed) {
  using Limits = std::numeric_limits<T>;
  constexpr T special[] = {T(0),
                           T(-0.0),
                           Limits::denorm_min(),
                           -Limits::min() / 100,
                           Limits::infinity(),
                           -Limits::infinity(),
                           Limits::quiet_NaN(),
                           Limits::max(),
                           Limits::lowest(),
                           Limits::min(),
                           T(1)};
  std::vector<T> values = normal<T>(n, seed, 0, 3);
  std::mt19937 engine(seed + 1);
  for (T& v : values) {
    if (engine() % 3 == 0) v = special[engine() % std::size(special)];
  }
  return values;
}

template <class T>
bool same_bits(T a, T b) {
  using Bits = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;
  return std::bit_cast<Bits>(a) == std::bit_cast<Bits>(b) || (a != a && b != b);
}

/// Equal bit for bit, except that one NaN is as good as another.
template <class T>
testing::AssertionResult same_bits(const std::vector<T>& got, const std::vector<T>& expected) {
  if (got.size() != expected.size()) return testing::AssertionFailure() << got.size() << " elements";
  for (std::size_t i = 0; i < got.size(); ++i) {
    if (!same_bits(got[i], expected[i])) {
      return testing::AssertionFailure() << "element " << i << " is " << got[i] << ", not " << expected[i];
    }
  }
  return testing::AssertionSuccess();
}

/// The distance of a number from the exact value, in units of the last place of the exact value.
template <class T>
double ulps(T got, long double exact) {
  using Limits = std::numeric_limits<T>;
  const T nearest = static_cast<T>(exact);
  if (nearest != nearest || std::isinf(nearest)) return same_bits(got, nearest) ? 0 : INFINITY;
  const int least = Limits::min_exponent - Limits::digits;
  const int place = nearest == 0 ? least : std::max(std::ilogb(nearest) - (Limits::digits - 1), least);
  return static_cast<double>(std::ldexp(std::fabs(static_cast<long double>(got) - exact), -place));
}

/// Tests of the threaded entries.
class Threaded : public testing::Test {
 protected:
  ~Threaded() override { set_num_threads(before_); }

  /// Runs `work`, which returns all it computes, with 1, 2 and 3 threads.
  template <class Work>
  void expect_equal(const char* name, Work work) {
    set_num_threads(1);
    const auto expected = work();
    for (const int threads : {2, 3}) {
      set_num_threads(threads);
      EXPECT_TRUE(same_bits(work(), expected)) << name << " with " << threads << " threads";
    }
  }

 private:
  int before_ = get_num_threads();
};

}  // namespace gradus::test

namespace gradus::kernels {

inline void PrintTo(Isa isa, std::ostream* out) { *out << isa_name(isa); }

}  // namespace gradus::kernels
