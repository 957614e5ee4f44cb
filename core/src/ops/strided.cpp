#include "ops/strided.hpp"

#include "autograd/node.hpp"

#include <algorithm>

namespace gradus::detail {

Shape strides_of(const Shape& shape) {
  Shape strides = shape;
  std::int64_t stride = 1;
  for (int d = shape.rank() - 1; d >= 0; --d) {
    strides[d] = stride;
    stride *= shape[d];
  }
  return strides;
}

void Walk::push(std::int64_t extent, std::int64_t stride) {
  if (extent == 1) return;
  if (rank_ > 0 && dims_[rank_ - 1].stride == extent * stride) {
    dims_[rank_ - 1] = {dims_[rank_ - 1].extent * extent, stride};
  } else {
    dims_[rank_++] = {extent, stride};
  }
}

Walk::Dimension Walk::pop() { return rank_ > 0 ? dims_[--rank_] : Dimension{}; }

std::int64_t Walk::count() const {
  std::int64_t count = 1;
  for (int d = 0; d < rank_; ++d) count *= dims_[d].extent;
  return count;
}

Tensor strided_copy(const Tensor& x, const Shape& shape, const Shape& strides, std::int64_t offset) {
  Tensor y = make_tensor(shape, x.dtype());
  if (y.numel() == 0) return y;
  Walk walk(shape, strides);
  const Walk::Dimension innermost = walk.pop();
  const std::int64_t n = innermost.extent, stride = innermost.stride;
  visit(x.dtype(), [&]<class T>(T*) {
    const T* from = elements<T>(x) + offset;
    T* to = elements<T>(y);
    walk.for_each(0, walk.count(), [&](std::int64_t, std::int64_t at) {
      if (stride == 1) {
        std::copy_n(from + at, n, to);
      } else {
        for (std::int64_t i = 0; i < n; ++i) to[i] = from[at + i * stride];
      }
      to += n;
    });
  });
  return y;
}

void mark_as_copy(const Tensor& y, const char* op) {
  if (!in_backward()) impl_of(y)->storage->copied_by = op;
}

void paste(const Tensor& y, const Tensor& x, int dim, std::int64_t start) {
  const std::int64_t inner = strides_of(y.shape())[dim];
  const std::int64_t block = x.shape()[dim] * inner, pace = y.shape()[dim] * inner;
  if (x.numel() == 0) return;
  visit(y.dtype(), [&]<class T>(T*) {
    T* to = elements<T>(y) + start * inner;
    for (const T *from = elements<T>(x), *end = from + x.numel(); from != end; from += block, to += pace) {
      std::copy_n(from, block, to);
    }
  });
}

}  // namespace gradus::detail
