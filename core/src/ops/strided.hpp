// Walks through the elements of a tensor in an order other than that of memory, and the copies made of them.
#pragma once

#include "tensor/tensor_impl.hpp"

namespace gradus::detail {

/// Distance in elements from one index to the next, in every dimension of a contiguous tensor.
Shape strides_of(const Shape& shape);

/// Dimensions with their strides, outermost first. Those that are walked like one are merged, those of extent 1 left
/// out.
class Walk {
 public:
  Walk() = default;
  Walk(const Shape& shape, const Shape& strides) {
    for (int d = 0; d < shape.rank(); ++d) push(shape[d], strides[d]);
  }

  void push(std::int64_t extent, std::int64_t stride);

  struct Dimension {
    std::int64_t extent = 1, stride = 1;
  };
  /// Takes off the innermost dimension.
  Dimension pop();
  bool innermost_is_dense() const { return rank_ > 0 && dims_[rank_ - 1].stride == 1; }

  std::int64_t count() const;

  /// Calls f(i, offset) for the positions i in [first, last), counted in row-major order.
  template <class F>
  void for_each(std::int64_t first, std::int64_t last, F f) const {
    std::int64_t index[Shape::max_rank] = {};
    std::int64_t offset = 0;
    for (std::int64_t i = first, d = rank_ - 1; d >= 0 && i > 0; --d) {
      index[d] = i % dims_[d].extent;
      offset += index[d] * dims_[d].stride;
      i /= dims_[d].extent;
    }
    for (std::int64_t i = first; i < last; ++i) {
      f(i, offset);
      for (int d = rank_ - 1; d >= 0; --d) {
        offset += dims_[d].stride;
        if (++index[d] < dims_[d].extent) break;
        offset -= dims_[d].extent * dims_[d].stride;
        index[d] = 0;
      }
    }
  }

 private:
  int rank_ = 0;
  Dimension dims_[Shape::max_rank];
};

/// A new tensor y of `shape` with y[i, j, …] = x[offset + i strides[0] + j strides[1] + …]. Outside the graph.
Tensor strided_copy(const Tensor& x, const Shape& shape, const Shape& strides, std::int64_t offset = 0);

/// Notes that y, a new tensor, is what `op` copied where PyTorch has a view, so that writing to it is refused.
/// Gradients, which a backward pass computes, are free.
void mark_as_copy(const Tensor& y, const char* op);

/// Copies x over the part of y that begins at `start` of dimension `dim`.
void paste(const Tensor& y, const Tensor& x, int dim, std::int64_t start);

/// Part of the storage of x as a tensor of its own, outside the graph.
inline Tensor part_of(const Tensor& x, const Shape& shape, std::int64_t offset = 0) {
  Tensor y = make_view(x, shape, offset);
  impl_of(y)->is_view = true;
  return y;
}

}  // namespace gradus::detail
