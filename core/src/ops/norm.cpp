// norm: (sum of |x|^p)^(1/p), as PyTorch's `Tensor.norm`.
#include "autograd/record.hpp"
#include "kernels/kernels.hpp"
#include "ops/groups.hpp"
#include "tensor/message.hpp"

#include <cmath>

namespace gradus {

using namespace detail;

namespace {

struct SumOfSquares {
  void add(double x) { sum += x * x; }
  template <class T>
  void add(const T* x, std::int64_t n) {
    if (n >= worth_a_kernel) {
      sum += kernels::sum_of_squares(x, n);
    } else {
      for (std::int64_t i = 0; i < n; ++i) add(static_cast<double>(x[i]));
    }
  }
  double value() const { return std::sqrt(sum); }
  double sum = 0;
};

struct SumOfPowers {
  void add(double x) { sum += p == 0 ? static_cast<double>(x != 0) : std::pow(std::abs(x), p); }
  double value() const { return p == 0 ? sum : std::pow(sum, 1 / p); }
  double p, sum = 0;
};

/// p = infinity: the largest magnitude, p = -infinity: the smallest. NaN stays.
struct ExtremeSize {
  void add(double x) {
    const double size = std::abs(x);
    const bool replaces = first || (largest ? size > extreme : size < extreme) || size != size;
    if (replaces && extreme == extreme) extreme = size;
    first = false;
  }
  double value() const { return extreme; }
  bool largest, first = true;
  double extreme = 0;
};

template <class T, class Make>
Tensor norms(const Tensor& x, const Groups& groups, bool keepdim, Make make) {
  using Accumulator = decltype(make());
  Tensor y = make_tensor(groups.shape(keepdim), x.dtype());
  for_each_group(
      elements<T>(x), groups, [make](std::int64_t) { return make(); },
      [to = elements<T>(y)](std::int64_t i, const Accumulator& a) { to[i] = static_cast<T>(a.value()); });
  return y;
}

Tensor sum_of_sizes(const Tensor& x, const Dims& dims, bool keepdim) {
  const NoGradGuard no_grad;
  return sum(abs(x), dims, keepdim);
}

/// The derivative: the limit 0 where the norm is 0, as PyTorch.
Tensor norm_backward(const Tensor& dy, const Tensor& x, const Tensor& y, const Dims& dims, double p) {
  if (p == 0) return zeros_like(x);
  if (p == 1) return sign(x) * dy;
  if (std::isinf(p)) {
    const Tensor chosen = ((abs(x) == y) | (isnan(x) & isnan(y))).to(x.dtype());
    return sign(x) * (dy / sum(chosen, dims, true) * chosen);
  }
  const Tensor divisor = masked_fill(y, y == 0, 1);
  if (p == 2) return dy * (x / divisor);
  const Tensor slope = p < 1   ? masked_fill(sign(x) * pow(abs(x), p - 1), x == 0, 0)
                       : p < 2 ? sign(x) * pow(abs(x), p - 1)
                               : x * pow(abs(x), p - 2);
  return slope * (p < 0 ? dy * pow(y, 1 - p) : dy / pow(divisor, p - 1));
}

Tensor norm_along(const Tensor& x, double p, const Dims& dims, bool keepdim) {
  check_defined(x, "norm");
  throw_if<RuntimeError>(!is_floating(x.dtype()),
                         "norm(): input dtype should be either floating point or complex. Got ", type_name(x.dtype()),
                         " instead.\nconvert first: x.to(float32).norm()");
  const Groups groups(x.shape(), dims);
  Tensor y = visit_floating(x.dtype(), [&]<class T>(T*) {
    if (p == 1) return sum_of_sizes(x, dims, keepdim);
    if (p == 2) return norms<T>(x, groups, keepdim, [] { return SumOfSquares(); });
    if (std::isinf(p)) return norms<T>(x, groups, keepdim, [p] { return ExtremeSize{.largest = p > 0}; });
    return norms<T>(x, groups, keepdim, [p] { return SumOfPowers{.p = p}; });
  });
  return recorded(y, "NormBackward1", {x}, keep(x, y),
                  [dims, p, kept = groups.shape(true)](const Tensor& dy, const Tensor& x, const Tensor& y) {
                    return norm_backward(dy.reshape(kept), x, y.reshape(kept), dims, p);
                  });
}

}  // namespace

Tensor norm(const Tensor& x, double p) { return norm_along(x, p, {}, false); }
Tensor norm(const Tensor& x, double p, Dims dims, bool keepdim) { return norm_along(x, p, dims, keepdim); }

}  // namespace gradus
