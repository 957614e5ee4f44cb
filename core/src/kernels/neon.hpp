// A NEON register: what `lanes.hpp` asks of xsimd::batch and no more. xsimd's own divides floats, and takes their
// square roots, by estimates that it refines, to other bits than those of the right result.
#pragma once

#include <arm_neon.h>

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace gradus::body {
namespace {

inline float32x4_t vector_of(float v) { return vdupq_n_f32(v); }
inline float64x2_t vector_of(double v) { return vdupq_n_f64(v); }
inline uint32x4_t vector_of(std::uint32_t v) { return vdupq_n_u32(v); }
inline uint64x2_t vector_of(std::uint64_t v) { return vdupq_n_u64(v); }

template <class T>
struct Neon {
  using Vector = decltype(vector_of(T()));
  using Mask = std::conditional_t<sizeof(T) == 4, uint32x4_t, uint64x2_t>;  // all bits of a lane, or none
  static constexpr std::size_t size = 16 / sizeof(T);
  Vector value;
  Neon() = default;
  Neon(Vector v) : value(v) {}
  Neon(T v) : value(vector_of(v)) {}
  static Neon load_unaligned(const T* p) {
    Neon a;
    __builtin_memcpy(&a.value, p, sizeof(Vector));
    return a;
  }
  void store_unaligned(T* p) const { __builtin_memcpy(p, &value, sizeof(Vector)); }

  friend Neon operator+(Neon a, Neon b) { return a.value + b.value; }
  friend Neon operator-(Neon a, Neon b) { return a.value - b.value; }
  friend Neon operator*(Neon a, Neon b) { return a.value * b.value; }
  friend Neon operator/(Neon a, Neon b) { return a.value / b.value; }
  friend Neon operator-(Neon a) { return -a.value; }
  friend Neon operator<<(Neon a, int bits) { return a.value << static_cast<T>(bits); }
  friend Neon operator>>(Neon a, int bits) { return a.value >> static_cast<T>(bits); }
  friend Neon operator&(Neon a, Neon b) { return a.value & b.value; }
  friend Neon operator|(Neon a, Neon b) { return a.value | b.value; }
  friend Mask operator>(Neon a, Neon b) { return __builtin_bit_cast(Mask, a.value > b.value); }
  friend Mask operator<=(Neon a, Neon b) { return __builtin_bit_cast(Mask, a.value <= b.value); }
  friend Mask operator==(Neon a, Neon b) { return __builtin_bit_cast(Mask, a.value == b.value); }
};

inline bool all(uint32x4_t which) { return vminvq_u32(which) != 0; }
inline bool all(uint64x2_t which) { return vminvq_u32(vreinterpretq_u32_u64(which)) != 0; }
inline Neon<float> select(uint32x4_t which, Neon<float> yes, Neon<float> no) {
  return vbslq_f32(which, yes.value, no.value);
}
inline Neon<double> select(uint64x2_t which, Neon<double> yes, Neon<double> no) {
  return vbslq_f64(which, yes.value, no.value);
}
inline Neon<float> fuse(Neon<float> a, Neon<float> b, Neon<float> c) { return vfmaq_f32(c.value, a.value, b.value); }
inline Neon<double> fuse(Neon<double> a, Neon<double> b, Neon<double> c) {
  return vfmaq_f64(c.value, a.value, b.value);
}
template <class T>
Neon<T> min(Neon<T> a, Neon<T> b) {  // b where either is NaN, as the instruction of x86 has it
  return select(b > a, a, b);
}
template <class T>
Neon<T> max(Neon<T> a, Neon<T> b) {
  return select(a > b, a, b);
}
inline Neon<float> abs(Neon<float> a) { return vabsq_f32(a.value); }
inline Neon<double> abs(Neon<double> a) { return vabsq_f64(a.value); }
inline Neon<float> sqrt(Neon<float> a) { return vsqrtq_f32(a.value); }
inline Neon<double> sqrt(Neon<double> a) { return vsqrtq_f64(a.value); }

}  // namespace
}  // namespace gradus::body
