// Sums of the sixteen lanes, and sums in every lane.
#pragma once

#include "kernels/lanes.hpp"

namespace gradus::body {
namespace {

/// f of all lanes, always in the same order: halves onto halves.
template <class T, class F>
GRADUS_INLINE T folded(Pack<T> a, F f) {
#pragma GCC unroll 16
  for (int half = a.count / 2; half > 0; half /= 2) {
#pragma GCC unroll 16
    for (int i = 0; i < half; ++i) a.part[i] = f(a.part[i], a.part[i + half]);
  }
#ifdef __AVX512BW__
  if constexpr (sizeof(T) == 8) {
    const __m512d eight = a.part[0];
    const __m256d four = f(_mm512_castpd512_pd256(eight), _mm512_extractf64x4_pd(eight, 1));
    const __m128d two = f(_mm256_castpd256_pd128(four), _mm256_extractf128_pd(four, 1));
    return f(two[0], two[1]);
  }
#endif
  T lane[Pack<T>::width];
  a.part[0].store_unaligned(lane);
  for (int half = Pack<T>::width / 2; half > 0; half /= 2)
    for (int i = 0; i < half; ++i) lane[i] = f(lane[i], lane[i + half]);
  return lane[0];
}

template <class T>
GRADUS_INLINE T sum_of_lanes(Pack<T> a) {
#ifdef __AVX512BW__
  if constexpr (sizeof(T) == 4) return _mm512_reduce_add_ps(a.part[0]);
#endif
  return folded(a, [](auto p, auto q) GRADUS_INLINED { return p + q; });
}

/// Sums of doubles that were floats, in every lane: there is room for what rounding takes off.
struct PlainSum {
  Doubles sum{0.0};
  GRADUS_INLINE void add(Doubles x) { sum = sum + x; }
  GRADUS_INLINE Doubles value() const { return sum; }
};

/// Adds a sum to another; `lost` is what rounding took off each.
template <class N>
GRADUS_INLINE void add_sums(N& sum, N& lost, N x, N x_lost) {
  const N next = sum + x, seen = next - sum;
  lost = (lost + x_lost) + ((sum - (next - seen)) + (x - seen));
  sum = next;
}

/// Sums that keep what rounding takes off (Knuth, The Art of Computer Programming 2, 4.2.2, theorem B).
struct CompensatedSum {
  Doubles sum{0.0}, lost{0.0};
  GRADUS_INLINE void add(Doubles x) {
    const Doubles next = sum + x, x_seen = next - sum;
    lost = add_by_multiplier(lost, add_by_multiplier(sum - (next - x_seen), x - x_seen));
    sum = next;
  }
  GRADUS_INLINE void add(const CompensatedSum& other) { add_sums(sum, lost, other.sum, other.lost); }
  GRADUS_INLINE Doubles value() const {  // an infinite sum has lost NaN
    return where_at_most(magnitude(lost), Doubles(__DBL_MAX__), sum + lost, sum);
  }
};

template <class T>
struct SumOf {
  using type = PlainSum;
};
template <>
struct SumOf<double> {
  using type = CompensatedSum;
};
/// What the sum of elements of T is carried in.
template <class T>
using Sum = typename SumOf<T>::type;

}  // namespace
}  // namespace gradus::body
