// LayerNorm of (rows, cols). What has been summed over a row is read again while it is in the first-level cache;
// backwards a few rows are taken together, for which a column of weight, dweight and dbias is touched once.
#pragma once

#include "kernels/batch_norm_body.hpp"
#include "kernels/body/sums.hpp"

namespace gradus::body {

using nn::kernels::LayerNormBackward;
using nn::kernels::LayerNormForward;

namespace {

GRADUS_INLINE Two<double> values_of(const Two<Total>& t) { return {value_of(t.a), value_of(t.b)}; }

template <class T, class Lanes>
GRADUS_INLINE Doubles value_at(const T* x, int64_t j, Lanes lanes, double otherwise) {
  return x ? load_wide(x + j, lanes) : Doubles(otherwise);
}

struct RowStatistics {
  double mean, low, var;  // low: what a double cannot hold of the mean
};

template <class T>
GRADUS_INLINE RowStatistics statistics_about(double near, const T* x, int64_t n) {
  const auto [deviations, squares] = values_of(totals_of_deviations(x, n, near));
  const double count = static_cast<double>(n), shift = deviations / count, mean = near + shift;
  const double spread = squares - deviations * shift;
  return {mean, (near - mean) + shift, (spread < 0 ? 0 : spread) / count};
}

GRADUS_INLINE RowStatistics statistics_of_row(const float* x, int64_t n) {
  const auto [sum, squares] = values_of(totals_of_both<float>(n, [=](int64_t j, auto lanes) GRADUS_INLINED {
    const Doubles v = load_wide(x + j, lanes);
    return Two<Doubles>{v, v * v};
  }));
  const double count = static_cast<double>(n), mean = sum / count, var = squares / count - mean * mean;
  const bool well_centered = mean * mean <= largest_mean2_over_var * var;
  return well_centered ? RowStatistics{mean, 0, var} : statistics_about(mean, x, n);
}
GRADUS_INLINE RowStatistics statistics_of_row(const double* x, int64_t n) {
  return statistics_about(value_of(total(x, n)) / static_cast<double>(n), x, n);
}

template <class T>
[[gnu::flatten]] void layer_norm(const LayerNormForward<T>& pass, int64_t first, int64_t last) {
  for (int64_t i = first; i < last; ++i) {
    const T* const x = pass.x + i * pass.cols;
    T* const y = pass.y + i * pass.cols;
    const RowStatistics s = statistics_of_row(x, pass.cols);
    const double shifted = s.var + pass.eps, rstd = shifted > 0 ? 1 / __builtin_sqrt(shifted) : 0;
    pass.mean[i] = s.mean, pass.low[i] = s.low, pass.rstd[i] = rstd;
    each_group(0, pass.cols, [&](int64_t j, auto lanes) GRADUS_INLINED {
      const Affine<T> normalised{Doubles(s.mean), Doubles(s.low), Doubles(rstd), value_at(pass.weight, j, lanes, 1),
                                 value_at(pass.bias, j, lanes, 0)};
      store_narrow(y + j, normalised(load_wide(x + j, lanes)), lanes);
    });
  }
}

/// A row of a gradient, with dxhat = dy weight and its means.
template <class T>
struct RowGradient {
  const T *x, *dy;
  double mean, low, rstd;
  Two<double> means;  // of dxhat and of dxhat xhat

  template <class Lanes>
  GRADUS_INLINE Doubles xhat(int64_t j, Lanes lanes) const {
    const Doubles centered = load_wide(x + j, lanes) - Doubles(mean);
    return (is_float<T> ? centered : centered - Doubles(low)) * Doubles(rstd);
  }
};

template <class T>
GRADUS_INLINE RowGradient<T> row_gradient(const LayerNormBackward<T>& pass, int64_t i) {
  const int64_t cols = pass.cols;
  RowGradient<T> row{pass.x + i * cols, pass.dy + i * cols, pass.mean[i], pass.low[i], pass.rstd[i], {}};
  const auto [sum, products] = values_of(totals_of_both<T>(cols, [=](int64_t j, auto lanes) GRADUS_INLINED {
    const Doubles dxhat = load_wide(row.dy + j, lanes) * value_at(pass.weight, j, lanes, 1);
    return Two<Doubles>{dxhat, dxhat * row.xhat(j, lanes)};
  }));
  row.means = {sum / static_cast<double>(cols), products / static_cast<double>(cols)};
  return row;
}

/// Adds to the sum of a column; `lost` is what rounding took off it, if elements are doubles.
template <class T, class Lanes>
GRADUS_INLINE void add_to(double* sum, double* lost, Doubles x, Lanes lanes) {
  if constexpr (is_float<T>) {
    store(sum, load(sum, lanes) + x, lanes);
  } else {
    CompensatedSum s{load(sum, lanes), load(lost, lanes)};
    s.add(x);
    store(sum, s.sum, lanes), store(lost, s.lost, lanes);
  }
}

/// dx of `count` rows, and what they add to the sums of the columns.
template <int count, class T>
GRADUS_INLINE void backward_of_rows(const LayerNormBackward<T>& pass, int64_t first) {
  RowGradient<T> rows[count];
  for (int r = 0; r < count; ++r) rows[r] = row_gradient(pass, first + r);
  each_group(0, pass.cols, [&](int64_t j, auto lanes) GRADUS_INLINED {
    const Doubles weight = value_at(pass.weight, j, lanes, 1);
    Doubles dweight(0), dbias(0);
    for (int r = 0; r < count; ++r) {
      const RowGradient<T>& row = rows[r];
      const Doubles dy = load_wide(row.dy + j, lanes), xhat = row.xhat(j, lanes);
      dweight = dweight + dy * xhat, dbias = dbias + dy;
      if (!pass.dx) continue;
      const Doubles dx = (dy * weight - Doubles(row.means.a)) - xhat * Doubles(row.means.b);
      store_narrow(pass.dx + (first + r) * pass.cols + j, dx * Doubles(row.rstd), lanes);
    }
    if (!pass.sums) return;
    add_to<T>(pass.sums + j, pass.lost + j, dweight, lanes);
    add_to<T>(pass.sums + pass.cols + j, pass.lost + pass.cols + j, dbias, lanes);
  });
}

template <class T>
[[gnu::flatten]] void layer_norm_backward(const LayerNormBackward<T>& pass, int64_t first, int64_t last) {
  int64_t i = first;
  for (; i + 4 <= last; i += 4) backward_of_rows<4>(pass, i);
  for (; i < last; ++i) backward_of_rows<1>(pass, i);
  if (is_float<T> || !pass.sums) return;
  each_group(0, 2 * pass.cols, [&](int64_t j, auto lanes) GRADUS_INLINED {
    const CompensatedSum s{load(pass.sums + j, lanes), load(pass.lost + j, lanes)};
    store(pass.sums + j, s.value(), lanes);
  });
}

}  // namespace
}  // namespace gradus::body
