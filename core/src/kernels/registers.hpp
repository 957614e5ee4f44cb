// A register of the instruction set that a file is compiled for. Included by the body.cpp of each library alone, which
// is compiled once for every instruction set; everything here has internal linkage and calls nothing of std, so that no
// code for a new processor is ever shared.
#pragma once

#include <cstdint>
#include <type_traits>

#ifdef GRADUS_BODY_PLAIN
#include "kernels/lane.hpp"
#elif defined(__aarch64__)
#include "kernels/neon.hpp"
#else
#include <xsimd/xsimd.hpp>
#endif

#define GRADUS_INLINE [[gnu::always_inline]] inline
#define GRADUS_INLINED __attribute__((always_inline))  // behind the parameters of a lambda

namespace gradus::body {

using std::int32_t;
using std::int64_t;
using std::uint32_t;
using std::uint64_t;

namespace {

#if defined(GRADUS_BODY_PLAIN)
template <class T>
using Batch = Lane<T>;
#elif defined(__aarch64__)
template <class T>
using Batch = Neon<T>;
#else
#if defined(__AVX512BW__)
using Arch = xsimd::avx512bw;
#elif defined(__AVX2__)
using Arch = xsimd::avx2;  // not fma3<avx2>, which fuses products behind our back
#else
using Arch = xsimd::sse2;
#endif
template <class T>
using Batch = xsimd::batch<T, Arch>;
#endif

template <class T>
constexpr bool is_float = sizeof(T) == sizeof(float);

// b where either is NaN. xsimd's own give a since xsimd 14.
#define GRADUS_X86_EXTREMA(prefix)                                                                    \
  GRADUS_INLINE Batch<float> min(Batch<float> a, Batch<float> b) { return prefix##_min_ps(a, b); }    \
  GRADUS_INLINE Batch<float> max(Batch<float> a, Batch<float> b) { return prefix##_max_ps(a, b); }    \
  GRADUS_INLINE Batch<double> min(Batch<double> a, Batch<double> b) { return prefix##_min_pd(a, b); } \
  GRADUS_INLINE Batch<double> max(Batch<double> a, Batch<double> b) { return prefix##_max_pd(a, b); }

// Floats as doubles, and back: half a register of floats; `joined` makes a whole one of two registers of doubles.
#if defined(GRADUS_BODY_PLAIN)
GRADUS_INLINE Batch<double> widen(const float* p) { return *p; }
GRADUS_INLINE void narrow(float* p, Batch<double> a) { *p = static_cast<float>(a.value); }
GRADUS_INLINE Batch<float> joined(const Batch<double>* a) { return static_cast<float>(a->value); }
#elif defined(__aarch64__)
GRADUS_INLINE Batch<double> widen(const float* p) { return vcvt_f64_f32(vld1_f32(p)); }
GRADUS_INLINE void narrow(float* p, Batch<double> a) { vst1_f32(p, vcvt_f32_f64(a.value)); }
GRADUS_INLINE Batch<float> joined(const Batch<double>* a) {
  return vcombine_f32(vcvt_f32_f64(a[0].value), vcvt_f32_f64(a[1].value));
}
#elif defined(__AVX512BW__)
GRADUS_X86_EXTREMA(_mm512)
GRADUS_INLINE Batch<double> widen(const float* p) { return _mm512_cvtps_pd(_mm256_loadu_ps(p)); }
GRADUS_INLINE void narrow(float* p, Batch<double> a) { _mm256_storeu_ps(p, _mm512_cvtpd_ps(a)); }
GRADUS_INLINE Batch<float> joined(const Batch<double>* a) {
  return _mm512_insertf32x8(_mm512_castps256_ps512(_mm512_cvtpd_ps(a[0])), _mm512_cvtpd_ps(a[1]), 1);
}
#elif defined(__AVX2__)
GRADUS_X86_EXTREMA(_mm256)
GRADUS_INLINE Batch<double> widen(const float* p) { return _mm256_cvtps_pd(_mm_loadu_ps(p)); }
GRADUS_INLINE void narrow(float* p, Batch<double> a) { _mm_storeu_ps(p, _mm256_cvtpd_ps(a)); }
GRADUS_INLINE Batch<float> joined(const Batch<double>* a) {
  return _mm256_set_m128(_mm256_cvtpd_ps(a[1]), _mm256_cvtpd_ps(a[0]));
}
#else
GRADUS_X86_EXTREMA(_mm)
GRADUS_INLINE Batch<double> widen(const float* p) {
  return _mm_cvtps_pd(_mm_castsi128_ps(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p))));
}
GRADUS_INLINE void narrow(float* p, Batch<double> a) {
  _mm_storel_epi64(reinterpret_cast<__m128i*>(p), _mm_castps_si128(_mm_cvtpd_ps(a)));
}
GRADUS_INLINE Batch<float> joined(const Batch<double>* a) {
  return _mm_movelh_ps(_mm_cvtpd_ps(a[0]), _mm_cvtpd_ps(a[1]));
}
#endif

}  // namespace
}  // namespace gradus::body
