// Sixteen floats or doubles side by side, whatever the width of the registers: a kernel written with them adds in the
// same order on every instruction set. Included, as `registers.hpp`, by the body.cpp of each library alone.
#pragma once

#include "kernels/fused_product.hpp"
#include "kernels/registers.hpp"

namespace gradus::body {
namespace {

constexpr int lane_count = 16;

// Sixteen lanes are one register or two of AVX-512, and sixteen where there are no vectors. What is written out for
// each of them would make the code there many times as long, and no faster.
#if defined(__AVX512BW__)
constexpr int written_out = 4;   // turns of a short loop
constexpr int side_by_side = 2;  // registers for which a long function is written out
constexpr bool own_last = true;  // whether the last group, shorter than sixteen, has a body of its own
#elif defined(__AVX2__)
constexpr int written_out = 2, side_by_side = 4;
constexpr bool own_last = true;
#else
constexpr int written_out = 1, side_by_side = 2;
constexpr bool own_last = false;
#endif

template <class T>
struct Pack {
  static constexpr int width = static_cast<int>(Batch<T>::size), count = lane_count / width;
  Batch<T> part[count];

  Pack() = default;
  GRADUS_INLINE explicit Pack(T value) {
#pragma GCC unroll 16
    for (auto& p : part) p = Batch<T>(value);
  }
};
using Floats = Pack<float>;
using Doubles = Pack<double>;

// ----------------------------------------------------------------------------------------------------- arithmetic
/// f of every register of the operands.
template <class T, class F, class... More>
GRADUS_INLINE Pack<T> each_part(F f, Pack<T> a, const More&... more) {
#pragma GCC unroll 16
  for (int i = 0; i < a.count; ++i) a.part[i] = f(a.part[i], more.part[i]...);
  return a;
}

/// The same for a function of many instructions.
template <class T, class F, class... More>
GRADUS_INLINE Pack<T> each_part_long(F f, Pack<T> a, const More&... more) {
#pragma GCC unroll side_by_side
  for (int i = 0; i < a.count; ++i) a.part[i] = f(a.part[i], more.part[i]...);
  return a;
}

template <class T>
GRADUS_INLINE Pack<T> operator+(Pack<T> a, Pack<T> b) {
  return each_part([](auto p, auto q) { return p + q; }, a, b);
}
template <class T>
GRADUS_INLINE Pack<T> operator-(Pack<T> a, Pack<T> b) {
  return each_part([](auto p, auto q) { return p - q; }, a, b);
}
template <class T>
GRADUS_INLINE Pack<T> operator*(Pack<T> a, Pack<T> b) {
  return each_part([](auto p, auto q) { return p * q; }, a, b);
}
template <class T>
GRADUS_INLINE Pack<T> operator/(Pack<T> a, Pack<T> b) {
  return each_part([](auto p, auto q) { return p / q; }, a, b);
}
template <class T>
GRADUS_INLINE Pack<T> square_root(Pack<T> a) {
  return each_part([](auto p) { return sqrt(p); }, a);
}
template <class T>
GRADUS_INLINE Pack<T> magnitude(Pack<T> a) {
  return each_part([](auto p) { return abs(p); }, a);
}

/// `yes` where a > b, elsewhere, and where either is NaN, `no`.
template <class T>
GRADUS_INLINE Pack<T> where_greater(Pack<T> a, Pack<T> b, Pack<T> yes, Pack<T> no) {
  return each_part([](auto p, auto q, auto y, auto n) { return select(p > q, y, n); }, a, b, yes, no);
}
template <class T>
GRADUS_INLINE Pack<T> where_at_most(Pack<T> a, Pack<T> b, Pack<T> yes, Pack<T> no) {
  return each_part([](auto p, auto q, auto y, auto n) { return select(p <= q, y, n); }, a, b, yes, no);
}
template <class T>
GRADUS_INLINE Pack<T> where_equal(Pack<T> a, Pack<T> b, Pack<T> yes, Pack<T> no) {
  return each_part([](auto p, auto q, auto y, auto n) { return select(p == q, y, n); }, a, b, yes, no);
}
template <class T>  // by ==, since xsimd 8.1 finds NaN != NaN false
GRADUS_INLINE Pack<T> where_nan(Pack<T> a, Pack<T> yes, Pack<T> no) {
  return where_equal(a, a, no, yes);
}
template <class T>
GRADUS_INLINE bool all_at_most(Pack<T> a, Pack<T> b) {
  bool all_are = true;
#pragma GCC unroll 16
  for (int i = 0; i < a.count; ++i) all_are = all_are && all(a.part[i] <= b.part[i]);
  return all_are;
}

/// The same bits as registers of another type. Not xsimd's bitwise_cast, whose template argument changed in xsimd 11.
template <class To, class From>
GRADUS_INLINE To reinterpret(From a) {
  return __builtin_bit_cast(To, a);
}

// ----------------------------------------------------------------------------------------------------------- memory
/// Which of the sixteen lanes a load or store touches: all, or the first n at the end of an array. Lanes not loaded are
/// 0.
struct All {};
struct First {
  int n;
};
/// All, and stores to addresses aligned to 64 go past the caches where the processor can.
struct Stream : All {};
#ifdef __AVX2__
template <class T>
using StreamOf = std::conditional_t<is_float<T>, Stream, All>;
#else
template <class T>
using StreamOf = All;
#endif

/// f(i, lanes) for every group of sixteen in [first, last), the last one perhaps shorter. For a function of many
/// instructions: but for AVX-512, whole groups and the last have one body.
template <class F>
GRADUS_INLINE void each_group_long(int64_t first, int64_t last, F f) {
  int64_t i = first;
#ifdef __AVX512BW__
  for (; i + lane_count <= last; i += lane_count) f(i, All());
#endif
#pragma GCC unroll 1
  for (; i < last; i += lane_count) f(i, First{last - i < lane_count ? static_cast<int>(last - i) : lane_count});
}

/// The same, where whole groups may have a body of their own, with lanes of type Whole. A short f is written out for
/// several turns of the loop.
template <class Whole = All, bool is_short = false, class F>
GRADUS_INLINE void each_group(int64_t first, int64_t last, F f) {
  if constexpr (!own_last) return each_group_long(first, last, f);
  int64_t i = first;
  if constexpr (is_short) {
#pragma GCC unroll written_out
    for (; i + lane_count <= last; i += lane_count) f(i, Whole());
  } else {
    for (; i + lane_count <= last; i += lane_count) f(i, Whole());
  }
  if (i < last) f(i, First{static_cast<int>(last - i)});
}

template <class T>
GRADUS_INLINE Pack<T> load(const T* p, All = {}) {
  Pack<T> a;
#pragma GCC unroll 16
  for (int i = 0; i < a.count; ++i) a.part[i] = Batch<T>::load_unaligned(p + i * a.width);
  return a;
}
template <class T>
GRADUS_INLINE void store(T* p, Pack<T> a, All = {}) {
#pragma GCC unroll 16
  for (int i = 0; i < a.count; ++i) a.part[i].store_unaligned(p + i * a.width);
}
GRADUS_INLINE Doubles load_wide(const float* p, All = {}) {
  Doubles a;
#pragma GCC unroll 16
  for (int i = 0; i < a.count; ++i) a.part[i] = widen(p + i * a.width);
  return a;
}
GRADUS_INLINE void store_narrow(float* p, Doubles a, All = {}) {
#pragma GCC unroll 16
  for (int i = 0; i < a.count; ++i) narrow(p + i * a.width, a.part[i]);
}

/// The nearest floats.
GRADUS_INLINE Floats narrowed(Doubles a) {
  Floats y;
#pragma GCC unroll 16
  for (int i = 0; i < y.count; ++i) y.part[i] = joined(&a.part[i * a.count / y.count]);
  return y;
}

#ifdef __AVX512BW__
GRADUS_INLINE __mmask16 mask16(First lanes) { return static_cast<__mmask16>((1u << lanes.n) - 1); }
GRADUS_INLINE __mmask8 mask8(First lanes, int part) { return static_cast<__mmask8>(mask16(lanes) >> (8 * part)); }

GRADUS_INLINE Floats load(const float* p, First lanes) {
  Floats a;
  a.part[0] = _mm512_maskz_loadu_ps(mask16(lanes), p);
  return a;
}
GRADUS_INLINE void store(float* p, Floats a, First lanes) { _mm512_mask_storeu_ps(p, mask16(lanes), a.part[0]); }
GRADUS_INLINE Doubles load(const double* p, First lanes) {
  Doubles a;
  for (int i = 0; i < 2; ++i) a.part[i] = _mm512_maskz_loadu_pd(mask8(lanes, i), p + 8 * i);
  return a;
}
GRADUS_INLINE void store(double* p, Doubles a, First lanes) {
  for (int i = 0; i < 2; ++i) _mm512_mask_storeu_pd(p + 8 * i, mask8(lanes, i), a.part[i]);
}
GRADUS_INLINE Doubles load_wide(const float* p, First lanes) {
  Doubles a;
  for (int i = 0; i < 2; ++i) a.part[i] = _mm512_cvtps_pd(_mm256_maskz_loadu_ps(mask8(lanes, i), p + 8 * i));
  return a;
}
GRADUS_INLINE void store_narrow(float* p, Doubles a, First lanes) {
  for (int i = 0; i < 2; ++i) _mm256_mask_storeu_ps(p + 8 * i, mask8(lanes, i), _mm512_cvtpd_ps(a.part[i]));
}
#else
template <class T>
[[gnu::noinline]] void copy_lanes(T* to, const T* from, int n) {
#pragma GCC unroll 1
  for (int i = 0; i < n; ++i) to[i] = from[i];
}
/// Where to read sixteen: at p when they are there, else from `buffer`, to which the first are copied.
template <class T>
GRADUS_INLINE const T* readable(const T* p, First lanes, T (&buffer)[lane_count]) {
  if (lanes.n == lane_count) return p;
  store(buffer, Pack<T>(0));
  copy_lanes(buffer, p, lanes.n);
  return buffer;
}
template <class T>
GRADUS_INLINE Pack<T> load(const T* p, First lanes) {
  T buffer[lane_count];
  return load(readable(p, lanes, buffer));
}
GRADUS_INLINE Doubles load_wide(const float* p, First lanes) {
  float buffer[lane_count];
  return load_wide(readable(p, lanes, buffer));
}
template <class T>
GRADUS_INLINE void store(T* p, Pack<T> a, First lanes) {
  T buffer[lane_count];
  T* const to = lanes.n == lane_count ? p : buffer;
  store(to, a);
  if (to == buffer) copy_lanes(p, buffer, lanes.n);
}
GRADUS_INLINE void store_narrow(float* p, Doubles a, First lanes) {
  float buffer[lane_count];
  float* const to = lanes.n == lane_count ? p : buffer;
  store_narrow(to, a);
  if (to == buffer) copy_lanes(p, buffer, lanes.n);
}
#endif

#ifdef __AVX2__
GRADUS_INLINE void store_narrow(float* p, Doubles a, Stream) {
#ifdef __AVX512BW__
  for (int i = 0; i < 2; ++i) _mm256_stream_ps(p + 8 * i, _mm512_cvtpd_ps(a.part[i]));
#else
  for (int i = 0; i < 4; ++i) _mm_stream_ps(p + 4 * i, _mm256_cvtpd_ps(a.part[i]));
#endif
}
#endif

// For a body that serves both widths, doubles are as wide as they are.
template <class Lanes>
GRADUS_INLINE Doubles load_wide(const double* p, Lanes lanes) {
  return load(p, lanes);
}
template <class Lanes>
GRADUS_INLINE void store_narrow(double* p, Doubles a, Lanes lanes) {
  store(p, a, lanes);
}

/// a with the lanes that are not there set to 0.
GRADUS_INLINE Doubles only(Doubles a, All) { return a; }
GRADUS_INLINE Doubles only(Doubles a, First lanes) {
  if (lanes.n == lane_count) return a;
  double lane[lane_count];
  store(lane, a);
  return load(lane, lanes);
}

// ------------------------------------------------------------------------------------------------------ fused products
#if defined(__FMA__) || (defined(__aarch64__) && !defined(GRADUS_BODY_PLAIN))
#define GRADUS_FUSES
#endif

#if defined(__AVX512BW__)
GRADUS_INLINE Batch<float> fuse(Batch<float> a, Batch<float> b, Batch<float> c) { return _mm512_fmadd_ps(a, b, c); }
GRADUS_INLINE Batch<double> fuse(Batch<double> a, Batch<double> b, Batch<double> c) { return _mm512_fmadd_pd(a, b, c); }
#elif defined(__FMA__)
GRADUS_INLINE Batch<float> fuse(Batch<float> a, Batch<float> b, Batch<float> c) { return _mm256_fmadd_ps(a, b, c); }
GRADUS_INLINE Batch<double> fuse(Batch<double> a, Batch<double> b, Batch<double> c) { return _mm256_fmadd_pd(a, b, c); }
#elif !defined(GRADUS_FUSES)
template <class T>
[[gnu::noinline]] void fuse_in_software(T* a, const T* b, const T* c) {
  for (int i = 0; i < lane_count; ++i) a[i] = gradus::detail::fused_product(a[i], b[i], c[i]);
}
#endif

/// a * b + c, rounded once; in software where the processor cannot.
template <class T>
GRADUS_INLINE Pack<T> fused(Pack<T> a, Pack<T> b, Pack<T> c) {
#ifdef GRADUS_FUSES
  return each_part([](auto p, auto q, auto r) { return fuse(p, q, r); }, a, b, c);
#else
  T u[lane_count], v[lane_count], w[lane_count];
  store(u, a), store(v, b), store(w, c);
  fuse_in_software(u, v, w);
  return load(u);
#endif
}

/// a * b + c where a * b is exact, so that the rounding is the same whether the processor fuses them or not.
template <class T>
GRADUS_INLINE Batch<T> exact_product_plus(Batch<T> a, Batch<T> b, Batch<T> c) {
#ifdef GRADUS_FUSES
  return fuse(a, b, c);
#else
  return a * b + c;
#endif
}

/// a * b + c with one rounding or two, whichever is faster: for sums that may differ between processors, and for
/// products that are exact, as those of two floats in double.
template <class T>
GRADUS_INLINE Pack<T> multiply_add(Pack<T> a, Pack<T> b, Pack<T> c) {
#ifdef GRADUS_FUSES
  return fused(a, b, c);
#else
  return a * b + c;
#endif
}

/// a + b, computed as a * 1 + b where products can be fused. Many processors convert and add in one unit and multiply
/// in another; where a loop is full of conversions this shares the work out.
GRADUS_INLINE Doubles add_by_multiplier(Doubles a, Doubles b) {
#ifdef __FMA__
  return fused(a, Doubles(1), b);
#else
  return a + b;
#endif
}

}  // namespace
}  // namespace gradus::body
