// The products of dense.hpp for the instruction set that this file is compiled for.
#pragma once

#include "kernels/dense.hpp"
#include "kernels/each_of.hpp"

namespace gradus::body {

using nn::kernels::Dense;
using nn::kernels::DenseRows;
using nn::kernels::DenseTable;
using nn::kernels::Then;

namespace {

// As many sums as the registers hold, beside the weights and one element of each row: a tile has tile_rows rows and a
// panel of columns. A row alone takes two panels at once, else it would wait for each sum before the next.
#if defined(__AVX512BW__)
constexpr int panel_groups = 4, tile_rows = 6;
#elif defined(__AVX2__)
constexpr int panel_groups = 2, tile_rows = 3;
#elif defined(__aarch64__)
constexpr int panel_groups = 1, tile_rows = 6;
#else
constexpr int panel_groups = 1, tile_rows = 2;
#endif

// Inputs summed on their own, so that a long sum loses fewer digits; half's weights are not worth that.
template <class W>
constexpr int64_t input_block = sizeof(W) == sizeof(float) ? 32 : INT64_MAX;

// Counting costs one row a share of the ports that its conversions need.
template <int rows, class W>
constexpr int inputs_at_once = rows == 1 && sizeof(W) < sizeof(float) ? 4 : 1;

GRADUS_INLINE Floats weights(const float* w) { return load(w); }

#if defined(__AVX512BW__)
GRADUS_INLINE Floats weights(const uint16_t* w) {
  Floats a;
  a.part[0] = _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(w)));
  return a;
}
#elif defined(__F16C__)
GRADUS_INLINE Floats weights(const uint16_t* w) {
  Floats a;
  each_of<2>([&](int i) GRADUS_INLINED {
    a.part[i] = _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(w + 8 * i)));
  });
  return a;
}
#else
/// Exponent and fraction moved to their places in a float are the number but for a factor of 2^112, denormals too.
GRADUS_INLINE Floats weights(const uint16_t* w) {
  float lane[lane_count];
  for (int i = 0; i < lane_count; ++i) {
    const uint32_t bits = w[i];
    lane[i] = __builtin_bit_cast(float, ((bits & 0x8000u) << 16) | ((bits & 0x7fffu) << 13)) * 0x1p112f;
  }
  return load(lane);
}
#endif

GRADUS_INLINE Floats finish(Floats sum, const Dense& dense) {
  if (dense.then == Then::nothing) return sum;
  const Floats zero(0);
  return where_greater(zero, sum, dense.then == Then::relu ? zero : sum * Floats(dense.slope), sum);
}

/// `rows` rows from x, and the columns of `groups` groups in each of `panels` panels. Where groups are few, several
/// inputs are added at once, each to sums of its own, which would otherwise wait for themselves.
template <int rows, int groups, int panels, class W>
GRADUS_INLINE void tile(const Dense& dense, DenseRows at, int64_t column) {
  constexpr int all = groups * panels, chains = panel_groups / groups;
  const W* w = static_cast<const W*>(dense.weight) + column * dense.inputs;
  const int64_t next_panel = groups * lane_count * dense.inputs;
  Floats total[rows][all];
  each_of<rows, all>([&](int r, int g) GRADUS_INLINED { total[r][g] = load(dense.bias + column + g * lane_count); });
  for (int64_t first = 0; first < dense.inputs;) {
    const int64_t end = dense.inputs - first > input_block<W> ? first + input_block<W> : dense.inputs;
    Floats sum[chains][rows][all];
    each_of<chains, rows, all>([&](int c, int r, int g) GRADUS_INLINED { sum[c][r][g] = Floats(0); });
    const auto add_input = [&](int64_t input, auto& sums) GRADUS_INLINED {
      Floats element[rows];
      each_of<rows>([&](int r) GRADUS_INLINED { element[r] = Floats(at.x[r * at.stride + input]); });
      each_of<all>([&](int g) GRADUS_INLINED {
        const Floats weight = weights(w + g / groups * next_panel + g % groups * lane_count);
        each_of<rows>([&](int r) GRADUS_INLINED { sums[r][g] = multiply_add(element[r], weight, sums[r][g]); });
      });
      w += groups * lane_count;
    };
    constexpr int at_once = chains > 1 ? chains : inputs_at_once<rows, W>;
    for (; first + at_once <= end; first += at_once) {
      each_of<at_once>([&](int i) GRADUS_INLINED { add_input(first + i, sum[i % chains]); });
    }
    for (; first < end; ++first) add_input(first, sum[0]);
    each_of<chains, rows, all>([&](int c, int r, int g) GRADUS_INLINED { total[r][g] = total[r][g] + sum[c][r][g]; });
  }
  each_of<rows, all>([&](int r, int g) GRADUS_INLINED {
    float* const out = at.y + r * at.y_stride + column + g * lane_count;
    const int64_t rest = dense.outputs - column - g * lane_count;
    const Floats value = finish(total[r][g], dense);
    if (rest >= lane_count) {
      store(out, value);
    } else {
      store(out, value, First{static_cast<int>(rest)});
    }
  });
}

/// The tile of `left` groups, a number known only now.
template <int rows, class W, int most = panel_groups>
void panel(const Dense& dense, const DenseRows& at, int64_t column, int64_t left) {
  if constexpr (most > 1) {
    if (left < most) return panel<rows, W, most - 1>(dense, at, column, left);
  }
  tile<rows, most, 1, W>(dense, at, column);
}

template <class W>
void one_row(const Dense& dense, const DenseRows& at) {
  const int64_t groups = (dense.outputs + lane_count - 1) / lane_count;
  int64_t g = 0;
  for (; groups - g >= 2 * panel_groups; g += 2 * panel_groups) {
    tile<1, panel_groups, 2, W>(dense, at, g * lane_count);
  }
  for (; g < groups; g += panel_groups) {
    panel<1, W>(dense, at, g * lane_count, groups - g < panel_groups ? groups - g : panel_groups);
  }
}

GRADUS_INLINE DenseRows from_row(DenseRows at, int64_t row) {
  return {at.y + row * at.y_stride, at.x + row * at.stride, at.rows - row, at.stride, at.y_stride};
}

/// Tiles of `rows` rows, and of half as many for what is left.
template <int rows, class W>
void tiles(const Dense& dense, DenseRows at, int64_t column, int64_t left) {
  for (; at.rows >= rows; at = from_row(at, rows)) panel<rows, W>(dense, at, column, left);
  if constexpr (rows > 1) tiles<rows / 2, W>(dense, at, column, left);
}

template <class W>
void dense(const Dense& dense, const DenseRows& all) {
  if (all.rows == 1) return one_row<W>(dense, all);
  const int64_t groups = (dense.outputs + lane_count - 1) / lane_count;
  for (int64_t g = 0; g < groups; g += panel_groups) {
    tiles<tile_rows, W>(dense, all, g * lane_count, groups - g < panel_groups ? groups - g : panel_groups);
  }
}

constinit const DenseTable dense_table{dense<float>, dense<uint16_t>, panel_groups};

}  // namespace
}  // namespace gradus::body
