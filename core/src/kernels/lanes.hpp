// Sixteen floats or doubles side by side, whatever the width of the registers: a kernel written with them adds in the
// same order on every instruction set. Included by the body_*.cpp files alone, each compiled for one instruction set;
// everything here has internal linkage and calls nothing of std, so that no code for a new processor is ever shared.
#pragma once

#include "table.hpp"

#ifdef GRADUS_BODY_PLAIN
#include "lane.hpp"
#else
#include <xsimd/xsimd.hpp>
#endif

#define GRADUS_INLINE [[gnu::always_inline]] inline

namespace gradus::body {
using namespace kernels;

namespace {

#ifdef GRADUS_BODY_PLAIN
template <class T>
using Batch = Lane<T>;
#else
#if defined(__AVX512BW__)
using FloatArch = xsimd::avx512bw;
using DoubleArch = xsimd::avx2;  // Zen 4 converts between float and double at full speed in 256 bits alone
#elif defined(__AVX2__)
using FloatArch = xsimd::avx2;  // not fma3<avx2>, which fuses products behind our back
using DoubleArch = xsimd::avx2;
#else
using FloatArch = xsimd::sse2;
using DoubleArch = xsimd::sse2;
#endif
template <class T>
struct BatchOf {
  using type = xsimd::batch<T, DoubleArch>;
};
template <>
struct BatchOf<float> {
  using type = xsimd::batch<float, FloatArch>;
};
template <class T>
using Batch = typename BatchOf<T>::type;
#endif

constexpr int kLanes = 16;
constexpr int64_t kFloat = sizeof(float);

template <class T>
struct Pack {
  static constexpr int width = static_cast<int>(Batch<T>::size), count = kLanes / width;
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
template <class T>
GRADUS_INLINE Pack<T> operator+(Pack<T> a, Pack<T> b) {
#pragma GCC unroll 16
  for (int i = 0; i < a.count; ++i) a.part[i] = a.part[i] + b.part[i];
  return a;
}
template <class T>
GRADUS_INLINE Pack<T> operator-(Pack<T> a, Pack<T> b) {
#pragma GCC unroll 16
  for (int i = 0; i < a.count; ++i) a.part[i] = a.part[i] - b.part[i];
  return a;
}
template <class T>
GRADUS_INLINE Pack<T> operator*(Pack<T> a, Pack<T> b) {
#pragma GCC unroll 16
  for (int i = 0; i < a.count; ++i) a.part[i] = a.part[i] * b.part[i];
  return a;
}
template <class T>
GRADUS_INLINE Pack<T> operator/(Pack<T> a, Pack<T> b) {
#pragma GCC unroll 16
  for (int i = 0; i < a.count; ++i) a.part[i] = a.part[i] / b.part[i];
  return a;
}
template <class T>
GRADUS_INLINE Pack<T> square_root(Pack<T> a) {
#pragma GCC unroll 16
  for (auto& p : a.part) p = sqrt(p);
  return a;
}

template <class T>
GRADUS_INLINE Pack<T> magnitude(Pack<T> a) {
#pragma GCC unroll 16
  for (auto& p : a.part) p = abs(p);
  return a;
}

/// `yes` where a > b, elsewhere, and where either is NaN, `no`.
template <class T>
GRADUS_INLINE Pack<T> where_greater(Pack<T> a, Pack<T> b, Pack<T> yes, Pack<T> no) {
#pragma GCC unroll 16
  for (int i = 0; i < a.count; ++i) a.part[i] = select(a.part[i] > b.part[i], yes.part[i], no.part[i]);
  return a;
}
template <class T>
GRADUS_INLINE Pack<T> where_at_most(Pack<T> a, Pack<T> b, Pack<T> yes, Pack<T> no) {
#pragma GCC unroll 16
  for (int i = 0; i < a.count; ++i) a.part[i] = select(a.part[i] <= b.part[i], yes.part[i], no.part[i]);
  return a;
}
template <class T>
GRADUS_INLINE Pack<T> where_equal(Pack<T> a, Pack<T> b, Pack<T> yes, Pack<T> no) {
#pragma GCC unroll 16
  for (int i = 0; i < a.count; ++i) a.part[i] = select(a.part[i] == b.part[i], yes.part[i], no.part[i]);
  return a;
}
template <class T>
GRADUS_INLINE bool all_at_most(Pack<T> a, Pack<T> b) {
  bool all_are = true;
#pragma GCC unroll 16
  for (int i = 0; i < a.count; ++i) all_are = all_are && all(a.part[i] <= b.part[i]);
  return all_are;
}
template <class T>  // by ==, since xsimd 8.1 finds NaN != NaN false
GRADUS_INLINE Pack<T> where_nan(Pack<T> a, Pack<T> yes, Pack<T> no) {
#pragma GCC unroll 16
  for (int i = 0; i < a.count; ++i) a.part[i] = select(a.part[i] == a.part[i], no.part[i], yes.part[i]);
  return a;
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

/// f(i, lanes) for every group of sixteen in [first, last), the last one perhaps shorter.
template <class Whole = All, class F>
GRADUS_INLINE void each_group(int64_t first, int64_t last, F f) {
  int64_t i = first;
  for (; i + kLanes <= last; i += kLanes) f(i, Whole());
  if (i < last) f(i, First{static_cast<int>(last - i)});
}

#if defined(GRADUS_BODY_PLAIN)
GRADUS_INLINE Batch<double> widen(const float* p) { return *p; }
GRADUS_INLINE void narrow(float* p, Batch<double> a) { *p = static_cast<float>(a.value); }
#elif defined(__AVX2__)
GRADUS_INLINE Batch<double> widen(const float* p) { return _mm256_cvtps_pd(_mm_loadu_ps(p)); }
GRADUS_INLINE void narrow(float* p, Batch<double> a) { _mm_storeu_ps(p, _mm256_cvtpd_ps(a)); }
#else
GRADUS_INLINE Batch<double> widen(const float* p) {
  return _mm_cvtps_pd(_mm_castsi128_ps(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p))));
}
GRADUS_INLINE void narrow(float* p, Batch<double> a) {
  _mm_storel_epi64(reinterpret_cast<__m128i*>(p), _mm_castps_si128(_mm_cvtpd_ps(a)));
}
#endif

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

#ifdef __AVX512BW__
GRADUS_INLINE __mmask16 mask16(First lanes) { return static_cast<__mmask16>((1u << lanes.n) - 1); }
GRADUS_INLINE __mmask8 mask4(First lanes, int part) {
  return static_cast<__mmask8>((((1u << lanes.n) - 1) >> (4 * part)) & 15);
}

GRADUS_INLINE Floats load(const float* p, First lanes) {
  Floats a;
  a.part[0] = _mm512_maskz_loadu_ps(mask16(lanes), p);
  return a;
}
GRADUS_INLINE void store(float* p, Floats a, First lanes) { _mm512_mask_storeu_ps(p, mask16(lanes), a.part[0]); }
GRADUS_INLINE Doubles load(const double* p, First lanes) {
  Doubles a;
#pragma GCC unroll 16
  for (int i = 0; i < 4; ++i) a.part[i] = _mm256_maskz_loadu_pd(mask4(lanes, i), p + 4 * i);
  return a;
}
GRADUS_INLINE void store(double* p, Doubles a, First lanes) {
#pragma GCC unroll 16
  for (int i = 0; i < 4; ++i) _mm256_mask_storeu_pd(p + 4 * i, mask4(lanes, i), a.part[i]);
}
GRADUS_INLINE Doubles load_wide(const float* p, First lanes) {
  Doubles a;
#pragma GCC unroll 16
  for (int i = 0; i < 4; ++i) a.part[i] = _mm256_cvtps_pd(_mm_maskz_loadu_ps(mask4(lanes, i), p + 4 * i));
  return a;
}
GRADUS_INLINE void store_narrow(float* p, Doubles a, First lanes) {
#pragma GCC unroll 16
  for (int i = 0; i < 4; ++i) _mm_mask_storeu_ps(p + 4 * i, mask4(lanes, i), _mm256_cvtpd_ps(a.part[i]));
}
#else
template <class T>
struct Buffer {
  T lane[kLanes] = {};
  GRADUS_INLINE Buffer(const T* p, First lanes) {
    for (int i = 0; i < lanes.n; ++i) lane[i] = p[i];
  }
  Buffer() = default;
  GRADUS_INLINE void copy_to(T* p, First lanes) const {
    for (int i = 0; i < lanes.n; ++i) p[i] = lane[i];
  }
};
template <class T>
GRADUS_INLINE Pack<T> load(const T* p, First lanes) {
  return load(Buffer<T>(p, lanes).lane);
}
template <class T>
GRADUS_INLINE void store(T* p, Pack<T> a, First lanes) {
  Buffer<T> buffer;
  store(buffer.lane, a);
  buffer.copy_to(p, lanes);
}
GRADUS_INLINE Doubles load_wide(const float* p, First lanes) { return load_wide(Buffer<float>(p, lanes).lane); }
GRADUS_INLINE void store_narrow(float* p, Doubles a, First lanes) {
  Buffer<float> buffer;
  store_narrow(buffer.lane, a);
  buffer.copy_to(p, lanes);
}
#endif

/// a with the lanes that are not there set to 0.
GRADUS_INLINE Doubles only(Doubles a, All) { return a; }
GRADUS_INLINE Doubles only(Doubles a, First lanes) {
  double lane[kLanes];
  store(lane, a);
  return load(lane, lanes);
}

GRADUS_INLINE void store_narrow(float* p, Doubles a, Stream) {
#if defined(__AVX2__)
#pragma GCC unroll 16
  for (int i = 0; i < 4; ++i) _mm_stream_ps(p + 4 * i, _mm256_cvtpd_ps(a.part[i]));
#else
  store_narrow(p, a);
#endif
}

// ------------------------------------------------------------------------------------------------------ fused products
/// a * b + c, rounded once; in software where the processor cannot.
GRADUS_INLINE Floats fused(Floats a, Floats b, Floats c) {
#ifdef __AVX512BW__
  a.part[0] = _mm512_fmadd_ps(a.part[0], b.part[0], c.part[0]);
  return a;
#elif defined(__FMA__)
#pragma GCC unroll 16
  for (int i = 0; i < 2; ++i) a.part[i] = _mm256_fmadd_ps(a.part[i], b.part[i], c.part[i]);
  return a;
#else
  float u[kLanes], v[kLanes], w[kLanes];
  store(u, a), store(v, b), store(w, c);
  for (int i = 0; i < kLanes; ++i) u[i] = __builtin_fmaf(u[i], v[i], w[i]);
  return load(u);
#endif
}

/// a * b + c for factors that were floats: their product is exact, so it does not matter whether it is rounded.
GRADUS_INLINE Doubles add_product(Doubles a, Doubles b, Doubles c) {
#if defined(__FMA__)
#pragma GCC unroll 16
  for (int i = 0; i < 4; ++i) a.part[i] = _mm256_fmadd_pd(a.part[i], b.part[i], c.part[i]);
  return a;
#else
  return a * b + c;
#endif
}

/// a + b, computed as a * 1 + b where products can be fused. Many processors convert and add in one unit and multiply
/// in another; where a loop is full of conversions this shares the work out.
GRADUS_INLINE Doubles add_by_multiplier(Doubles a, Doubles b) {
#ifdef __FMA__
  return add_product(a, Doubles(1), b);
#else
  return a + b;
#endif
}

/// a * b + c with one rounding or two, whichever is faster. For sums that may differ between processors.
GRADUS_INLINE Floats multiply_add(Floats a, Floats b, Floats c) {
#ifdef __FMA__
  return fused(a, b, c);
#else
  return a * b + c;
#endif
}

template <class T>
GRADUS_INLINE T sum_of_register(Batch<T> a) {
  constexpr int width = Pack<T>::width;
#ifdef __AVX512BW__
  if constexpr (width == 16) return _mm512_reduce_add_ps(a);
#endif
  T lane[width];
  a.store_unaligned(lane);
  for (int half = width / 2; half > 0; half /= 2)
    for (int i = 0; i < half; ++i) lane[i] += lane[i + half];
  return lane[0];
}

/// The sum of the lanes, always in the same order: halves onto halves.
template <class T>
GRADUS_INLINE T sum_of_lanes(Pack<T> a) {
#pragma GCC unroll 16
  for (int half = a.count / 2; half > 0; half /= 2) {
#pragma GCC unroll 16
    for (int i = 0; i < half; ++i) a.part[i] = a.part[i] + a.part[i + half];
  }
  return sum_of_register<T>(a.part[0]);
}

}  // namespace
}  // namespace gradus::body
