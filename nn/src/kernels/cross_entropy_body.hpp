#pragma once

#include "kernels/body/softmax.hpp"
#include "kernels/nn_table.hpp"

namespace gradus::body {

using nn::kernels::Classes;

namespace {

/// A loss for each logit x and answer t; p is the weight of the answer 1, null for 1.
template <class T>
void binary_cross_entropy(T* y, const T* x, const T* t, const T* p, int64_t n) {
  each_group_long(0, n, [=](int64_t i, auto lanes) GRADUS_INLINED {
    const Doubles v = load_wide(x + i, lanes), answer = load_wide(t + i, lanes), other = Doubles(1) - answer;
    const Doubles weighted = p ? load_wide(p + i, lanes) * answer : answer;
    const Doubles linear = where_greater(v, Doubles(0), other * v, Doubles(0) - weighted * v);
    const Doubles tail =
        each_part_long([](Double z) GRADUS_INLINED { return softplus<T>(is_float<T> ? max(Double(-range), z) : z); },
                       Doubles(0) - magnitude(v));
    store_narrow(y + i, linear + (other + weighted) * tail, lanes);
  });
}

/// One row of softmax(x) - onehot(target), scaled.
template <class T>
GRADUS_INLINE void shares_row(T* dx, const T* x, int64_t cols, int64_t target, double logsumexp, double scale) {
  each_group_long(0, cols, [=](int64_t j, auto lanes) GRADUS_INLINED {
    const Doubles p = exp_of<T>(load_wide(x + j, lanes) - Doubles(logsumexp));
    store_narrow(dx + j, p * Doubles(scale), lanes);
  });
  const Doubles p = exp_of<T>(load_wide(x + target, First{1}) - Doubles(logsumexp));
  store_narrow(dx + target, (p - Doubles(1)) * Doubles(scale), First{1});
}

template <class T>
void cross_entropy_backward(T* dx, const Classes<T>& classes, const double* logsumexp, double scale, int64_t first,
                            int64_t last) {
  const int64_t cols = classes.cols;
  if (fills_lanes(cols)) {
    for (int64_t i = first; i < last; ++i) {
      const bool counts = classes.target[i] != classes.ignored;
      shares_row(dx + i * cols, classes.x + i * cols, cols, counts ? classes.target[i] : 0, logsumexp[i],
                 counts ? scale : 0);
    }
    return;
  }
  each_row_group(last - first, [&](int64_t group, First lanes) GRADUS_INLINED {
    const int64_t i = first + group;
    const RowGroup<const T> in{classes.x + i * cols, cols, lanes};
    const RowGroup<T> out{dx + i * cols, cols, lanes};
    double row_scale[lane_count], target[lane_count];
    copy_column(target, classes.target + i, 1, lanes.n);
    for (int r = 0; r < lane_count; ++r) row_scale[r] = target[r] == static_cast<double>(classes.ignored) ? 0 : scale;
    const Doubles k = load(row_scale), lse = load(logsumexp + i, lanes), hot = load(target);
    for (int64_t j = 0; j < cols; ++j) {
      const Doubles p = exp_of<T>(in.column(j) - lse), here(static_cast<double>(j));
      out.set_column(j, where_equal(hot, here, p - Doubles(1), p) * k);
    }
  });
}

}  // namespace
}  // namespace gradus::body
