// One operation on every element.
#pragma once

#include "kernels/body/gelu.hpp"
#include "kernels/body/sine.hpp"
#include "kernels/table.hpp"

namespace gradus::body {

using kernels::Binary;
using kernels::Operand;
using kernels::Unary;

namespace {

/// y[i] = f(x[i]...), for a function of few instructions; and for one of many.
template <class T, class F, class... X>
GRADUS_INLINE void each(T* y, int64_t n, F f, const X*... x) {
  each_group<All, true>(0, n,
                        [=](int64_t i, auto lanes) GRADUS_INLINED { store(y + i, f(load(x + i, lanes)...), lanes); });
}
template <class T, class F, class... X>
GRADUS_INLINE void each_long(T* y, int64_t n, F f, const X*... x) {
  each_group_long(0, n, [=](int64_t i, auto lanes) GRADUS_INLINED { store(y + i, f(load(x + i, lanes)...), lanes); });
}

// A comparison with NaN is false, which leaves b: right when b is the NaN, so a is looked at once more.
template <class T>
GRADUS_INLINE Pack<T> larger(Pack<T> a, Pack<T> b) {
  return where_nan(a, a, where_greater(a, b, a, b));
}
template <class T>
GRADUS_INLINE Pack<T> smaller(Pack<T> a, Pack<T> b) {
  return where_nan(a, a, where_greater(b, a, a, b));
}

/// The nearest integer, of two the even one. From 2^(digits - 1) on all are integers.
template <class T>
GRADUS_INLINE Batch<T> nearest(Batch<T> x) {
  const Batch<T> large(is_float<T> ? T(0x1p23) : T(0x1p52)), size = abs(x);
  return with_sign_of<T>(x, select(large > size, (size + large) - large, size));
}
template <class T>
GRADUS_INLINE Batch<T> floor_of(Batch<T> x) {
  const Batch<T> y = nearest<T>(x);
  return select(y > x, y - Batch<T>(1), y);
}
template <class T>
GRADUS_INLINE Batch<T> ceil_of(Batch<T> x) {
  const Batch<T> y = nearest<T>(x);
  return with_sign_of<T>(x, select(x > y, y + Batch<T>(1), y));
}

template <class T>
GRADUS_INLINE Pack<T> apply(Unary f, Pack<T> x) {
  const Pack<T> zero(0), one(1);
  switch (f) {
    case Unary::neg: return x * Pack<T>(-1);
    case Unary::abs: return magnitude(x);
    case Unary::sqrt: return square_root(x);
    case Unary::rsqrt: return one / square_root(x);
    case Unary::reciprocal: return one / x;
    case Unary::square: return x * x;
    case Unary::cube: return (x * x) * x;
    case Unary::relu: return where_greater(zero, x, zero, x);  // false of NaN, which passes
    case Unary::sign: return where_greater(x, zero, one, where_greater(zero, x, Pack<T>(-1), zero));
    case Unary::floor: return each_part([](Batch<T> v) GRADUS_INLINED { return floor_of<T>(v); }, x);
    case Unary::ceil: return each_part([](Batch<T> v) GRADUS_INLINED { return ceil_of<T>(v); }, x);
    case Unary::round: return each_part([](Batch<T> v) GRADUS_INLINED { return nearest<T>(v); }, x);
    default: return x;
  }
}

/// f of every element, computed in double and rounded once.
template <class T, class F>
GRADUS_INLINE Pack<T> in_double(F f, Pack<T> x) {
  if constexpr (is_float<T>) {
    float lane[lane_count];
    store(lane, x);
    return narrowed(f(load_wide(lane)));
  } else {
    return f(x);
  }
}

/// Those that are computed in double and rounded once.
template <class T>
GRADUS_INLINE Doubles apply_wide(Unary f, Doubles x) {
  switch (f) {
    case Unary::exp: return each_part_long([](Double v) GRADUS_INLINED { return exp<T>(v); }, x);
    case Unary::expm1: return each_part_long([](Double v) GRADUS_INLINED { return expm1<T>(v); }, x);
    case Unary::sin: return sine<T, false>(x);
    case Unary::cos: return sine<T, true>(x);
    case Unary::erf: return each_part_long([](Double v) GRADUS_INLINED { return erf(v); }, x);
    case Unary::log: return each_part_long([](Double v) GRADUS_INLINED { return log<T>(v); }, x);
    case Unary::log1p: return each_part_long([](Double v) GRADUS_INLINED { return log1p<T>(v); }, x);
    case Unary::tanh: return each_part_long([](Double v) GRADUS_INLINED { return tanh<T>(v); }, x);
    case Unary::sigmoid: return sigmoid<T>(x);
    case Unary::silu: return x * sigmoid<T>(x);
    default: return each_part_long([](Double v) GRADUS_INLINED { return softplus<T>(v); }, x);
  }
}

/// f(x), where y is f(within(x)).
template <Unary f>
GRADUS_INLINE Floats beyond(Floats x, Floats y) {
  const Floats zero(0), limit(range);
  if (f == Unary::silu) y = where_at_most(magnitude(x), limit, y, where_greater(x, zero, x, x * zero));  // of -inf NaN
  if (f == Unary::softplus) y = where_greater(x, limit, x, y);
  return where_nan(x, x, y);
}

/// f of the elements at x. Floats are read there once more, since memory is where they are widened fastest.
template <class T, Unary f, class Lanes>
GRADUS_INLINE Pack<T> wide(const T* x, Lanes lanes) {
  if constexpr (!is_float<T>) {
    return apply_wide<T>(f, load(x, lanes));
  } else if constexpr (f >= Unary::log) {
    return narrowed(apply_wide<T>(f, load_wide(x, lanes)));
  } else {
    const Floats v = load(x, lanes);
    const bool is_within = __builtin_expect(all_at_most(magnitude(v), Floats(range)), true);
    float nearest[lane_count];
    if (!is_within) store(nearest, within(v));
    const Floats y = narrowed(apply_wide<T>(f, load_wide(is_within ? x : nearest, lanes)));
    return is_within ? y : beyond<f>(v, y);
  }
}
template <class T, Unary f>
GRADUS_INLINE Pack<T> wide(Pack<T> x) {
  T lane[lane_count];
  store(lane, x);
  return wide<T, f>(lane, All());
}

template <class T>
GRADUS_INLINE Pack<T> apply(Binary f, Pack<T> a, Pack<T> b) {
  const Pack<T> zero(0), one(1);
  switch (f) {
    case Binary::add: return a + b;
    case Binary::sub: return a - b;
    case Binary::mul: return a * b;
    case Binary::div: return a / b;
    case Binary::maximum: return larger(a, b);
    case Binary::minimum: return smaller(a, b);
    case Binary::leaky_relu: return where_greater(a, zero, a, a * b);
    case Binary::reciprocal_times: return (one / b) * a;
    case Binary::relu_backward: return where_at_most(b, zero, zero, a);
    case Binary::tanh_backward: return a * (one - b * b);
    case Binary::sigmoid_backward: return a * (b * (one - b));
    case Binary::softplus_backward: return a * wide<T, Unary::sigmoid>(b);
    case Binary::silu_backward: {
      const Pack<T> s = wide<T, Unary::sigmoid>(b);
      return a * (s * (one + b * (one - s)));
    }
    case Binary::gelu_backward:
      return each_part_long([](Batch<T> dy, Batch<T> v) GRADUS_INLINED { return gelu_backward<T>(dy, v); }, a, b);
    default: return a;
  }
}

template <class T, Unary f>
[[gnu::flatten]] void map(T* y, const T* x, int64_t n) {
  if constexpr (f >= Unary::exp) {
    each_group_long(0, n, [=](int64_t i, auto lanes) GRADUS_INLINED { store(y + i, wide<T, f>(x + i, lanes), lanes); });
  } else if constexpr (f == Unary::gelu) {
    const auto part = [](Batch<T> v) GRADUS_INLINED { return gelu<T>(v); };
    each_long(
        y, n, [=](Pack<T> v) GRADUS_INLINED { return each_part_long(part, v); }, x);
  } else {
    each(
        y, n, [](Pack<T> v) { return apply(f, v); }, x);
  }
}

/// Where to read the elements of an operand: of one whose step is 0, sixteen copies in `same`.
template <class T>
GRADUS_INLINE const T* elements(Operand<T> x, T (&same)[lane_count]) {
  if (x.step) return x.data;
  store(same, Pack<T>(*x.data));
  return same;
}

template <class T, Binary f>
[[gnu::flatten]] void zip(T* y, Operand<T> a, Operand<T> b, int64_t rows, int64_t n) {
  T same_a[lane_count], same_b[lane_count];
  for (int64_t i = 0; i < rows; ++i, y += n, a.data += a.row, b.data += b.row) {
    const T *const u = elements(a, same_a), *const v = elements(b, same_b);
    const auto group = [=](int64_t j, auto lanes) GRADUS_INLINED {
      store(y + j, apply(f, load(u + j * a.step, lanes), load(v + j * b.step, lanes)), lanes);
    };
    if constexpr (f < Binary::softplus_backward) {
      each_group<All, true>(0, n, group);
    } else {
      each_group_long(0, n, group);
    }
  }
}

GRADUS_INLINE void convert_group(double* y, const float* x, auto lanes) { store(y, load_wide(x, lanes), lanes); }
GRADUS_INLINE void convert_group(float* y, const double* x, auto lanes) { store_narrow(y, load(x, lanes), lanes); }

template <class T>
[[gnu::flatten]] void convert(kernels::OtherWidth<T>* y, const T* x, int64_t n) {
  each_group<All, true>(0, n, [=](int64_t i, auto lanes) { convert_group(y + i, x + i, lanes); });
}

template <class T>
[[gnu::flatten]] void clamp(T* y, const T* x, T low, T high, int64_t n) {
  each(
      y, n,
      [bottom = Pack<T>(low), top = Pack<T>(high)](Pack<T> v) {
        v = where_greater(bottom, v, bottom, v);
        return where_greater(v, top, top, v);
      },
      x);
}

template <class T>
[[gnu::flatten]] void elu(T* y, const T* x, double alpha, int64_t n) {
  each_group_long(0, n, [=](int64_t i, auto lanes) {
    const Doubles v = load_wide(x + i, lanes), below = each_part_long(
                                                   [](Double part) GRADUS_INLINED {
                                                     return expm1<T>(is_float<T> ? max(Double(-range), part) : part);
                                                   },
                                                   v);
    store_narrow(y + i, where_greater(v, Doubles(0), v, Doubles(alpha) * below), lanes);
  });
}

template <class T>
[[gnu::flatten]] void elu_backward(T* dx, const T* dy, const T* x, double alpha, int64_t n) {
  each_long(
      dx, n,
      [scale = Pack<T>(static_cast<T>(alpha))](Pack<T> d, Pack<T> v) {
        const Pack<T> e = in_double(
            [](Doubles w) {
              return each_part_long([](Double p) GRADUS_INLINED { return exp_of_difference<T>(p); }, w);
            },
            v);
        return d * where_greater(v, Pack<T>(0), Pack<T>(1), e * scale);
      },
      dy, x);
}

}  // namespace
}  // namespace gradus::body
