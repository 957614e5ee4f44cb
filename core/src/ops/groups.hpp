// What all reductions share: the elements of a tensor fall into groups, one for every element of the result.
#pragma once

#include "kernels/targets.hpp"
#include "ops/strided.hpp"
#include "runtime/parallel_for.hpp"

#include <algorithm>
#include <array>

namespace gradus::detail {

/// Which of `rank` dimensions `dims` names; negative ones count from the end. Throws IndexError for one out of range,
/// RuntimeError for one that is named twice.
std::array<bool, Shape::max_rank> named(const Dims& dims, int rank);

/// The groups that arise when some dimensions of a shape are reduced.
class Groups {
 public:
  /// No dimensions at all means every one. Throws as named().
  Groups(const Shape& shape, const Dims& dims);

  /// The shape of the result; with `keepdim` the reduced dimensions stay, with extent 1.
  const Shape& shape(bool keepdim) const { return keepdim ? kept_shape_ : short_shape_; }

  std::int64_t size = 1;   // elements of a group
  std::int64_t count = 1;  // groups

  // Group i, counted in the order of the result, begins where `outer` says for i / width, plus i % width: `width`
  // groups lie side by side. Its elements come in runs of `run` neighbours, found with `inner`. Width or run is 1.
  Walk<1> outer, inner;
  std::int64_t width = 1, run = 1;

  /// Whether they are the columns of matrices (size, width), or each of them one run.
  bool columns() const {
    return width > 1 && inner.rank() <= 1 && (size == 1 || inner.innermost()->stride[0] == width);
  }
  bool rows() const { return width == 1 && run == size; }

 private:
  Shape kept_shape_, short_shape_;
};

inline constexpr std::int64_t worth_a_kernel = 16;  // elements; fewer are done before a kernel is chosen

/// Calls f(i, elements, their number) for group i of `groups.rows()`, on several threads.
template <class T, class F>
void for_each_row(const T* x, const Groups& groups, F f) {
  share_walk(groups.outer, (1 << 15) / (groups.size + 1) + 1,
             [&](std::int64_t i, auto begin) { f(i, x + begin[0], groups.size); });
}

/// accumulators[k].add(element k of every row) for n neighbours in each of `rows` rows, `apart` from one another.
template <class T, class Accumulator>
void add_columns(Accumulator* accumulators, const T* x, std::int64_t rows, std::int64_t apart, std::int64_t n) {
  constexpr std::int64_t together = 4;  // rows for which an accumulator is read and written once
  kernels::run_vectorised<sizeof(Accumulator) <= sizeof(double)>([=, from = x]() mutable {
    std::int64_t row = 0;
    for (; row + together <= rows; row += together, from += together * apart) {
      for (std::int64_t k = 0; k < n; ++k) {
        Accumulator sum = accumulators[k];
#pragma GCC unroll 4
        for (std::int64_t i = 0; i < together; ++i) sum.add(kernels::element(from, i * apart + k));
        accumulators[k] = sum;
      }
    }
    for (; row < rows; ++row, from += apart) {
      for (std::int64_t k = 0; k < n; ++k) accumulators[k].add(kernels::element(from, k));
    }
  });
}

/// accumulator.add(x[k]) for k below n, or add(x, n) where it has that.
template <class T, class Accumulator>
void add_run(Accumulator& accumulator, const T* x, std::int64_t n) {
  if constexpr (requires { accumulator.add(x, n); }) {
    accumulator.add(x, n);
  } else {
    Accumulator sum = accumulator;
    for (std::int64_t k = 0; k < n; ++k) sum.add(kernels::element(x, k));
    accumulator = sum;
  }
}

/// Runs an accumulator over the elements of every group, in their order in memory: for group i, `make(i)` gives the
/// accumulator, `add(x)` is called for every element, or where it has that `add(x, n)` for n neighbours or
/// `add(x, n, runs, apart)` for runs of them that begin `apart` from one another, then finish(i, it).
template <class T, class Make, class Finish>
void for_each_group(const T* x, const Groups& groups, Make make, Finish finish) {
  using Accumulator = decltype(make(std::int64_t{}));
  constexpr std::int64_t parallel_elements = 1 << 15, panel = 256;
  const std::int64_t width = groups.width;
  if (groups.count == 0) return;
  Walk<1> inner = groups.inner;
  const Walk<1>::Dimension line = inner.pop();  // of runs
  const std::int64_t lines = groups.size == 0 ? 0 : inner.count(), apart = line.stride[0];

  if (width == 1) {
    const std::int64_t grain = parallel_elements / (groups.size + 1) + 1;
    if constexpr (std::integral<T>) {
      if (groups.rows() && groups.outer.rank() <= 1) {
        parallel_for(0, groups.count, grain, [&, size = groups.size](std::int64_t first, std::int64_t last) {
          kernels::run_vectorised([&] {
            for (std::int64_t i = first; i < last; ++i) {
              Accumulator accumulator = make(i);
              add_run(accumulator, x + i * size, size);
              finish(i, accumulator);
            }
          });
        });
        return;
      }
    }
    const auto group = [&](std::int64_t i, auto begin) {
      Accumulator accumulator = make(i);
      const auto add_line = [&](const T* from) {
        if constexpr (requires { accumulator.add(from, groups.run, line.extent, apart); }) {
          accumulator.add(from, groups.run, line.extent, apart);
        } else {
          for (std::int64_t k = 0; k < line.extent; ++k) add_run(accumulator, from + k * apart, groups.run);
        }
      };
      if (lines == 1) {
        add_line(x + begin[0]);
      } else {
        inner.for_each(0, lines, [&](std::int64_t, auto at) { add_line(x + begin[0] + at[0]); });
      }
      finish(i, accumulator);
    };
    return share_walk(groups.outer, grain, group);
  }

  // Neighbouring groups are read together, row by row, so that memory is read in order.
  const std::int64_t panels = (width + panel - 1) / panel, rows = groups.count / width;
  const std::int64_t grain = parallel_elements / (groups.size * std::min(width, panel) + 1) + 1;
  parallel_for(0, rows * panels, grain, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t p = first; p < last; ++p) {
      const std::int64_t row = p / panels, left = p % panels * panel, n = std::min(panel, width - left);
      const std::int64_t i = row * width + left;
      Accumulator accumulators[panel];
      for (std::int64_t k = 0; k < n; ++k) accumulators[k] = make(i + k);
      groups.outer.for_each(row, row + 1, [&](std::int64_t, auto begin) {
        inner.for_each(0, lines, [&](std::int64_t, auto at) {
          add_columns(accumulators, x + begin[0] + left + at[0], line.extent, apart, n);
        });
      });
      for (std::int64_t k = 0; k < n; ++k) finish(i + k, accumulators[k]);
    }
  });
}

/// What sums and products of T are: int64 for integers and truths.
template <class T>
using Accumulated = std::conditional_t<std::floating_point<T>, T, std::int64_t>;

/// A tensor of R with the value() that a copy of `start` has after every group.
template <class T, class R, class Accumulator>
Tensor reduced(const Tensor& x, const Groups& groups, bool keepdim, const Accumulator& start) {
  Tensor y = make_tensor(groups.shape(keepdim), dtype_of<R>);
  for_each_group(
      elements<T>(x), groups, [start](std::int64_t) { return start; },
      [to = elements<R>(y)](std::int64_t i, const Accumulator& of) { to[i] = static_cast<R>(of.value()); });
  return y;
}

/// The largest, or smallest, elements of the groups, outside the graph; 0 where there are none.
Tensor extreme_values(const Tensor& x, const Groups& groups, bool keepdim, bool largest);

/// x.sum(0) of a floating matrix, outside the graph.
Tensor column_sums(const Tensor& x);

}  // namespace gradus::detail
