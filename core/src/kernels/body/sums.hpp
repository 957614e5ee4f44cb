// Sums, of all elements and of columns. Floats are added in double. Doubles are added in pairs of pairs, eight to a
// block, and the blocks without loss, so that the error does not grow with their number.
#pragma once

#include "kernels/body/layout.hpp"
#include "kernels/lane_sums.hpp"
#include "kernels/table.hpp"

namespace gradus::body {

using kernels::Total;

namespace {

constexpr int block_of_sums = 8;

/// Two numbers that are summed side by side.
template <class N>
struct Two {
  N a, b;
  GRADUS_INLINE friend Two add_by_multiplier(Two x, Two y) {
    return {body::add_by_multiplier(x.a, y.a), body::add_by_multiplier(x.b, y.b)};
  }
};

/// The sum of eight, each given by f(i); by the multiplier, for conversions keep the adder busy.
template <class F>
GRADUS_INLINE auto sum_of_block(F f) {
  const auto add = [](auto a, auto b) GRADUS_INLINED { return add_by_multiplier(a, b); };
  return add(add(add(f(0), f(1)), add(f(2), f(3))), add(add(f(4), f(5)), add(f(6), f(7))));
}

GRADUS_INLINE Total total_of(PlainSum s) { return {sum_of_lanes(s.sum)}; }
/// Adds lanes to others until `left` registers have all.
template <int left>
GRADUS_INLINE void fold_registers(CompensatedSum& s) {
#pragma GCC unroll 8
  for (int half = Doubles::count / 2; half >= left; half /= 2) {
#pragma GCC unroll 8
    for (int i = 0; i < half; ++i) {
      add_sums(s.sum.part[i], s.lost.part[i], s.sum.part[i + half], s.lost.part[i + half]);
    }
  }
}
GRADUS_INLINE Total total_of(CompensatedSum s) {
  fold_registers<1>(s);
  double sum[Doubles::width], lost[Doubles::width];
  s.sum.part[0].store_unaligned(sum), s.lost.part[0].store_unaligned(lost);
  for (int half = Doubles::width / 2; half > 0; half /= 2) {
    for (int i = 0; i < half; ++i) add_sums(sum[i], lost[i], sum[i + half], lost[i + half]);
  }
  return {sum[0], lost[0]};
}

/// add(f(i, lanes)) for the groups of n elements, eight groups at once where there are as many; in lanes that are not
/// there f must be 0.
template <class F, class Add>
GRADUS_INLINE void add_groups(int64_t n, F f, Add add) {
  int64_t i = 0;
  for (; i + block_of_sums * lane_count <= n; i += block_of_sums * lane_count) {
    add(sum_of_block([=](int b) GRADUS_INLINED { return f(i + b * lane_count, All()); }));
  }
  each_group(i, n, [&](int64_t at, auto lanes) GRADUS_INLINED { add(f(at, lanes)); });
}

/// Floats are fetched a page ahead, farther than processors do by themselves.
template <class T>
GRADUS_INLINE void add_elements(Sum<T>& sums, const T* x, int64_t n) {
  add_groups(
      n,
      [=](int64_t i, auto lanes) GRADUS_INLINED {
        if constexpr (is_float<T>) __builtin_prefetch(reinterpret_cast<const char*>(x + i) + page);
        return load_wide(x + i, lanes);
      },
      [&](Doubles terms) GRADUS_INLINED { sums.add(terms); });
}
template <class T>
GRADUS_INLINE Total total(const T* x, int64_t n) {
  Sum<T> sums;
  add_elements(sums, x, n);
  return total_of(sums);
}

/// The sums of both numbers of f(i, lanes) over n elements of type T; in lanes that are not there they must be 0.
template <class T, class F>
GRADUS_INLINE Two<Total> totals_of_both(int64_t n, F f) {
  Sum<T> a, b;
  add_groups(n, f, [&](Two<Doubles> terms) GRADUS_INLINED { a.add(terms.a), b.add(terms.b); });
  return {total_of(a), total_of(b)};
}
/// Of x - mean and of its square.
template <class T>
GRADUS_INLINE Two<Total> totals_of_deviations(const T* x, int64_t n, double mean) {
  return totals_of_both<T>(n, [=](int64_t i, auto lanes) GRADUS_INLINED {
    const Doubles d = only(load_wide(x + i, lanes) - Doubles(mean), lanes);
    return Two<Doubles>{d, d * d};
  });
}

/// In one number. An infinite sum has lost NaN.
GRADUS_INLINE double value_of(Total t) { return __builtin_fabs(t.lost) <= __DBL_MAX__ ? t.sum + t.lost : t.sum; }

/// Many short runs are added one under the other.
template <class T>
[[gnu::flatten]] Total sum(const T* x, int64_t n, int64_t runs, int64_t apart) {
  Sum<T> sums;
  for (; runs >= block_of_sums; runs -= block_of_sums, x += block_of_sums * apart) {
    each_group(0, n, [&](int64_t j, auto lanes) GRADUS_INLINED {
      sums.add(sum_of_block([=](int b) GRADUS_INLINED { return load_wide(x + b * apart + j, lanes); }));
    });
  }
  for (; runs > 0; --runs, x += apart) add_elements(sums, x, n);
  return total_of(sums);
}

template <class T>
[[gnu::flatten]] kernels::Deviations deviations(const T* x, int64_t n, double mean) {
  const auto [sum, squares] = totals_of_deviations(x, n, mean);
  return {sum, squares};
}

/// Sixteen rows of sums: first eight lanes, to which the others have been added, then what they lost.
struct SixteenRows {
  double lanes[lane_count * lane_count];
  GRADUS_INLINE void set(int i, CompensatedSum sums) {
    fold_registers<Doubles::count / 2>(sums);
    for (int r = 0; r < Doubles::count / 2; ++r) {
      sums.sum.part[r].store_unaligned(lanes + i * lane_count + r * Doubles::width);
      sums.lost.part[r].store_unaligned(lanes + i * lane_count + 8 + r * Doubles::width);
    }
  }
};

/// y, sixteen numbers: the sums of `total_of`, in its order, side by side.
template <class T>
[[gnu::noinline]] void fold_rows(T* y, const SixteenRows& rows, double divisor) {
  double columns[lane_count * lane_count];
  transpose_tile(columns, rows.lanes, lane_count);
  const auto sums = [&columns](int lane) GRADUS_INLINED {
    return CompensatedSum{load(columns + lane * lane_count), load(columns + (lane + 8) * lane_count)};
  };
#pragma GCC unroll 3
  for (int half = 4; half > 0; half /= 2) {
#pragma GCC unroll 4
    for (int lane = 0; lane < half; ++lane) {
      CompensatedSum both = sums(lane);
      both.add(sums(lane + half));
      store(columns + lane * lane_count, both.sum);
      store(columns + (lane + 8) * lane_count, both.lost);
    }
  }
  store(y, (Doubles(0) + sums(0).value()) / Doubles(divisor));  // 0, not -0
}

template <class T>
[[gnu::flatten]] void row_sums(T* y, const T* x, int64_t rows, int64_t cols, double divisor) {
  int64_t i = 0;
  if constexpr (!is_float<T> && own_last) {  // where a group is few registers
    for (; i + lane_count <= rows; i += lane_count) {
      SixteenRows sums;
#pragma GCC unroll 1
      for (int r = 0; r < lane_count; ++r) {
        CompensatedSum sum;
        const T* const row = x + (i + r) * cols;
        if (cols == lane_count) {
          sum.sum = load(row);
        } else {
          add_elements(sum, row, cols);
        }
        sums.set(r, sum);
      }
      fold_rows(y + i, sums, divisor);
    }
  }
  for (; i < rows; ++i) y[i] = static_cast<T>(value_of(total(x + i * cols, cols)) / divisor);
}

template <class T>
[[gnu::flatten]] double product(const T* x, int64_t n) {
  Doubles even(1), odd(1);  // neither waits for the other
  int64_t i = 0;
  for (; i + 2 * lane_count <= n; i += 2 * lane_count) {
    even = even * load_wide(x + i, All());
    odd = odd * load_wide(x + i + lane_count, All());
  }
  double y = folded(even * odd, [](auto p, auto q) GRADUS_INLINED { return p * q; });
  for (; i < n; ++i) y *= static_cast<double>(x[i]);
  return y;
}
template <class T>
[[gnu::flatten]] double sum_of_squares(const T* x, int64_t n) {
  Doubles even(0), odd(0);
  int64_t i = 0;
  for (; i + 2 * lane_count <= n; i += 2 * lane_count) {
    const Doubles a = load_wide(x + i, All()), b = load_wide(x + i + lane_count, All());
    even = even + a * a;
    odd = odd + b * b;
  }
  double sum = sum_of_lanes(even + odd);
  for (; i < n; ++i) sum += static_cast<double>(x[i]) * static_cast<double>(x[i]);
  return sum;
}

constexpr int64_t strip_of_sums = 1024;

/// The sums of a strip of columns, which stay in the first-level cache. None is set before it is used.
template <class T>
union StripOfSums {
  Sum<T> group[strip_of_sums / lane_count];
  StripOfSums() {}
};

template <class T>
[[gnu::flatten]] void column_sums(T* y, const T* x, int64_t rows, int64_t cols, int64_t first, int64_t last,
                                  double divisor) {
  StripOfSums<T> strip_sums;
  Sum<T>* const sums = strip_sums.group;
  for (int64_t strip = first; strip < last; strip += strip_of_sums) {
    const int64_t end = strip + strip_of_sums < last ? strip + strip_of_sums : last;
    for (int64_t j = strip; j < end; j += lane_count) sums[(j - strip) / lane_count] = {};
    int64_t i = 0;
    for (; i + block_of_sums <= rows; i += block_of_sums) {
      each_group(strip, end, [&](int64_t j, auto lanes) {
        const T* at = x + i * cols + j;
        sums[(j - strip) / lane_count].add(sum_of_block([=](int b) { return load_wide(at + b * cols, lanes); }));
      });
    }
    for (; i < rows; ++i) {
      each_group(strip, end, [&](int64_t j, auto lanes) {
        sums[(j - strip) / lane_count].add(load_wide(x + i * cols + j, lanes));
      });
    }
    each_group(strip, end, [&](int64_t j, auto lanes) {
      store_narrow(y + j, sums[(j - strip) / lane_count].value() / Doubles(divisor), lanes);
    });
  }
}

}  // namespace
}  // namespace gradus::body
