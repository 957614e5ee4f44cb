#include "ops/elementwise.hpp"

namespace gradus::detail {

namespace {

template <class T>
void choose_run(T* y, const bool* condition, const T* a, std::int64_t step_a, const T* b, std::int64_t step_b,
                std::int64_t n) {
  if constexpr (std::same_as<T, bool>) {
    for (std::int64_t i = 0; i < n; ++i) y[i] = condition[i] ? a[i * step_a] : b[i * step_b];
  } else {
    kernels::where(moved(y), condition, moved(a), step_a, moved(b), step_b, n);
  }
}

}  // namespace

Tensor choose(const Shape& shape, const Tensor& condition, const Tensor& a, const Tensor& b) {
  Tensor y = make_tensor(shape, a.dtype());
  if (y.numel() == 0) return y;
  Walk<3> walk = broadcast_walk<3>(shape, {&condition.shape(), &a.shape(), &b.shape()});
  const Walk<3>::Dimension inner = walk.pop();
  const std::int64_t n = inner.extent, step_a = inner.stride[1], step_b = inner.stride[2];
  visit(a.dtype(), [&]<class T>(T*) {
    T* to = elements<T>(y);
    walk.for_each(0, walk.count(), [&](auto, auto at) {
      const bool* which = elements<bool>(condition) + at[0];
      const T *from_a = elements<T>(a) + at[1], *from_b = elements<T>(b) + at[2];
      if (inner.stride[0] == 1) {
        choose_run(to, which, from_a, step_a, from_b, step_b, n);
      } else {
        const T* from = *which ? from_a : from_b;
        const std::int64_t step = *which ? step_a : step_b;
        for (std::int64_t i = 0; i < n; ++i) to[i] = from[i * step];
      }
      to += n;
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
