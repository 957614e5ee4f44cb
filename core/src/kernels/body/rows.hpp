// Sums, softmax and what belongs to it, products of a matrix and a vector.
#pragma once

#include "transcendental.hpp"

namespace gradus::body {
namespace {

double sum(const float* x, int64_t n) {
  Doubles total(0);
  each_group(0, n, [&](int64_t i, auto lanes) { total = total + load_wide(x + i, lanes); });
  return sum_of_lanes(total);
}

void column_sums(float* y, const float* x, int64_t rows, int64_t cols, int64_t first, int64_t last) {
  each_group(first, last, [=](int64_t j, auto lanes) {
    Doubles total(0);
    for (int64_t i = 0; i < rows; ++i) total = total + load_wide(x + i * cols + j, lanes);
    store_narrow(y + j, total, lanes);
  });
}

// --------------------------------------------------------------------------------------------------------- softmax
// Sixteen rows at a time, each in a lane of its own, column after column: no sum across lanes, and few classes, the
// usual case, waste nothing.

/// Up to sixteen neighbouring rows of an array with `cols` columns.
template <class T>
struct RowGroup {
  T* x;
  int64_t cols;
  First rows;

  GRADUS_INLINE Doubles column(int64_t j) const {
    float lane[kLanes] = {};
    for (int i = 0; i < rows.n; ++i) lane[i] = x[i * cols + j];
    return load_wide(lane);
  }
  GRADUS_INLINE void set_column(int64_t j, Doubles values) const {
    float lane[kLanes];
    store_narrow(lane, values);
    for (int i = 0; i < rows.n; ++i) x[i * cols + j] = lane[i];
  }
};

template <class F>
GRADUS_INLINE void each_row_group(int64_t rows, F f) {
  for (int64_t i = 0; i < rows; i += kLanes) f(i, First{static_cast<int>(rows - i < kLanes ? rows - i : kLanes)});
}

struct Normaliser {
  Doubles top;    // the largest of the row
  Doubles total;  // sum of exp(x - top)
};
GRADUS_INLINE Normaliser normaliser(RowGroup<const float> x) {
  Doubles top = x.column(0);
  for (int64_t j = 1; j < x.cols; ++j) {
    const Doubles v = x.column(j);
    top = where_greater(v, top, v, top);
  }
  Doubles total(0);
  for (int64_t j = 0; j < x.cols; ++j) total = total + apply<exp>(x.column(j) - top);
  return {top, total};
}

void softmax(float* y, const float* x, int64_t rows, int64_t cols) {
  each_row_group(rows, [=](int64_t i, First lanes) {
    const RowGroup<const float> in{x + i * cols, cols, lanes};
    const RowGroup<float> out{y + i * cols, cols, lanes};
    const Normaliser n = normaliser(in);
    for (int64_t j = 0; j < cols; ++j) out.set_column(j, apply<exp>(in.column(j) - n.top) / n.total);
  });
}
void log_softmax(float* y, const float* x, int64_t rows, int64_t cols) {
  each_row_group(rows, [=](int64_t i, First lanes) {
    const RowGroup<const float> in{x + i * cols, cols, lanes};
    const RowGroup<float> out{y + i * cols, cols, lanes};
    const Normaliser n = normaliser(in);
    const Doubles log_total = apply<log>(n.total);
    for (int64_t j = 0; j < cols; ++j) out.set_column(j, (in.column(j) - n.top) - log_total);
  });
}
void softmax_backward(float* dx, const float* dy, const float* y, int64_t rows, int64_t cols) {
  each_row_group(rows, [=](int64_t i, First lanes) {
    const RowGroup<const float> g{dy + i * cols, cols, lanes}, p{y + i * cols, cols, lanes};
    const RowGroup<float> out{dx + i * cols, cols, lanes};
    Doubles dot(0);
    for (int64_t j = 0; j < cols; ++j) dot = dot + g.column(j) * p.column(j);
    for (int64_t j = 0; j < cols; ++j) out.set_column(j, (g.column(j) - dot) * p.column(j));
  });
}
/// x, or a zero of its sign where a float would underflow: 0 - x is then 0 and not -0.
GRADUS_INLINE Doubles flush(Doubles x) {
  const Doubles half_of_smallest(0x1p-150);
  return where_at_most(magnitude(x), half_of_smallest, x * Doubles(0), x);
}
void log_softmax_backward(float* dx, const float* dy, const float* y, int64_t rows, int64_t cols) {
  each_row_group(rows, [=](int64_t i, First lanes) {
    const RowGroup<const float> g{dy + i * cols, cols, lanes}, log_p{y + i * cols, cols, lanes};
    const RowGroup<float> out{dx + i * cols, cols, lanes};
    Doubles total(0);
    for (int64_t j = 0; j < cols; ++j) total = total + g.column(j);
    for (int64_t j = 0; j < cols; ++j) out.set_column(j, g.column(j) - flush(apply<exp>(log_p.column(j)) * total));
  });
}

void log_sum_exp(double* y, const float* x, int64_t rows, int64_t cols) {
  each_row_group(rows, [=](int64_t i, First lanes) {
    const Normaliser n = normaliser({x + i * cols, cols, lanes});
    store(y + i, n.top + apply<log>(n.total), lanes);
  });
}

/// dx = exp(x - logsumexp) * scale; the caller subtracts the one of the target.
void cross_entropy_backward(float* dx, const float* x, const Classes& classes, const double* logsumexp, double scale) {
  const int64_t cols = classes.cols;
  each_row_group(classes.rows, [&](int64_t i, First lanes) {
    const RowGroup<const float> in{x + i * cols, cols, lanes};
    const RowGroup<float> out{dx + i * cols, cols, lanes};
    double row_scale[kLanes] = {};
    double target[kLanes];
    for (int r = 0; r < lanes.n; ++r) {
      row_scale[r] = classes.target[i + r] == classes.ignored ? 0 : scale;
      target[r] = static_cast<double>(classes.target[i + r]);
    }
    const Doubles k = load(row_scale), lse = load(logsumexp + i, lanes), hot = load(target, lanes);
    for (int64_t j = 0; j < cols; ++j) {
      const Doubles p = apply<exp>(in.column(j) - lse), here(static_cast<double>(j));
      out.set_column(j, where_equal(hot, here, p - Doubles(1), p) * k);
    }
  });
}

// --------------------------------------------------------------------------------------------------------- products
template <int rows>
GRADUS_INLINE void dot_rows(float* y, const float* w, const float* x, const float* bias, int64_t cols) {
  Floats even[rows], odd[rows];
  for (int r = 0; r < rows; ++r) even[r] = odd[r] = Floats(0);
  int64_t j = 0;
  for (; j + 2 * kLanes <= cols; j += 2 * kLanes) {
    const Floats x0 = load(x + j), x1 = load(x + j + kLanes);
    for (int r = 0; r < rows; ++r) {
      even[r] = multiply_add(load(w + r * cols + j), x0, even[r]);
      odd[r] = multiply_add(load(w + r * cols + j + kLanes), x1, odd[r]);
    }
  }
  each_group(j, cols, [&](int64_t i, auto lanes) {
    const Floats x0 = load(x + i, lanes);
    for (int r = 0; r < rows; ++r) even[r] = multiply_add(load(w + r * cols + i, lanes), x0, even[r]);
  });
  for (int r = 0; r < rows; ++r) y[r] = sum_of_lanes(even[r] + odd[r]) + (bias ? bias[r] : 0);
}
void gemv(float* y, const float* w, const float* x, const float* bias, int64_t rows, int64_t cols) {
  int64_t i = 0;
  for (; i + 4 <= rows; i += 4) dot_rows<4>(y + i, w + i * cols, x, bias ? bias + i : nullptr, cols);
  for (; i < rows; ++i) dot_rows<1>(y + i, w + i * cols, x, bias ? bias + i : nullptr, cols);
}

}  // namespace
}  // namespace gradus::body
