// Walks through the elements of a tensor in an order other than that of memory, and the copies made of them.
#pragma once

#include "runtime/parallel_for.hpp"
#include "tensor/tensor_impl.hpp"

#include <algorithm>
#include <array>
#include <concepts>
#include <span>

namespace gradus::detail {

inline constexpr std::int64_t worth_a_thread = 1 << 16;  // elements that are moved

struct Side {
  std::int64_t length, unit;
};
/// Calls f(first row, last row, first column, last column) for parts of a matrix whose elements are moved, on several
/// threads: the side that has more units is cut, into parts of whole units.
template <class F>
void share_matrix(Side rows, Side columns, F f) {
  const bool by_rows = rows.length / rows.unit >= columns.length / columns.unit;
  const Side cut = by_rows ? rows : columns;
  const auto part = [=](std::int64_t first, std::int64_t last) {
    f(by_rows ? first : 0, by_rows ? last : rows.length, by_rows ? 0 : first, by_rows ? columns.length : last);
  };
  const std::int64_t across = by_rows ? columns.length : rows.length;
  parallel_for(0, cut.length, worth_a_thread / (across + 1) + 1, part, cut.unit);
}

/// Distance in elements from one index to the next, in every dimension of a contiguous tensor.
Shape strides_of(const Shape& shape);

/// Dimensions with their strides in each of N arrays that are walked together, outermost first. Those that are walked
/// like one are merged, those of extent 1 left out.
template <std::size_t N = 1>
class Walk {
 public:
  using Offsets = std::array<std::int64_t, N>;
  struct Dimension {
    std::int64_t extent = 1;
    Offsets stride{};
  };

  void push(std::int64_t extent, const Offsets& stride) {
    if (extent == 1) return;
    bool like_one = rank_ > 0;
    for (std::size_t i = 0; i < N && like_one; ++i) like_one = dims_[rank_ - 1].stride[i] == extent * stride[i];
    if (like_one) {
      dims_[rank_ - 1] = {dims_[rank_ - 1].extent * extent, stride};
    } else {
      dims_[rank_++] = {extent, stride};
    }
  }
  /// Takes out dimension d.
  Dimension take(int d) {
    const Dimension taken = dims_[d];
    for (--rank_; d < rank_; ++d) dims_[d] = dims_[d + 1];
    return taken;
  }
  /// Takes off the innermost dimension.
  Dimension pop() { return rank_ > 0 ? take(rank_ - 1) : Dimension{}; }
  const Dimension& operator[](int d) const { return dims_[d]; }
  const Dimension* innermost() const { return rank_ > 0 ? &dims_[rank_ - 1] : nullptr; }
  int rank() const { return rank_; }

  std::int64_t count() const {
    std::int64_t count = 1;
    for (int d = 0; d < rank_; ++d) count *= dims_[d].extent;
    return count;
  }

  /// Calls f(i, offsets) for the positions i in [first, last), counted in row-major order.
  template <class F>
  void for_each(std::int64_t first, std::int64_t last, F f) const {
    std::int64_t index[Shape::max_rank] = {};
    Offsets at{};
    const auto advance = [&at](const Dimension& dim, std::int64_t steps) {
      for (std::size_t k = 0; k < N; ++k) at[k] += steps * dim.stride[k];
    };
    for (std::int64_t i = first, d = rank_ - 1; d >= 0 && i > 0; --d) {
      index[d] = i % dims_[d].extent;
      advance(dims_[d], index[d]);
      i /= dims_[d].extent;
    }
    const int innermost = std::max(rank_ - 1, 0);
    const Dimension line = rank_ > 0 ? dims_[innermost] : Dimension{};
    for (std::int64_t i = first; i < last;) {
      const std::int64_t stop = std::min(last, i + line.extent - index[innermost]);
      for (; i < stop; ++i) {
        f(i, at);
        advance(line, 1);
      }
      advance(line, -line.extent);
      index[innermost] = 0;
      for (int d = innermost - 1; d >= 0; --d) {
        advance(dims_[d], 1);
        if (++index[d] < dims_[d].extent) break;
        advance(dims_[d], -dims_[d].extent);
        index[d] = 0;
      }
    }
  }

 private:
  int rank_ = 0;
  Dimension dims_[Shape::max_rank];
};

/// Calls f(i, offsets) for all positions of a walk, on several threads where each gets `grain` of them.
template <std::size_t N, class F>
void share_walk(const Walk<N>& walk, std::int64_t grain, F f) {
  parallel_for(0, walk.count(), grain, [&](std::int64_t first, std::int64_t last) { walk.for_each(first, last, f); });
}

/// As visit, for what moves elements and looks at no bit of them: those of int64 are moved as double.
template <class F>
void visit_moved(Dtype dtype, F f) {
  visit(dtype,
        [&]<class T>(T*) { f(static_cast<std::conditional_t<std::same_as<T, std::int64_t>, double, T>*>(nullptr)); });
}

/// The walk through one array.
inline Walk<1> walk_of(const Shape& shape, const Shape& strides) {
  Walk<1> walk;
  for (int d = 0; d < shape.rank(); ++d) walk.push(shape[d], {strides[d]});
  return walk;
}

/// `outer` blocks, each of `inner` lines side by side; a line has `size` elements, `inner` apart. A 0-d tensor is a
/// line of one element.
struct Lines {
  Lines(const Shape& shape, int dim)
      : size(shape.empty() ? 1 : shape[dim]), inner(shape.empty() ? 1 : strides_of(shape)[dim]) {
    const std::int64_t block = size * inner;
    outer = block == 0 ? 0 : numel(shape) / block;
  }
  std::int64_t size, inner, outer;
};

/// A new tensor y of `shape` with y[i, j, …] = x[offset + i strides[0] + j strides[1] + …]. Outside the graph.
Tensor strided_copy(const Tensor& x, const Shape& shape, const Shape& strides, std::int64_t offset = 0);

/// Notes that y, a new tensor, is what `op` copied where PyTorch has a view, so that writing to it is refused.
/// Gradients, which a backward pass computes, are free.
void mark_as_copy(const Tensor& y, const char* op);

/// Copies the elements of x over those of y, which has its shape and dtype, on several threads where they are many.
void copy_elements(const Tensor& y, const Tensor& x);

/// Copies x over the part of y that begins at `start` of dimension `dim`.
void paste(const Tensor& y, const Tensor& x, int dim, std::int64_t start);

/// Fills y with the parts, one behind the other in dimension `dim`; all have its dtype.
void join(const Tensor& y, std::span<const Tensor> parts, int dim);

/// Part of the storage of x as a tensor of its own, outside the graph.
inline Tensor part_of(const Tensor& x, const Shape& shape, std::int64_t offset = 0) {
  Tensor y = make_view(x, shape, offset);
  TensorImpl& view = *impl_of(y);
  view.is_view = true;
  view.family = impl_of(x)->family;
  view.seen_version = view.storage->version;
  return y;
}

}  // namespace gradus::detail
