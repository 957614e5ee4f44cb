// softmax and log_softmax along rows, in double. A long row fills the lanes and leaves its exponentials in `scratch`;
// of short rows sixteen are taken at a time, each in a lane of its own, so that few classes waste nothing.
#pragma once

#include "kernels/body/transcendental.hpp"
#include "kernels/lane_sums.hpp"

namespace gradus::body {
namespace {

constexpr bool fills_lanes(int64_t cols) { return cols >= lane_count; }

template <class T>
GRADUS_INLINE Doubles exp_of(Doubles x) {
  return each_part_long([](Double v) GRADUS_INLINED { return exp_of_difference<T>(v); }, x);
}
template <class T>
GRADUS_INLINE Doubles log_of(Doubles x) {
  return each_part_long([](Double v) GRADUS_INLINED { return log<T>(v); }, x);
}

// ------------------------------------------------------------------------------------------------------ a long row
/// The largest element of at least sixteen.
template <class T>
GRADUS_INLINE double largest(const T* x, int64_t cols) {
  Pack<T> top = load(x);
  const auto look = [&top](Pack<T> v) {
    top = each_part([](auto p, auto q) GRADUS_INLINED { return max(p, q); }, v, top);
  };
  for (int64_t j = lane_count; j + lane_count <= cols; j += lane_count) look(load(x + j));
  look(load(x + cols - lane_count));
  T lane[lane_count];
  store(lane, top);
  for (int half = lane_count / 2; half > 0; half /= 2) {
    for (int i = 0; i < half; ++i) lane[i] = lane[i + half] > lane[i] ? lane[i + half] : lane[i];
  }
  return lane[0];
}

/// The sum of exp(x - top); each goes to `exponentials`, unless that is null.
template <class T>
GRADUS_INLINE double sum_of_exp(const T* x, int64_t cols, double top, double* exponentials) {
  Doubles total(0);
  each_group_long(0, cols, [&](int64_t j, auto lanes) {
    const Doubles e = exp_of<T>(load_wide(x + j, lanes) - Doubles(top));
    if (exponentials) store(exponentials + j, e, lanes);
    total = total + only(e, lanes);
  });
  return sum_of_lanes(total);
}

// ----------------------------------------------------------------------------------------------------- short rows
/// The first of `rows` rows' elements, `cols` apart; in lanes of no row 0.
template <class T>
[[gnu::noinline]] void copy_column(double* lane, const T* x, int64_t cols, int rows) {
#pragma GCC unroll 1
  for (int i = 0; i < rows; ++i) lane[i] = static_cast<double>(x[i * cols]);
#pragma GCC unroll 1
  for (int i = rows; i < lane_count; ++i) lane[i] = 0;
}

/// Up to sixteen neighbouring rows of an array with `cols` columns.
template <class T>
struct RowGroup {
  T* x;
  int64_t cols;
  First rows;

  GRADUS_INLINE Doubles column(int64_t j) const {
    double lane[lane_count];
    copy_column(lane, x + j, cols, rows.n);
    return load(lane);
  }
  GRADUS_INLINE void set_column(int64_t j, Doubles values) const {
    T lane[lane_count];
    store_narrow(lane, values, All());
#pragma GCC unroll 1
    for (int i = 0; i < rows.n; ++i) x[i * cols + j] = lane[i];
  }
};

template <class F>
GRADUS_INLINE void each_row_group(int64_t rows, F f) {
  for (int64_t i = 0; i < rows; i += lane_count)
    f(i, First{static_cast<int>(rows - i < lane_count ? rows - i : lane_count)});
}

struct Normaliser {
  Doubles top;    // the largest of the row
  Doubles total;  // sum of exp(x - top)
};
template <class T>
[[gnu::noinline]] Normaliser normaliser(RowGroup<const T> x) {
  double columns[lane_count * lane_count];
  for (int64_t j = 0; j < x.cols; ++j) copy_column(columns + j * lane_count, x.x + j, x.cols, x.rows.n);
  const auto column = [&](int64_t j) GRADUS_INLINED { return load(columns + j * lane_count); };
  Doubles top(-__builtin_inf());  // also of no columns
  for (int64_t j = 0; j < x.cols; ++j) {
    top = each_part([](auto p, auto q) GRADUS_INLINED { return max(p, q); }, column(j), top);
  }
  Doubles total(0);
  for (int64_t j = 0; j < x.cols; ++j) total = total + exp_of<T>(column(j) - top);
  return {top, total};
}

/// Of long rows, or of short ones, each in a lane.
template <class T>
[[gnu::noinline]] Normaliser normaliser_of_rows(RowGroup<const T> x) {
  if (!fills_lanes(x.cols)) return normaliser(x);
  double top[lane_count] = {}, total[lane_count] = {};
  for (int i = 0; i < x.rows.n; ++i) {
    const T* const row = x.x + i * x.cols;
    top[i] = largest(row, x.cols);
    total[i] = sum_of_exp(row, x.cols, top[i], nullptr);
  }
  return {load(top), load(total)};
}

// --------------------------------------------------------------------------------------------------------- kernels
template <class T>
[[gnu::flatten]] void softmax(T* y, const T* x, int64_t rows, int64_t cols, double* scratch) {
  if (fills_lanes(cols)) {
    for (int64_t i = 0; i < rows; ++i, x += cols, y += cols) {
      const double top = largest(x, cols);
      const Doubles shift(top), scale(1 / sum_of_exp(x, cols, top, scratch));
      each_group_long(0, cols, [=](int64_t j, auto lanes) {
        const Doubles e = scratch ? load(scratch + j, lanes) : exp_of<T>(load_wide(x + j, lanes) - shift);
        store_narrow(y + j, e * scale, lanes);
      });
    }
    return;
  }
  each_row_group(rows, [=](int64_t i, First lanes) {
    const RowGroup<const T> in{x + i * cols, cols, lanes};
    const RowGroup<T> out{y + i * cols, cols, lanes};
    const Normaliser n = normaliser(in);
    for (int64_t j = 0; j < cols; ++j) out.set_column(j, exp_of<T>(in.column(j) - n.top) / n.total);
  });
}

// Sixteen rows wait for one logarithm.
template <class T>
[[gnu::flatten]] void log_sum_exp(double* y, const T* x, int64_t rows, int64_t cols) {
  each_row_group(rows, [=](int64_t i, First lanes) {
    const Normaliser n = normaliser_of_rows(RowGroup<const T>{x + i * cols, cols, lanes});
    store(y + i, n.top + log_of<T>(n.total), lanes);
  });
}

template <class T>
[[gnu::flatten]] void log_softmax(T* y, const T* x, int64_t rows, int64_t cols, double*) {
  each_row_group(rows, [=](int64_t first, First group) {
    const RowGroup<const T> in{x + first * cols, cols, group};
    const RowGroup<T> out{y + first * cols, cols, group};
    const Normaliser n = normaliser_of_rows(in);
    const Doubles log_total = log_of<T>(n.total);
    if (!fills_lanes(cols)) {
      for (int64_t j = 0; j < cols; ++j) out.set_column(j, (in.column(j) - n.top) - log_total);
      return;
    }
    double top[lane_count], log_totals[lane_count];
    store(top, n.top), store(log_totals, log_total);
    for (int i = 0; i < group.n; ++i) {
      const T* const row = in.x + i * cols;
      T* const to = out.x + i * cols;
      each_group(0, cols, [=, shift = Doubles(top[i]), log_sum = Doubles(log_totals[i])](int64_t j, auto lanes) {
        store_narrow(to + j, (load_wide(row + j, lanes) - shift) - log_sum, lanes);
      });
    }
  });
}

template <class T>
[[gnu::flatten]] void softmax_backward(T* dx, const T* dy, const T* y, int64_t rows, int64_t cols) {
  for (int64_t i = 0; i < rows; ++i, dx += cols, dy += cols, y += cols) {
    Doubles products(0);
    each_group(0, cols, [&](int64_t j, auto lanes) {
      products = products + load_wide(dy + j, lanes) * load_wide(y + j, lanes);
    });
    const Doubles dot(sum_of_lanes(products));
    each_group(0, cols, [=](int64_t j, auto lanes) {
      store_narrow(dx + j, (load_wide(dy + j, lanes) - dot) * load_wide(y + j, lanes), lanes);
    });
  }
}

/// x, or a zero of its sign where an element of T would underflow: 0 - x is then 0 and not -0.
template <class T>
GRADUS_INLINE Doubles flush(Doubles x) {
  if constexpr (!is_float<T>) return x;
  return where_at_most(magnitude(x), Doubles(0x1p-150), x * Doubles(0), x);
}

template <class T>
[[gnu::flatten]] void log_softmax_backward(T* dx, const T* dy, const T* y, int64_t rows, int64_t cols) {
  for (int64_t i = 0; i < rows; ++i, dx += cols, dy += cols, y += cols) {
    Doubles sum(0);
    each_group(0, cols, [&](int64_t j, auto lanes) { sum = sum + load_wide(dy + j, lanes); });
    const Doubles total(sum_of_lanes(sum));
    each_group_long(0, cols, [=](int64_t j, auto lanes) {
      store_narrow(dx + j, load_wide(dy + j, lanes) - flush<T>(exp_of<T>(load_wide(y + j, lanes)) * total), lanes);
    });
  }
}

}  // namespace
}  // namespace gradus::body
