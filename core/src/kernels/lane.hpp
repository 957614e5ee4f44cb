// A register of one element, for processors without vector kernels: what `lanes.hpp` asks of xsimd::batch and no more.
#pragma once

#include <cstddef>
#include <cstdint>

namespace gradus::body {
namespace {

template <class T>
struct Lane {
  static constexpr std::size_t size = 1;
  T value;
  Lane() = default;
  Lane(T v) : value(v) {}
  static Lane load_unaligned(const T* p) { return *p; }
  void store_unaligned(T* p) const { *p = value; }

  friend Lane operator+(Lane a, Lane b) { return a.value + b.value; }
  friend Lane operator-(Lane a, Lane b) { return a.value - b.value; }
  friend Lane operator*(Lane a, Lane b) { return a.value * b.value; }
  friend Lane operator/(Lane a, Lane b) { return a.value / b.value; }
  friend Lane operator-(Lane a) { return -a.value; }
  friend Lane operator<<(Lane a, int bits) { return a.value << bits; }
  friend Lane operator>>(Lane a, int bits) { return a.value >> bits; }
  friend Lane operator&(Lane a, Lane b) { return a.value & b.value; }
  friend Lane operator|(Lane a, Lane b) { return a.value | b.value; }
  friend bool operator>(Lane a, Lane b) { return a.value > b.value; }
  friend bool operator<=(Lane a, Lane b) { return a.value <= b.value; }
  friend bool operator==(Lane a, Lane b) { return a.value == b.value; }
};

inline bool all(bool which) { return which; }
template <class T>
Lane<T> select(bool which, Lane<T> yes, Lane<T> no) {
  return which ? yes : no;
}
template <class T>
Lane<T> min(Lane<T> a, Lane<T> b) {  // b where either is NaN, as the instruction of x86 has it
  return a.value < b.value ? a : b;
}
template <class T>
Lane<T> max(Lane<T> a, Lane<T> b) {
  return a.value > b.value ? a : b;
}
inline Lane<float> abs(Lane<float> a) { return __builtin_fabsf(a.value); }
inline Lane<double> abs(Lane<double> a) { return __builtin_fabs(a.value); }
inline Lane<float> sqrt(Lane<float> a) { return __builtin_sqrtf(a.value); }
inline Lane<double> sqrt(Lane<double> a) { return __builtin_sqrt(a.value); }

}  // namespace
}  // namespace gradus::body
