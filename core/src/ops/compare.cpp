// Comparisons, tests and choices. Boolean results carry no gradient.
#include "ops/elementwise.hpp"

#include <cmath>
#include <functional>

namespace gradus {

using namespace detail;

namespace {

template <class F>
Tensor compare(const Tensor& a, const Tensor& b, F f, const char* op = __builtin_FUNCTION()) {
  check_defined(a, b, op);
  const Dtype dtype = result_type(a, b);
  return visit(dtype, [&]<class T>(T*) { return zip<T, bool>(a.to(dtype), b.to(dtype), f); });
}

template <class F>
Tensor compare(const Tensor& a, Scalar b, F f, const char* op = __builtin_FUNCTION()) {
  check_defined(a, op);
  const Dtype dtype = promote(a.dtype(), b.kind());
  return visit(
      dtype, [&]<class T>(T*) { return map<T, bool>(a.to(dtype), [f, s = b.rounded<T>()](T p) { return f(p, s); }); });
}

template <class F>
Tensor test(const Tensor& x, F f, const char* op = __builtin_FUNCTION()) {
  check_defined(x, op);
  return visit(x.dtype(), [&]<class T>(T*) { return map<T, bool>(x, f); });
}

}  // namespace

Tensor eq(const Tensor& a, const Tensor& b) { return compare(a, b, std::equal_to<>()); }
Tensor ne(const Tensor& a, const Tensor& b) { return compare(a, b, std::not_equal_to<>()); }
Tensor lt(const Tensor& a, const Tensor& b) { return compare(a, b, std::less<>()); }
Tensor le(const Tensor& a, const Tensor& b) { return compare(a, b, std::less_equal<>()); }
Tensor gt(const Tensor& a, const Tensor& b) { return compare(a, b, std::greater<>()); }
Tensor ge(const Tensor& a, const Tensor& b) { return compare(a, b, std::greater_equal<>()); }
Tensor operator==(const Tensor& a, Scalar b) { return compare(a, b, std::equal_to<>()); }
Tensor operator!=(const Tensor& a, Scalar b) { return compare(a, b, std::not_equal_to<>()); }
Tensor operator<(const Tensor& a, Scalar b) { return compare(a, b, std::less<>()); }
Tensor operator<=(const Tensor& a, Scalar b) { return compare(a, b, std::less_equal<>()); }
Tensor operator>(const Tensor& a, Scalar b) { return compare(a, b, std::greater<>()); }
Tensor operator>=(const Tensor& a, Scalar b) { return compare(a, b, std::greater_equal<>()); }

Tensor isnan(const Tensor& x) {
  return test(x, [](auto p) { return std::isnan(static_cast<double>(p)); });
}

Tensor isfinite(const Tensor& x) {
  return test(x, [](auto p) { return std::isfinite(static_cast<double>(p)); });
}

Tensor logical_not(const Tensor& x) {
  return test(x, [](auto p) { return p == 0; });
}

Tensor where(const Tensor& condition, const Tensor& a_, const Tensor& b_) {
  check_defined(condition, a_, b_);
  throw_if<RuntimeError>(condition.dtype() != boolean,
                         "where expected condition to be a boolean tensor, but got a tensor with dtype ",
                         type_name(condition.dtype()));
  const Dtype dtype = result_type(a_, b_);
  const Tensor a = a_.to(dtype), b = b_.to(dtype);
  const Shape shape = broadcast_shapes(condition.shape(), broadcast_shapes(a.shape(), b.shape()));
  Tensor y = choose(shape, condition, a, b);
  return recorded(y, "WhereBackward0", {broadcast_input(a, shape), broadcast_input(b, shape)}, keep(condition),
                  [](const Tensor& dy, const Tensor& condition, InputGradients& dx) {
                    const Tensor zero = zeros({}, dy.dtype());
                    if (dx.needs(0)) dx[0] = where(condition, dy, zero);
                    if (dx.needs(1)) dx[1] = where(condition, zero, dy);
                  });
}

Tensor where(const Tensor& condition, const Tensor& a, Scalar b) { return where(condition, a, number_like(a, b)); }
Tensor where(const Tensor& condition, Scalar a, const Tensor& b) { return where(condition, number_like(b, a), b); }
Tensor where(const Tensor& condition, Scalar a, Scalar b) {
  const Dtype dtype = promote(a.kind(), b.kind());
  return where(condition, full({}, a, dtype), full({}, b, dtype));
}

bool equal(const Tensor& a, const Tensor& b) {
  check_defined(a, b);
  return a.shape() == b.shape() && all(eq(a, b)).item<bool>();
}

bool allclose(const Tensor& a_, const Tensor& b_, double rtol, double atol, bool equal_nan) {
  check_defined(a_, b_);
  const Shape shape = broadcast_shapes(a_.shape(), b_.shape());
  const NoGradGuard no_grad;
  const Tensor a = a_.to(float64).expand(shape), b = b_.to(float64).expand(shape);
  const double *p = elements<double>(a), *q = elements<double>(b);
  for (std::int64_t i = 0, n = a.numel(); i < n; ++i) {
    const bool close = p[i] == q[i] || (std::isfinite(q[i]) && std::abs(p[i] - q[i]) <= atol + rtol * std::abs(q[i]));
    if (!close && !(equal_nan && std::isnan(p[i]) && std::isnan(q[i]))) return false;
  }
  return true;
}

}  // namespace gradus
