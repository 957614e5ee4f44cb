// BatchNorm of (N, C). The array is walked in blocks of rows, sixteen channels at a time, so that the numbers of a
// channel are loaded once for a block. Strips of columns bound how much is touched between two passes over the same
// elements.
#pragma once

#include "kernels/batch_norm_body.hpp"
#include "kernels/body/sums.hpp"

namespace gradus::body {
namespace {

constexpr int64_t rows_at_once = 4;  // as many streams as processors prefetch

/// f(j, end) for strips of the columns [first, last).
template <class F>
GRADUS_INLINE void each_strip(int64_t first, int64_t last, F f) {
  for (int64_t j = first; j < last; j += strip_of_sums) f(j, j + strip_of_sums < last ? j + strip_of_sums : last);
}

/// How many rows a block has: all of an array that stays near the processor. To write down the columns of a larger one,
/// or of rows half a page or more apart, takes up to twice as long.
template <class T>
int64_t rows_of_block(BatchShape shape) {
  const int64_t row = shape.c * int64_t{sizeof(T)};
  return row < 2048 && shape.n * row <= 128 << 10 ? shape.n : rows_at_once;
}

/// f(i, end, j, lanes) for blocks of rows and in them for groups of the columns [first, last). Full groups have lanes
/// of type Whole.
template <class Whole = All, template <class> class Pass, class T, class F>
GRADUS_INLINE void each_block(const Pass<T>& pass, int64_t first, int64_t last, F f) {
  const int64_t n = pass.shape.n, rows = rows_of_block<T>(pass.shape);
  for (int64_t i = 0; i < n; i += rows) {
    const int64_t end = i + rows < n ? i + rows : n;
    each_group<Whole>(first, last, [=](int64_t j, auto lanes) GRADUS_INLINED { f(i, end, j, lanes); });
  }
}

/// Sums of floats x into s and of x^2 into q.
inline void sums_of_x(double* s, double* q, const BatchNormForward<float>& pass, int64_t first, int64_t last) {
  const int64_t c = pass.shape.c;
  const float* const x = pass.x;
  each_block(pass, first, last, [=](int64_t i, int64_t end, int64_t j, auto lanes) GRADUS_INLINED {
    Doubles sum = i ? load(s + j, lanes) : Doubles(0), squares = i ? load(q + j, lanes) : Doubles(0);
    const float* at = x + i * c + j;
    for (int64_t r = i; r < end; ++r, at += c) {
      const Doubles v = load_wide(at, lanes);
      sum = sum + v;
      squares = multiply_add(v, v, squares);
    }
    store(s + j, sum, lanes);
    store(q + j, squares, lanes);
  });
}

/// Mean, variance and rstd of floats. Returns whether all are finite.
inline bool statistics_of_rows(const BatchNormForward<float>& pass, int64_t first, int64_t last) {
  const int64_t n = pass.shape.n, c = pass.shape.c;
  sums_of_x(pass.mean, pass.var, pass, first, last);
  bool all_finite = true;
  each_group(first, last, [&](int64_t j, auto lanes) GRADUS_INLINED {
    const Doubles count(static_cast<double>(n)), mean = load(pass.mean + j, lanes) / count;
    Doubles var = load(pass.var + j, lanes) / count - mean * mean;
    if (!well_centered(mean, var)) {
      var = Doubles(0);
      for (int64_t i = 0; i < n; ++i) {
        const Doubles d = load_wide(pass.x + i * c + j, lanes) - mean;
        var = var + d * d;
      }
      var = var / count;
    }
    all_finite = store_statistics(pass, j, mean, var, lanes) && all_finite;
  });
  return all_finite;
}

/// The same of doubles of a strip, with the low parts of their means.
inline bool statistics_of_rows(const BatchNormForward<double>& pass, int64_t first, int64_t last) {
  const int64_t c = pass.shape.c;
  const Doubles count(static_cast<double>(pass.shape.n));
  StripOfSums<double> sums, squares;
  const auto group = [=](int64_t j) { return (j - first) / lane_count; };
  each_block(pass, first, last, [&](int64_t i, int64_t end, int64_t j, auto lanes) GRADUS_INLINED {
    CompensatedSum sum = i ? sums.group[group(j)] : CompensatedSum();
    for (int64_t r = i; r < end; ++r) sum.add(load(pass.x + r * c + j, lanes));
    sums.group[group(j)] = sum;
  });
  each_group(first, last, [&](int64_t j, auto lanes) GRADUS_INLINED {
    store(pass.mean + j, sums.group[group(j)].value() / count, lanes);
  });
  each_block(pass, first, last, [&](int64_t i, int64_t end, int64_t j, auto lanes) GRADUS_INLINED {
    const Doubles near = load(pass.mean + j, lanes);
    CompensatedSum sum = i ? sums.group[group(j)] : CompensatedSum();
    CompensatedSum square = i ? squares.group[group(j)] : CompensatedSum();
    for (int64_t r = i; r < end; ++r) {
      const Doubles d = load(pass.x + r * c + j, lanes) - near;
      sum.add(d);
      square.add(d * d);
    }
    sums.group[group(j)] = sum;
    squares.group[group(j)] = square;
  });
  bool all_finite = true;
  each_group(first, last, [&](int64_t j, auto lanes) GRADUS_INLINED {
    const Statistics s = statistics_about(load(pass.mean + j, lanes), sums.group[group(j)].value(),
                                          squares.group[group(j)].value(), count);
    store(pass.low + j, s.low, lanes);
    all_finite = store_statistics(pass, j, s.mean, s.var, lanes) && all_finite;
  });
  return all_finite;
}

template <class Whole, class T>
void normalise(const BatchNormForward<T>& pass, int64_t first, int64_t last) {
  each_block<Whole>(pass, first, last, [&](int64_t i, int64_t end, int64_t j, auto lanes) GRADUS_INLINED {
    const Affine<T> normalised{load(pass.mean + j, lanes),
                               is_float<T> || !pass.low ? Doubles(0) : load(pass.low + j, lanes),
                               load(pass.rstd + j, lanes), pass.weight ? load_wide(pass.weight + j, lanes) : Doubles(1),
                               pass.bias ? load_wide(pass.bias + j, lanes) : Doubles(0)};
    const int64_t c = pass.shape.c;
    const T* x = pass.x + i * c + j;
    T* y = pass.y + i * c + j;
    for (int64_t r = i; r < end; ++r, x += c, y += c) store_narrow(y, normalised(load_wide(x, lanes)), lanes);
  });
}
template <class T>
void normalise_rows(const BatchNormForward<T>& pass, int64_t first, int64_t last) {
  return pass.stream ? normalise<StreamOf<T>>(pass, first, last) : normalise<All>(pass, first, last);
}

/// Statistics, and y unless it is null.
template <class T>
bool batch_norm_rows(const BatchNormForward<T>& pass, int64_t first, int64_t last) {
  bool all_finite = true;
  each_strip(first, last, [&](int64_t j, int64_t end) GRADUS_INLINED {
    all_finite = statistics_of_rows(pass, j, end) && all_finite;
    if (pass.y) normalise_rows(pass, j, end);
  });
  return all_finite;
}

/// The rows of pass.sums; `low` is what the means of doubles lack.
template <class T>
struct ChannelSums {
  double *a, *b, *low;
  explicit ChannelSums(const BatchNormBackward<T>& pass) : a(pass.sums), b(a + pass.shape.c), low(b + pass.shape.c) {}
};

/// Sums of dy into a, and into b those of dy x.
inline void sums_of_dy(const BatchNormBackward<float>& pass, int64_t first, int64_t last) {
  const ChannelSums sums(pass);
  const int64_t c = pass.shape.c;
  each_block(pass, first, last, [=, &pass](int64_t i, int64_t end, int64_t j, auto lanes) GRADUS_INLINED {
    double *const s = sums.a + j, *const p = sums.b + j;
    Doubles sum = i ? load(s, lanes) : Doubles(0), products = i ? load(p, lanes) : Doubles(0);
    const float *x = pass.x + i * c + j, *dy = pass.dy + i * c + j;
    for (int64_t r = i; r < end; ++r, x += c, dy += c) {
      const Doubles g = load_wide(dy, lanes);
      sum = add_by_multiplier(g, sum);
      products = multiply_add(g, load_wide(x, lanes), products);
    }
    store(s, sum, lanes);
    store(p, products, lanes);
  });
}

/// The sum of dy (x - mean - low).
template <class T, class Lanes>
GRADUS_INLINE Doubles sum_of_products(const BatchNormBackward<T>& pass, Doubles mean, Doubles low, int64_t j,
                                      Lanes lanes) {
  const int64_t n = pass.shape.n, c = pass.shape.c;
  Sum<T> products;
  for (int64_t i = 0; i < n; ++i) {
    products.add(load_wide(pass.dy + i * c + j, lanes) * ((load_wide(pass.x + i * c + j, lanes) - mean) - low));
  }
  return products.value();
}

/// Sums of dy and of dy (x - mean), of columns [first, last).
inline void sums_about_mean(const BatchNormBackward<float>& pass, int64_t first, int64_t last) {
  const ChannelSums sums(pass);
  sums_of_dy(pass, first, last);
  each_group(first, last, [&](int64_t j, auto lanes) GRADUS_INLINED {
    double* const p = sums.b + j;
    const Doubles mean = load(pass.mean + j, lanes);
    const bool near = well_centered(mean, load(pass.var + j, lanes));
    store(p, near ? load(p, lanes) - mean * load(sums.a + j, lanes) : sum_of_products(pass, mean, Doubles(0), j, lanes),
          lanes);
  });
}
inline void sums_about_mean(const BatchNormBackward<double>& pass, int64_t first, int64_t last) {
  const ChannelSums sums(pass);
  const int64_t n = pass.shape.n, c = pass.shape.c;
  each_group(first, last, [&](int64_t j, auto lanes) GRADUS_INLINED {
    const Doubles mean = load(pass.mean + j, lanes);
    CompensatedSum sum, deviations;
    for (int64_t i = 0; i < n; ++i) {
      sum.add(load(pass.dy + i * c + j, lanes));
      deviations.add(load(pass.x + i * c + j, lanes) - mean);
    }
    const Doubles low = pass.batch_statistics ? deviations.value() / Doubles(static_cast<double>(n)) : Doubles(0);
    store(sums.a + j, sum.value(), lanes);
    store(sums.b + j, sum_of_products(pass, mean, low, j, lanes), lanes);
    store(sums.low + j, low, lanes);
  });
}

/// Writes dweight and dbias from the sums, and replaces these by the means that dx needs.
template <class T>
void finish_gradient(const BatchNormBackward<T>& pass, int64_t first, int64_t last) {
  const ChannelSums sums(pass);
  const Doubles count(static_cast<double>(pass.shape.n));
  each_group(first, last, [&](int64_t j, auto lanes) GRADUS_INLINED {
    double *const a = sums.a + j, *const b = sums.b + j;
    const Doubles dbias = load(a, lanes), dweight = load(b, lanes) * load(pass.rstd + j, lanes);
    if (pass.dweight) store_narrow(pass.dweight + j, dweight, lanes);
    if (pass.dbias) store_narrow(pass.dbias + j, dbias, lanes);
    store(a, dbias / count, lanes);
    store(b, dweight / count, lanes);
  });
}

template <class Whole, class T>
void input_gradient(const BatchNormBackward<T>& pass, int64_t first, int64_t last) {
  const ChannelSums sums(pass);
  each_block<Whole>(pass, first, last, [&](int64_t i, int64_t end, int64_t j, auto lanes) GRADUS_INLINED {
    const Doubles rstd = load(pass.rstd + j, lanes);
    const Doubles scale = pass.weight ? load_wide(pass.weight + j, lanes) * rstd : rstd;
    const InputGradient<T> gradient{scale,
                                    load(sums.a + j, lanes),
                                    load(sums.b + j, lanes),
                                    load(pass.mean + j, lanes),
                                    is_float<T> ? Doubles(0) : load(sums.low + j, lanes),
                                    rstd};
    const int64_t c = pass.shape.c;
    const T *x = pass.x + i * c + j, *dy = pass.dy + i * c + j;
    T* dx = pass.dx + i * c + j;
    if (pass.batch_statistics) {
      for (int64_t r = i; r < end; ++r, x += c, dy += c, dx += c) {
        store_narrow(dx, gradient(load_wide(dy, lanes), load_wide(x, lanes)), lanes);
      }
    } else {
      for (int64_t r = i; r < end; ++r, dy += c, dx += c) store_narrow(dx, load_wide(dy, lanes) * scale, lanes);
    }
  });
}

template <class T>
void input_gradient_rows(const BatchNormBackward<T>& pass, int64_t first, int64_t last) {
  return pass.stream ? input_gradient<StreamOf<T>>(pass, first, last) : input_gradient<All>(pass, first, last);
}

/// dweight, dbias and sums, and dx unless it is null.
template <class T>
void batch_norm_rows_backward(const BatchNormBackward<T>& pass, int64_t first, int64_t last) {
  each_strip(first, last, [&](int64_t j, int64_t end) GRADUS_INLINED {
    sums_about_mean(pass, j, end);
    finish_gradient(pass, j, end);
    if (pass.dx) input_gradient_rows(pass, j, end);
  });
}

}  // namespace
}  // namespace gradus::body
