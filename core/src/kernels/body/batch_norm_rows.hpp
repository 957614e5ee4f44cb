// BatchNorm of (N, C). The array is walked in blocks of eight rows, sixteen channels at a time: eight rows are as many
// streams as a processor prefetches, and the numbers of a channel are loaded once for eight elements. Strips of columns
// bound how much is touched between two passes over the same elements.
#pragma once

#include "batch_norm.hpp"

namespace gradus::body {
namespace {

template <int n>
struct Rows {
  static constexpr int count = n;
};

/// f(i, Rows) for blocks of eight rows, then for the remaining rows one by one.
template <class F>
GRADUS_INLINE void each_row_block(int64_t n, F f) {
  int64_t i = 0;
  for (; i + 8 <= n; i += 8) f(i, Rows<8>());
  for (; i < n; ++i) f(i, Rows<1>());
}

constexpr int64_t kStrip = 256;  // columns

template <class F>
GRADUS_INLINE void each_strip(int64_t first, int64_t last, F f) {
  for (int64_t j = first; j < last; j += kStrip) f(j, j + kStrip < last ? j + kStrip : last);
}

/// Adds x to s and x^2 to q, both (C).
void sums_of_x(double* s, double* q, const float* x, int64_t n, int64_t c, int64_t first, int64_t last) {
  each_row_block(n, [=](int64_t i, auto rows) {
    each_group(first, last, [=](int64_t j, auto lanes) {
      Doubles sum = i ? load(s + j, lanes) : Doubles(0), squares = i ? load(q + j, lanes) : Doubles(0);
      for (int r = 0; r < rows.count; ++r) {
        const Doubles v = load_wide(x + (i + r) * c + j, lanes);
        sum = sum + v;
        squares = add_product(v, v, squares);
      }
      store(s + j, sum, lanes);
      store(q + j, squares, lanes);
    });
  });
}

/// From the sums in `mean` and `var` to mean, variance and rstd. Returns whether all are finite.
bool finish_statistics(const BatchNormForward& pass, int64_t first, int64_t last) {
  const int64_t n = pass.shape.n, c = pass.shape.c;
  bool all_finite = true;
  each_group(first, last, [&](int64_t j, auto lanes) {
    const Doubles count(static_cast<double>(n)), m = load(pass.mean + j, lanes) / count;
    Doubles v = load(pass.var + j, lanes) / count - m * m;
    if (!well_centred(m, v)) {
      v = Doubles(0);
      for (int64_t i = 0; i < n; ++i) {
        const Doubles d = load_wide(pass.x + i * c + j, lanes) - m;
        v = v + d * d;
      }
      v = v / count;
    }
    store(pass.mean + j, m, lanes);
    store(pass.var + j, v, lanes);
    store(pass.rstd + j, reciprocal_std(v, pass.eps), lanes);
    all_finite = all_finite && finite(m) && finite(v);
  });
  return all_finite;
}

void normalise_rows(const BatchNormApply& pass, int64_t first, int64_t last) {
  const int64_t c = pass.shape.c;
  each_row_block(pass.shape.n, [&](int64_t i, auto rows) {
    each_group(first, last, [&](int64_t j, auto lanes) {
      const Doubles m = load(pass.mean + j, lanes), scale = load(pass.rstd + j, lanes);
      const Affine y{m, pass.weight ? scale * load_wide(pass.weight + j, lanes) : scale,
                     pass.bias ? load_wide(pass.bias + j, lanes) : Doubles(0)};
      const float* in = pass.x + i * c + j;
      float* out = pass.y + i * c + j;
      if (pass.stream) {
        for (int r = 0; r < rows.count; ++r) stream_narrow(out + r * c, y(load_wide(in + r * c, lanes)));
      } else {
        for (int r = 0; r < rows.count; ++r) store_narrow(out + r * c, y(load_wide(in + r * c, lanes)), lanes);
      }
    });
  });
}

bool batch_norm_rows(const BatchNormForward& pass, int64_t first, int64_t last) {
  bool all_finite = true;
  each_strip(first, last, [&](int64_t j, int64_t end) {
    sums_of_x(pass.mean, pass.var, pass.x, pass.shape.n, pass.shape.c, j, end);
    all_finite = finish_statistics(pass, j, end) && all_finite;
    normalise_rows(application(pass), j, end);
  });
  return all_finite;
}

/// Adds dy to s and dy x to p, both (C).
void sums_of_dy(double* s, double* p, const BatchNormBackward& pass, int64_t first, int64_t last) {
  const int64_t c = pass.shape.c;
  each_row_block(pass.shape.n, [&](int64_t i, auto rows) {
    each_group(first, last, [&](int64_t j, auto lanes) {
      Doubles sum = i ? load(s + j - first, lanes) : Doubles(0), products = i ? load(p + j - first, lanes) : Doubles(0);
      for (int r = 0; r < rows.count; ++r) {
        const Doubles g = load_wide(pass.dy + (i + r) * c + j, lanes);
        sum = sum + g;
        products = add_product(g, load_wide(pass.x + (i + r) * c + j, lanes), products);
      }
      store(s + j - first, sum, lanes);
      store(p + j - first, products, lanes);
    });
  });
}

struct StripGradient {
  double from_dy[kStrip], from_x[kStrip], constant[kStrip];
};

/// Writes dweight and dbias from the sums in `strip.constant` (dy) and `strip.from_x` (dy x), and prepares dx.
void finish_gradient(StripGradient& strip, const BatchNormBackward& pass, int64_t first, int64_t last) {
  const int64_t n = pass.shape.n, c = pass.shape.c;
  each_group(first, last, [&](int64_t j, auto lanes) {
    const Doubles m = load(pass.mean + j, lanes), r = load(pass.rstd + j, lanes),
                  dbias = load(strip.constant + j - first, lanes);
    Doubles dweight = load(strip.from_x + j - first, lanes) - m * dbias;
    if (!well_centred(m, load(pass.var + j, lanes))) {
      dweight = Doubles(0);
      for (int64_t i = 0; i < n; ++i) {
        dweight = dweight + load_wide(pass.dy + i * c + j, lanes) * (load_wide(pass.x + i * c + j, lanes) - m);
      }
    }
    dweight = dweight * r;
    if (pass.dweight) store_narrow(pass.dweight + j, dweight, lanes);
    if (pass.dbias) store_narrow(pass.dbias + j, dbias, lanes);
    const Doubles weight = pass.weight ? load_wide(pass.weight + j, lanes) : Doubles(1);
    const InputGradient dx(weight, m, r, dweight, dbias, static_cast<double>(n));
    store(strip.from_dy + j - first, dx.from_dy, lanes);
    store(strip.from_x + j - first, dx.from_x, lanes);
    store(strip.constant + j - first, dx.constant, lanes);
  });
}

void input_gradient_rows(const StripGradient& strip, const BatchNormBackward& pass, int64_t first, int64_t last) {
  const int64_t c = pass.shape.c;
  each_row_block(pass.shape.n, [&](int64_t i, auto rows) {
    each_group(first, last, [&](int64_t j, auto lanes) {
      InputGradient gradient;
      gradient.from_dy = load(strip.from_dy + j - first, lanes);
      gradient.from_x = load(strip.from_x + j - first, lanes);
      gradient.constant = load(strip.constant + j - first, lanes);
      for (int r = 0; r < rows.count; ++r) {
        const int64_t at = (i + r) * c + j;
        const Doubles dx = pass.batch_statistics
                               ? gradient(load_wide(pass.dy + at, lanes), load_wide(pass.x + at, lanes))
                               : load_wide(pass.dy + at, lanes) * gradient.from_dy;
        if (pass.stream) {
          stream_narrow(pass.dx + at, dx);
        } else {
          store_narrow(pass.dx + at, dx, lanes);
        }
      }
    });
  });
}

void batch_norm_rows_backward(const BatchNormBackward& pass, int64_t first, int64_t last) {
  StripGradient strip;
  each_strip(first, last, [&](int64_t j, int64_t end) {
    sums_of_dy(strip.constant, strip.from_x, pass, j, end);
    finish_gradient(strip, pass, j, end);
    if (pass.dx) input_gradient_rows(strip, pass, j, end);
  });
}

}  // namespace
}  // namespace gradus::body
