#include "ops/strided.hpp"

#include "autograd/node.hpp"
#include "kernels/kernels.hpp"
#include "kernels/targets.hpp"

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

namespace {

/// Where in a walk a dimension lies that is dense in `from`; -1 when there is none.
int dense_dimension(const Walk<2>& walk) {
  for (int d = walk.rank() - 1; d >= 0; --d) {
    if (walk[d].stride[1] == 1) return d;
  }
  return -1;
}

template <class T>
void transpose(T* to, const T* from, const Walk<2>::Dimension& rows, const Walk<2>::Dimension& cols) {
  if constexpr (std::same_as<T, bool>) {
    for (std::int64_t j = 0; j < cols.extent; ++j) {
      for (std::int64_t i = 0; i < rows.extent; ++i) to[j * cols.stride[0] + i] = from[i * rows.stride[1] + j];
    }
  } else {
    kernels::transpose(to, cols.stride[0], from, rows.stride[1], rows.extent, cols.extent);
  }
}

/// to[i] = from[i stride] for i below n; the stride is not 0. At most `piece` elements are copied at once.
template <class T>
void copy_line(T* to, const T* from, std::int64_t stride, std::int64_t n, std::int64_t piece) {
  if (stride == 1) {
    for (std::int64_t i = 0; i < n; i += piece) std::copy_n(from + i, std::min(piece, n - i), to + i);
  } else if (stride == -1) {
    for (std::int64_t i = 0; i < n; ++i) to[i] = from[-i];
  } else {
    for (std::int64_t i = 0; i < n; ++i) to[i] = from[i * stride];
  }
}

/// Copies along a walk with the offsets in `to`, whose innermost dimension is dense, and in `from`.
template <class T>
void copy_walked(T* to, const T* from, Walk<2> walk) {
  const Walk<2>::Dimension inner = walk.pop();
  const std::int64_t n = inner.extent, stride = inner.stride[1];
  if (const int dense = stride > 1 ? dense_dimension(walk) : -1; dense >= 0) {
    const Walk<2>::Dimension across = walk.take(dense);
    return share_walk(walk, worth_a_thread / (n * across.extent) + 1,
                      [&](std::int64_t, auto at) { transpose(to + at[0], from + at[1], inner, across); });
  }
  // A row that is copied again and again lies in the cache, where the string instructions are slow that memcpy has for
  // more than two kilobytes.
  const bool repeated = walk.innermost() && walk.innermost()->stride[1] == 0;
  const std::int64_t piece = repeated ? 2048 / sizeof(T) : n;
  share_matrix({walk.count(), 1}, {n, 16},
               [&](std::int64_t first, std::int64_t last, std::int64_t left, std::int64_t right) {
                 const auto each_line = [=, &walk](auto f) {
                   walk.for_each(first, last, [=](std::int64_t, auto at) {
                     f(to + at[0] + left, from + at[1] + left * stride, right - left);
                   });
                 };
                 if (stride == 0) {
                   return kernels::run_vectorised<(sizeof(T) > 1)>(
                       [=] { each_line([](T* y, const T* x, std::int64_t length) { std::fill_n(y, length, *x); }); });
                 }
                 each_line([=](T* y, const T* x, std::int64_t length) { copy_line(y, x, stride, length, piece); });
               });
}

}  // namespace

Tensor strided_copy(const Tensor& x, const Shape& shape, const Shape& strides, std::int64_t offset) {
  Tensor y = make_tensor(shape, x.dtype());
  if (y.numel() == 0) return y;
  Walk<2> walk;
  const Shape dense = strides_of(shape);
  for (int d = 0; d < shape.rank(); ++d) walk.push(shape[d], {dense[d], strides[d]});
  visit_moved(x.dtype(), [&]<class T>(T*) { copy_walked(elements<T>(y), elements<T>(x) + offset, walk); });
  return y;
}

void mark_as_copy(const Tensor& y, const char* op) {
  if (!in_backward()) impl_of(y)->storage->copied_by = op;
}

void copy_elements(const Tensor& y, const Tensor& x) {
  const auto copy = [to = elements<char>(y), from = elements<char>(x)](std::int64_t first, std::int64_t last) {
    std::copy(from + first, from + last, to + first);
  };
  parallel_for(0, y.numel() * static_cast<std::int64_t>(item_size(y.dtype())), worth_a_thread * 8, copy, 64);
}

void paste(const Tensor& y, const Tensor& x, int dim, std::int64_t start) {
  const std::int64_t inner = strides_of(y.shape())[dim];
  const std::int64_t block = x.shape()[dim] * inner, pace = y.shape()[dim] * inner;
  if (x.numel() == 0) return;
  visit_moved(y.dtype(), [&]<class T>(T*) {
    T* const to = elements<T>(y) + start * inner;
    const T* const from = elements<T>(x);
    share_matrix({x.numel() / block, 1}, {block, 16},
                 [=](std::int64_t row, std::int64_t end, std::int64_t left, std::int64_t right) {
                   for (; row < end; ++row)
                     std::copy(from + row * block + left, from + row * block + right, to + row * pace + left);
                 });
  });
}

void join(const Tensor& y, std::span<const Tensor> parts, int dim) {
  const std::int64_t inner = strides_of(y.shape())[dim], pace = y.shape()[dim] * inner;
  if (y.numel() == 0) return;
  visit_moved(y.dtype(), [&]<class T>(T*) {
    struct Source {
      const T* from;
      std::int64_t block;
    };
    std::vector<Source> sources;
    for (const Tensor& x : parts) sources.push_back({elements<T>(x), x.shape()[dim] * inner});
    constexpr std::int64_t short_row = 32;
    if (pace <= short_row) {  // one source after the other, which saves turning from one to the next
      parallel_for(0, y.numel() / pace, worth_a_thread / pace, [&](std::int64_t first, std::int64_t last) {
        T* to = elements<T>(y);
        for (const auto& [from, block] : sources) {
          for (std::int64_t row = first; row < last; ++row) {
            for (std::int64_t k = 0; k < block; ++k) to[row * pace + k] = from[row * block + k];
          }
          to += block;
        }
      });
      return;
    }
    const auto fill = [&, to = elements<T>(y)](std::int64_t first, std::int64_t last) {
      for (std::int64_t row = first / pace; row * pace < last; ++row) {
        std::int64_t at = row * pace;
        for (const auto& [from, block] : sources) {
          const std::int64_t lo = std::max(at, first), hi = std::min(at + block, last);
          if (lo < hi) std::copy_n(from + row * block + (lo - at), hi - lo, to + lo);
          at += block;
        }
      }
    };
    parallel_for(0, y.numel(), worth_a_thread, fill, 16);
  });
}

}  // namespace gradus::detail
