#include "ops/elementwise.hpp"

#include <algorithm>
#include <cmath>

namespace gradus {

using namespace detail;

namespace {

/// Extents along the first element of every level; each list must repeat them.
void find_shape(std::span<const Nested> list, Shape& shape) {
  shape.push_back(static_cast<std::int64_t>(list.size()));
  if (!list.empty() && list.front().is_list()) find_shape(list.front().list(), shape);
}

Dtype find_dtype(std::span<const Nested> list, Dtype dtype) {
  for (const Nested& item : list) {
    dtype = item.is_list() ? find_dtype(item.list(), dtype) : promote(dtype, item.number().kind());
  }
  return dtype;
}

bool has_numbers(std::span<const Nested> list) {
  return std::any_of(list.begin(), list.end(), [](const Nested& i) { return !i.is_list() || has_numbers(i.list()); });
}

/// The number as an element of a new tensor: float rounds where other operations refuse, as in PyTorch.
template <class T>
T element_of(Scalar number) {
  if constexpr (std::same_as<T, std::int64_t>) {
    const double value = number.to<double>();
    if (is_floating(number.kind()) && !(value >= -0x1p63 && value < 0x1p63)) refuse_number(value, "int64");
  }
  return number.rounded<T>();
}

template <class T>
T* flatten_into(T* to, std::span<const Nested> list, const Shape& shape, int dim) {
  throw_if<ValueError>(static_cast<std::int64_t>(list.size()) != shape[dim], "expected sequence of length ", shape[dim],
                       " at dim ", dim, " (got ", list.size(), ")");
  for (const Nested& item : list) {
    throw_if<ValueError>(item.is_list() != (dim + 1 < shape.rank()), "tensor: numbers and lists are mixed at dim ",
                         dim + 1, "\nevery list of one level holds either");
    if (item.is_list()) {
      to = flatten_into(to, item.list(), shape, dim + 1);
    } else {
      *to++ = element_of<T>(item.number());
    }
  }
  return to;
}

}  // namespace

Tensor tensor(std::initializer_list<Nested> values, std::optional<Dtype> dtype) {
  const std::span<const Nested> list(values.begin(), values.size());
  Shape shape;
  find_shape(list, shape);
  Tensor x = make_tensor(shape, dtype.value_or(has_numbers(list) ? find_dtype(list, boolean) : float32));
  visit(x.dtype(), [&]<class T>(T*) { flatten_into(elements<T>(x), list, shape, 0); });
  return x;
}

Tensor tensor(const Nested& values, std::optional<Dtype> dtype) {
  throw_if<ValueError>(values.is_list(), "tensor: a list inside a variable; write the list in the call");
  Tensor x = make_tensor({}, dtype.value_or(values.number().kind()));
  visit(x.dtype(), [&]<class T>(T*) { *elements<T>(x) = element_of<T>(values.number()); });
  return x;
}

template <Element T>
Tensor from_span(std::span<const T> values, const Shape& shape) {
  throw_if<RuntimeError>(static_cast<std::int64_t>(values.size()) != numel(shape), "shape '", shape,
                         "' is invalid for input of size ", values.size());
  Tensor x = make_tensor(shape, dtype_of<T>);
  std::copy(values.begin(), values.end(), elements<T>(x));
  return x;
}
template Tensor from_span(std::span<const bool>, const Shape&);
template Tensor from_span(std::span<const std::int64_t>, const Shape&);
template Tensor from_span(std::span<const float>, const Shape&);
template Tensor from_span(std::span<const double>, const Shape&);

Tensor empty(const Shape& shape, Dtype dtype) { return make_tensor(shape, dtype); }

Tensor zeros(const Shape& shape, Dtype dtype) { return full(shape, 0, dtype); }

Tensor ones(const Shape& shape, Dtype dtype) { return full(shape, 1, dtype); }

Tensor full(const Shape& shape, Scalar value, std::optional<Dtype> dtype) {
  Tensor x = make_tensor(shape, dtype.value_or(value.kind()));
  visit(x.dtype(), [&]<class T>(T*) { kernels::fill(elements<T>(x), value.to<T>(), x.numel()); });
  return x;
}

Tensor eye(std::int64_t n, Dtype dtype) {
  throw_if<RuntimeError>(n < 0, "n must be greater or equal to 0, got ", n);
  Tensor x = zeros({n, n}, dtype);
  visit(dtype, [&]<class T>(T*) {
    for (std::int64_t i = 0; i < n; ++i) elements<T>(x)[i * n + i] = T{1};
  });
  return x;
}

namespace {

Tensor filled_like(const Tensor& x, Scalar value, const char* op = __builtin_FUNCTION()) {
  check_defined(x, op);
  return full(x.shape(), value, x.dtype());
}

}  // namespace

Tensor empty_like(const Tensor& x) {
  check_defined(x);
  return make_tensor(x.shape(), x.dtype());
}
Tensor full_like(const Tensor& x, Scalar value) { return filled_like(x, value); }
Tensor zeros_like(const Tensor& x) { return filled_like(x, 0); }
Tensor ones_like(const Tensor& x) { return filled_like(x, 1); }

Tensor arange(Scalar end) { return arange(0, end); }

namespace {

/// The limits of arange in the type that PyTorch computes with, checked.
template <class T>
struct Progression {
  Progression(Scalar start_, Scalar end_, Scalar step_)
      : start(start_.to<T>()), end(end_.to<T>()), step(step_.to<T>()) {
    throw_if<RuntimeError>(step == 0 || step != step, "step must be nonzero");
    if constexpr (std::is_floating_point_v<T>) {
      if (!std::isfinite(start) || !std::isfinite(end)) {
        fail<RuntimeError>("unsupported range: ", std::to_string(start), " -> ", std::to_string(end));
      }
    }
    throw_if<RuntimeError>(step > 0 ? end < start : end > start,
                           "upper bound and larger bound inconsistent with step sign");
    const double size = std::ceil(static_cast<double>(minus(end, start)) / static_cast<double>(step));
    throw_if<RuntimeError>(!(size >= 0 && size < 0x1p63), "invalid size, possible overflow?");
    count = static_cast<std::int64_t>(size);
  }
  T operator()(std::int64_t i) const { return plus(start, times(step, static_cast<T>(i))); }

  T start, end, step;
  std::int64_t count;
};

void refuse_boolean(Dtype dtype, const char* op) {
  throw_if<RuntimeError>(dtype == boolean, '"', op, "_cpu\" not implemented for 'Bool'");
}

}  // namespace

Tensor arange(Scalar start, Scalar end, Scalar step, std::optional<Dtype> wanted) {
  const Dtype dtype = wanted.value_or(promote(promote(start.kind(), end.kind()), promote(step.kind(), int64)));
  refuse_boolean(dtype, "arange");
  return visit(dtype, [&]<class T>(T*) {
    const Progression<std::conditional_t<std::integral<T>, std::int64_t, double>> numbers(start, end, step);
    Tensor x = make_tensor(numbers.count, dtype);
    for (std::int64_t i = 0; i < numbers.count; ++i) elements<T>(x)[i] = static_cast<T>(numbers(i));
    return x;
  });
}

Tensor linspace(double start, double end, std::int64_t steps, Dtype dtype) {
  throw_if<RuntimeError>(steps < 0, "number of steps must be non-negative");
  refuse_boolean(dtype, "linspace");
  Tensor x = make_tensor(steps, dtype);
  const double step = steps > 1 ? (end - start) / static_cast<double>(steps - 1) : 0;
  visit(dtype, [&]<class T>(T*) {
    static_cast<void>(Scalar(start).to<T>());
    static_cast<void>(Scalar(end).to<T>());
    kernels::run_vectorised([=, y = elements<T>(x)] {  // from both ends, so that the last one is exact
      const std::int64_t half = (steps + 1) / 2;
      for (std::int64_t i = 0; i < half; ++i) y[i] = static_cast<T>(start + step * static_cast<double>(i));
      for (std::int64_t i = half; i < steps; ++i)
        y[i] = static_cast<T>(end - step * static_cast<double>(steps - 1 - i));
    });
  });
  return x;
}

}  // namespace gradus
