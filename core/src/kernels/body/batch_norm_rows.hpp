// BatchNorm of (N, C). The array is walked in blocks of rows, sixteen channels at a time, so that the numbers of a
// channel are loaded once for a block. Strips of columns bound how much is touched between two passes over the same
// elements.
#pragma once

#include "batch_norm.hpp"

namespace gradus::body {
namespace {

constexpr int64_t kStrip = 1024;                    // columns
constexpr int64_t kRowsAtOnce = 4;                  // as many streams as processors prefetch
constexpr int64_t kInCache = (256 << 10) / kFloat;  // elements of an array that stays near the processor

/// f(j, end) for strips of the columns [first, last).
template <class F>
GRADUS_INLINE void each_strip(int64_t first, int64_t last, F f) {
  for (int64_t j = first; j < last; j += kStrip) f(j, j + kStrip < last ? j + kStrip : last);
}

/// f(i, end, j, lanes) for blocks of rows and in them for groups of the columns [first, last). Full groups have lanes
/// of type Whole. A small array is one block.
template <class Whole = All, class F>
GRADUS_INLINE void each_block(BatchShape shape, int64_t first, int64_t last, F f) {
  const int64_t rows = shape.n * shape.c <= kInCache ? shape.n : kRowsAtOnce;
  for (int64_t i = 0; i < shape.n; i += rows) {
    const int64_t end = i + rows < shape.n ? i + rows : shape.n;
    each_group<Whole>(first, last, [=](int64_t j, auto lanes) { f(i, end, j, lanes); });
  }
}

/// Sums of x into s and of x^2 into q.
void sums_of_x(double* s, double* q, const BatchNormForward& pass, int64_t first, int64_t last) {
  const int64_t c = pass.shape.c;
  const float* const x = pass.x;
  each_block(pass.shape, first, last, [=](int64_t i, int64_t end, int64_t j, auto lanes) {
    Doubles sum = i ? load(s + j, lanes) : Doubles(0), squares = i ? load(q + j, lanes) : Doubles(0);
    const float* at = x + i * c + j;
    for (int64_t r = i; r < end; ++r, at += c) {
      const Doubles v = load_wide(at, lanes);
      sum = sum + v;
      squares = add_product(v, v, squares);
    }
    store(s + j, sum, lanes);
    store(q + j, squares, lanes);
  });
}

/// From the sums in `mean` and `var` to mean, variance and rstd. Returns whether all are finite.
bool finish_statistics(const BatchNormForward& pass, int64_t first, int64_t last) {
  const int64_t n = pass.shape.n, c = pass.shape.c;
  bool all_finite = true;
  each_group(first, last, [&](int64_t j, auto lanes) {
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
    store(pass.mean + j, mean, lanes);
    store(pass.var + j, var, lanes);
    store(pass.rstd + j, reciprocal_std(var, pass.eps), lanes);
    all_finite = all_finite && finite(mean) && finite(var);
  });
  return all_finite;
}

template <class Whole>
void normalise(const BatchNormApply& pass, int64_t first, int64_t last) {
  each_block<Whole>(pass.shape, first, last, [&](int64_t i, int64_t end, int64_t j, auto lanes) {
    const Affine normalised = affine_of(pass, j, lanes);
    const int64_t c = pass.shape.c;
    const float* x = pass.x + i * c + j;
    float* y = pass.y + i * c + j;
    for (int64_t r = i; r < end; ++r, x += c, y += c) store_narrow(y, normalised(load_wide(x, lanes)), lanes);
  });
}
void normalise_rows(const BatchNormApply& pass, int64_t first, int64_t last) {
  return pass.stream ? normalise<Stream>(pass, first, last) : normalise<All>(pass, first, last);
}

bool batch_norm_rows(const BatchNormForward& pass, int64_t first, int64_t last) {
  bool all_finite = true;
  each_strip(first, last, [&](int64_t j, int64_t end) {
    sums_of_x(pass.mean, pass.var, pass, j, end);
    all_finite = finish_statistics(pass, j, end) && all_finite;
    normalise_rows(application(pass), j, end);
  });
  return all_finite;
}

/// Three numbers of every channel of a strip.
struct StripNumbers {
  double a[kStrip], b[kStrip], c[kStrip];
};

/// Sums of dy into s and of dy x into p, both of columns first and on.
void sums_of_dy(double* s, double* p, const BatchNormBackward& pass, int64_t first, int64_t last) {
  const int64_t c = pass.shape.c;
  each_block(pass.shape, first, last, [=, &pass](int64_t i, int64_t end, int64_t j, auto lanes) {
    double *const s_j = s + j - first, *const p_j = p + j - first;
    Doubles sum = i ? load(s_j, lanes) : Doubles(0), products = i ? load(p_j, lanes) : Doubles(0);
    const float *x = pass.x + i * c + j, *dy = pass.dy + i * c + j;
    for (int64_t r = i; r < end; ++r, x += c, dy += c) {
      const Doubles g = load_wide(dy, lanes);
      sum = add_by_multiplier(g, sum);
      products = add_product(g, load_wide(x, lanes), products);
    }
    store(s_j, sum, lanes);
    store(p_j, products, lanes);
  });
}

/// Writes dweight and dbias from the sums of dy in `numbers.a` and of dy x in `numbers.b`, and replaces these by what
/// dx needs.
void finish_gradient(StripNumbers& numbers, const BatchNormBackward& pass, int64_t first, int64_t last) {
  const int64_t n = pass.shape.n, c = pass.shape.c;
  each_group(first, last, [&](int64_t j, auto lanes) {
    double *const a = numbers.a + j - first, *const b = numbers.b + j - first;
    const Doubles mean = load(pass.mean + j, lanes), rstd = load(pass.rstd + j, lanes), dbias = load(a, lanes);
    Doubles dweight = load(b, lanes) - mean * dbias;
    if (!well_centered(mean, load(pass.var + j, lanes))) {
      dweight = Doubles(0);
      for (int64_t i = 0; i < n; ++i) {
        dweight = dweight + load_wide(pass.dy + i * c + j, lanes) * (load_wide(pass.x + i * c + j, lanes) - mean);
      }
    }
    dweight = dweight * rstd;
    if (pass.dweight) store_narrow(pass.dweight + j, dweight, lanes);
    if (pass.dbias) store_narrow(pass.dbias + j, dbias, lanes);
    const Doubles weight = pass.weight ? load_wide(pass.weight + j, lanes) : Doubles(1);
    const InputGradient dx(weight, mean, rstd, dweight, dbias, static_cast<double>(n));
    store(a, dx.from_dy, lanes);
    store(b, dx.from_x, lanes);
    store(numbers.c + j - first, dx.constant, lanes);
  });
}

template <class Whole>
void input_gradient(const StripNumbers& numbers, const BatchNormBackward& pass, int64_t first, int64_t last) {
  each_block<Whole>(pass.shape, first, last, [&](int64_t i, int64_t end, int64_t j, auto lanes) {
    const Doubles from_dy = load(numbers.a + j - first, lanes);
    const InputGradient gradient(from_dy, load(numbers.b + j - first, lanes), load(numbers.c + j - first, lanes));
    const int64_t c = pass.shape.c;
    const float *x = pass.x + i * c + j, *dy = pass.dy + i * c + j;
    float* dx = pass.dx + i * c + j;
    if (pass.batch_statistics) {
      for (int64_t r = i; r < end; ++r, x += c, dy += c, dx += c) {
        store_narrow(dx, gradient(load_wide(dy, lanes), load_wide(x, lanes)), lanes);
      }
    } else {
      for (int64_t r = i; r < end; ++r, dy += c, dx += c) store_narrow(dx, load_wide(dy, lanes) * from_dy, lanes);
    }
  });
}

void batch_norm_rows_backward(const BatchNormBackward& pass, int64_t first, int64_t last) {
  StripNumbers numbers;
  each_strip(first, last, [&](int64_t j, int64_t end) {
    sums_of_dy(numbers.a, numbers.b, pass, j, end);
    finish_gradient(numbers, pass, j, end);
    if (!pass.dx) return;
    pass.stream ? input_gradient<Stream>(numbers, pass, j, end) : input_gradient<All>(numbers, pass, j, end);
  });
}

}  // namespace
}  // namespace gradus::body
