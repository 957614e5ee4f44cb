#include "random/fill.hpp"

#include "kernels/fused_product.hpp"

#include <concepts>
#include <numeric>
#include <utility>

namespace gradus::detail {
namespace {

template <class T>
T next_unit(Generator& generator) {
  if constexpr (std::same_as<T, float>) {
    return generator.next_float();
  } else {
    return generator.next_double();
  }
}

}  // namespace

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

template <>
void fill_integers(bool* out, std::int64_t n, Generator& generator) {
  for (std::int64_t i = 0; i < n; ++i) out[i] = generator.next_uint32() & 1;
}

template <>
void fill_integers(std::int64_t* out, std::int64_t n, Generator& generator) {
  for (std::int64_t i = 0; i < n; ++i) out[i] = static_cast<std::int64_t>(generator.next_uint64() & ~(1ULL << 63));
}

template <>
void fill_integers(float* out, std::int64_t n, Generator& generator) {
  for (std::int64_t i = 0; i < n; ++i) out[i] = static_cast<float>(generator.next_uint32() % ((1U << 24) + 1));
}

template <>
void fill_integers(double* out, std::int64_t n, Generator& generator) {
  for (std::int64_t i = 0; i < n; ++i) out[i] = static_cast<double>(generator.next_uint64() % ((1ULL << 53) + 1));
}

void fill_permutation(std::int64_t* out, std::int64_t n, Generator& generator) {
  std::iota(out, out + n, 0);
  for (std::int64_t i = 0; i < n - 1; ++i) std::swap(out[i], out[i + generator.next_uint32() % (n - i)]);
}

// Looked up, because a processor guesses a branch on random bits wrong half of the time.
template <class T>
constexpr T zero_or_one[] = {0, 1};

template <class T>
void fill_bernoulli(T* out, std::int64_t n, double p, Generator& generator) {
  for (std::int64_t i = 0; i < n; ++i) out[i] = zero_or_one<T>[generator.next_double() < p];
}

template <class T>
void fill_bernoulli(T* out, const T* p, std::int64_t n, Generator& generator) {
  for (std::int64_t i = 0; i < n; ++i) out[i] = zero_or_one<T>[next_unit<T>(generator) < p[i]];
}

template void fill_uniform(float*, std::int64_t, double, double, Generator&);
template void fill_uniform(double*, std::int64_t, double, double, Generator&);
template void fill_integers(bool*, std::int64_t, std::int64_t, std::int64_t, Generator&);
template void fill_integers(std::int64_t*, std::int64_t, std::int64_t, std::int64_t, Generator&);
template void fill_integers(float*, std::int64_t, std::int64_t, std::int64_t, Generator&);
template void fill_integers(double*, std::int64_t, std::int64_t, std::int64_t, Generator&);
template void fill_bernoulli(bool*, std::int64_t, double, Generator&);
template void fill_bernoulli(std::int64_t*, std::int64_t, double, Generator&);
template void fill_bernoulli(float*, std::int64_t, double, Generator&);
template void fill_bernoulli(double*, std::int64_t, double, Generator&);
template void fill_bernoulli(float*, const float*, std::int64_t, Generator&);
template void fill_bernoulli(double*, const double*, std::int64_t, Generator&);

}  // namespace gradus::detail
