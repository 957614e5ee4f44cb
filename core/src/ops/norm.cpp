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
    if (p == 1) return sum(abs(x.detach()), dims, keepdim);
    if (p == 2) return reduced<T, T>(x, groups, keepdim, SumOfSquares());
    if (std::isinf(p)) return extreme_values(abs(x.detach()), groups, keepdim, p > 0);
    return reduced<T, T>(x, groups, keepdim, SumOfPowers{.p = p});
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
