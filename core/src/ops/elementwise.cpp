#include "ops/elementwise.hpp"

namespace gradus::detail {

Runs::Runs(const Shape& y, const Shape& a, const Shape& b) {
  // Strides of 0 where an operand is broadcast; neighbouring dimensions that both walk as one are merged, inner first.
  std::int64_t pace_a = 1, pace_b = 1;
  for (int d = y.rank() - 1, da = a.rank() - 1, db = b.rank() - 1; d >= 0; --d, --da, --db) {
    const std::int64_t extent = y[d];
    const bool moves_a = da >= 0 && a[da] == extent && extent != 1;
    const bool moves_b = db >= 0 && b[db] == extent && extent != 1;
    if (extent == 0) {
      count = 0;
      return;
    }
    if (extent == 1) continue;
    const std::int64_t stride_a = moves_a ? pace_a : 0, stride_b = moves_b ? pace_b : 0;
    if (outer_rank_ == 0 && (n == 1 || (stride_a == step_a * n && stride_b == step_b * n))) {
      step_a = n == 1 ? moves_a : step_a;
      step_b = n == 1 ? moves_b : step_b;
      n *= extent;
    } else {
      extent_[outer_rank_] = extent;
      stride_a_[outer_rank_] = stride_a;
      stride_b_[outer_rank_] = stride_b;
      ++outer_rank_;
      count *= extent;
    }
    if (moves_a) pace_a *= extent;
    if (moves_b) pace_b *= extent;
  }
  const auto reverse = [this](std::int64_t* first) {  // collected inner first, walked outer first
    for (int i = 0, j = outer_rank_ - 1; i < j; ++i, --j) std::swap(first[i], first[j]);
  };
  reverse(extent_);
  reverse(stride_a_);
  reverse(stride_b_);
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
