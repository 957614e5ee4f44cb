#include "ops/elementwise.hpp"

namespace gradus::detail {

namespace {

template <class T>
void choose_run(T* y, const bool* condition, const T* a, std::int64_t step_a, const T* b, std::int64_t step_b,
                std::int64_t n) {
  if constexpr (std::same_as<T, bool>) {
    for (std::int64_t i = 0; i < n; ++i) y[i] = condition[i] ? a[i * step_a] : b[i * step_b];
  } else {
    kernels::where(y, condition, a, step_a, b, step_b, n);
  }
}

Shape broadcast(const Tensor& a, const Tensor& b) {
  return a.shape() == b.shape() ? a.shape() : broadcast_shapes(a.shape(), b.shape());
}

/// How a and b are walked together for a result of `shape`.
struct Pairs {
  Pairs(const Shape& shape, const Tensor& a, const Tensor& b) {
    if (a.shape() == b.shape()) {
      inner = {a.numel(), {1, 1}};
    } else {
      outer = broadcast_walk<2>(shape, {&a.shape(), &b.shape()});
      inner = outer.pop();
    }
  }
  Walk<2> outer;
  Walk<2>::Dimension inner;
};

}  // namespace

Tensor map(const Tensor& x, Dtype result, MapLoop* loop, const void* f) {
  Tensor y = make_tensor(x.shape(), result);
  const auto from_size = static_cast<std::int64_t>(item_size(x.dtype()));
  const auto to_size = static_cast<std::int64_t>(item_size(result));
  const auto part = [=, from = elements<const char>(x), to = elements<char>(y)](std::int64_t first, std::int64_t last) {
    loop(to + first * to_size, from + first * from_size, last - first, f);
  };
  parallel_for(0, x.numel(), worth_a_thread, part, 64);
  return y;
}

Tensor zip(const Tensor& a, const Tensor& b, Dtype result, ZipLoop* loop, const void* f) {
  Tensor y = make_tensor(broadcast(a, b), result);
  if (y.numel() == 0) return y;
  const Pairs pairs(y.shape(), a, b);
  const auto from_size = static_cast<std::int64_t>(item_size(a.dtype()));
  const auto to_size = static_cast<std::int64_t>(item_size(result));
  const std::int64_t n = pairs.inner.extent;
  const auto part = [&, step = pairs.inner.stride](std::int64_t at_y, std::int64_t at_a, std::int64_t at_b,
                                                   std::int64_t count) {
    loop(elements<char>(y) + at_y * to_size, elements<char>(a) + at_a * from_size, step[0],
         elements<char>(b) + at_b * from_size, step[1], count, f);
  };
  if (pairs.outer.count() == 1) {
    parallel_for(
        0, n, worth_a_thread,
        [&, step = pairs.inner.stride](std::int64_t first, std::int64_t last) {
          part(first, first * step[0], first * step[1], last - first);
        },
        64);
  } else {
    share_walk(pairs.outer, worth_a_thread / n + 1, [&](std::int64_t row, auto at) { part(row * n, at[0], at[1], n); });
  }
  return y;
}

void zip_into(const Tensor& y, const Tensor& a, const Tensor& b, BinaryLoop kernel) {
  if (y.numel() == 0) return;
  Pairs pairs(y.shape(), a, b);
  const Walk<2>::Dimension outer = pairs.outer.pop(), inner = pairs.inner;
  visit_floating(a.dtype(), [&]<class T>(T*) {
    const std::int64_t block = outer.extent * inner.extent;
    pairs.outer.for_each(0, pairs.outer.count(), [&](std::int64_t i, auto at) {
      kernel(elements<T>(y) + i * block, {elements<T>(a) + at[0], outer.stride[0], inner.stride[0]},
             {elements<T>(b) + at[1], outer.stride[1], inner.stride[1]}, outer.extent, inner.extent);
    });
  });
}

Tensor zip(const Tensor& a, const Tensor& b, BinaryLoop kernel) {
  if (a.numel() < worth_a_kernel && a.shape() == b.shape()) return {};
  const Shape shape = broadcast(a, b);
  if (numel(shape) < worth_a_kernel) return {};
  Tensor y = make_tensor(shape, a.dtype());
  zip_into(y, a, b, kernel);
  return y;
}

Tensor choose(const Shape& shape, const Tensor& condition, const Tensor& a, const Tensor& b) {
  Tensor y = make_tensor(shape, a.dtype());
  if (y.numel() == 0) return y;
  Walk<3> walk = broadcast_walk<3>(shape, {&condition.shape(), &a.shape(), &b.shape()});
  const Walk<3>::Dimension inner = walk.pop();
  const std::int64_t n = inner.extent, step_a = inner.stride[1], step_b = inner.stride[2];
  visit_moved(a.dtype(), [&]<class T>(T*) {
    share_walk(walk, worth_a_thread / n + 1, [&](std::int64_t i, auto at) {
      T* const to = elements<T>(y) + i * n;
      const bool* which = elements<bool>(condition) + at[0];
      const T *from_a = elements<T>(a) + at[1], *from_b = elements<T>(b) + at[2];
      if (inner.stride[0] == 1) {
        choose_run(to, which, from_a, step_a, from_b, step_b, n);
      } else {
        const T* from = *which ? from_a : from_b;
        const std::int64_t step = *which ? step_a : step_b;
        for (std::int64_t k = 0; k < n; ++k) to[k] = from[k * step];
      }
    });
  });
  return y;
}

Dtype result_type(const Tensor& a, const Tensor& b) {
  if (a.dtype() == b.dtype()) return a.dtype();
  if ((a.dim() == 0) == (b.dim() == 0)) return promote(a.dtype(), b.dtype());
  const Dtype dimensioned = (a.dim() == 0 ? b : a).dtype(), single = (a.dim() == 0 ? a : b).dtype();
  const bool same_kind = is_floating(dimensioned) && is_floating(single);
  return same_kind ? dimensioned : promote(dimensioned, single);
}

Tensor sum_to(const Tensor& x, const Shape& shape) {
  if (x.shape() == shape) return x;
  const int extra = x.dim() - shape.rank();
  Dims summed;
  for (int d = 0; d < x.dim(); ++d) {
    if (d < extra || (shape[d - extra] == 1 && x.shape()[d] != 1)) summed.push_back(d);
  }
  return (summed.empty() ? x : sum(x, summed, true)).reshape(shape);
}

}  // namespace gradus::detail
