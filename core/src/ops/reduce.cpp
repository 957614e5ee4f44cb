// sum, mean, var, std. Whatever the length, float32 results are right to the last digit or so: sums of floats are
// carried in double, sums of doubles compensated, and variances take a second pass over the deviations from the mean.
#include "autograd/record.hpp"
#include "kernels/kernels.hpp"
#include "ops/groups.hpp"
#include "tensor/message.hpp"

#include <cmath>

namespace gradus {

using namespace detail;

std::array<bool, Shape::max_rank> detail::named(const Dims& dims, int rank) {
  std::array<bool, Shape::max_rank> all{};
  for (const std::int64_t dim : dims) {
    const int d = normalize_dim(dim, rank);
    throw_if<RuntimeError>(std::exchange(all[d], true), "dim ", d, " appears multiple times in the list of dims");
  }
  return all;
}

detail::Groups::Groups(const Shape& shape, const Dims& dims) : kept_shape_(shape) {
  const auto reduced = named(dims, shape.rank());
  const Shape strides = strides_of(shape);
  for (int d = 0; d < shape.rank(); ++d) {
    if (dims.empty() || reduced[d]) {
      kept_shape_[d] = 1;
      size *= shape[d];
      inner.push(shape[d], {strides[d]});
    } else {
      short_shape_.push_back(shape[d]);
      count *= shape[d];
      outer.push(shape[d], {strides[d]});
    }
  }
  const auto dense = [](const Walk<1>& walk) { return walk.innermost() && walk.innermost()->stride[0] == 1; };
  if (dense(inner)) {
    run = inner.pop().extent;
  } else if (dense(outer)) {
    width = outer.pop().extent;
  }
}

namespace {

/// Sum of floats.
struct DoubleSum {
  void add(double x) { sum += x; }
  void add(kernels::Total total) { sum += total.sum; }
  void add(const float* x, std::int64_t n, std::int64_t runs, std::int64_t apart) {
    add(kernels::sum(x, n, runs, apart));
  }
  double value() const { return sum; }
  double sum = 0;
};

/// Sum of doubles that keeps what rounding takes off (Knuth, The Art of Computer Programming 2, 4.2.2, theorem B).
struct CompensatedSum {
  void add(double x) {
    const double next = sum + x, x_seen = next - sum;
    lost += (sum - (next - x_seen)) + (x - x_seen);
    sum = next;
  }
  void add(kernels::Total total) {
    add(total.sum);
    lost += total.lost;
  }
  void add(const double* x, std::int64_t n, std::int64_t runs, std::int64_t apart) {
    add(kernels::sum(x, n, runs, apart));
  }
  double value() const { return std::isfinite(lost) ? sum + lost : sum; }
  double sum = 0, lost = 0;
};

struct IntegerSum {
  void add(std::int64_t x) { sum += static_cast<std::uint64_t>(x); }
  /// A long run in four sums: one would wait for each addition.
  void add(const std::int64_t* x, std::int64_t n) {
    const std::int64_t quarter = n < 4096 ? 0 : n / 4;
    IntegerSum a, b, c, d;
    for (std::int64_t i = 0; i < quarter; ++i) {
      a.add(x[i]);
      b.add(x[quarter + i]);
      c.add(x[2 * quarter + i]);
      d.add(x[3 * quarter + i]);
    }
    for (std::int64_t i = 4 * quarter; i < n; ++i) add(x[i]);
    sum += a.sum + b.sum + c.sum + d.sum;
  }
  std::int64_t value() const { return static_cast<std::int64_t>(sum); }
  std::uint64_t sum = 0;  // wraps around, as PyTorch's
};

template <class T>
using Sum = std::conditional_t<std::is_same_v<T, float>, DoubleSum,
                               std::conditional_t<std::is_same_v<T, double>, CompensatedSum, IntegerSum>>;

/// sum((x - mean)^2) for a mean that may be off by a rounding error, whose effect is taken out again
/// (Chan, Golub, LeVeque 1983, equation 1.7).
template <class T>
struct SquaredDeviations {
  void add(double x) {
    const double d = x - mean;
    deviations.add(d);
    squares.add(d * d);
  }
  void add(const T* x, std::int64_t n) {
    const kernels::Deviations sums = kernels::deviations(x, n, mean);
    deviations.add(sums.sum);
    squares.add(sums.squares);
  }
  double value(double n) const {
    const double sum = squares.value() - deviations.value() * deviations.value() / n;
    return sum < 0 ? 0 : sum;  // keeps NaN
  }
  double mean = 0;
  Sum<T> deviations = {}, squares = {};
};

/// The sums of the groups of x, divided by `divisor` when they are floating, as a tensor of R.
template <class T, class R>
Tensor sums(const Tensor& x, const Groups& groups, bool keepdim, double divisor = 1) {
  Tensor y = make_tensor(groups.shape(keepdim), dtype_of<R>);
  if constexpr (std::floating_point<T> && std::is_same_v<T, R>) {
    if (groups.columns()) {
      groups.outer.for_each(0, groups.outer.count(), [&](std::int64_t i, auto begin) {
        kernels::column_sums(elements<T>(y) + i * groups.width, elements<T>(x) + begin[0], groups.size, groups.width,
                             divisor);
      });
      return y;
    }
    if (groups.rows() && groups.outer.rank() <= 1 && groups.size <= kernels::most_of_a_row) {
      kernels::row_sums(elements<T>(y), elements<T>(x), groups.count, groups.size, divisor);
      return y;
    }
  }
  const auto make = [](std::int64_t) { return Sum<T>(); };
  for_each_group(elements<T>(x), groups, make, [&, to = elements<R>(y)](std::int64_t i, const Sum<T>& sum) {
    if constexpr (std::is_integral_v<R>) {
      to[i] = sum.value();
    } else {
      to[i] = static_cast<R>(sum.value() / divisor);
    }
  });
  return y;
}

/// The same as a node of the graph.
Tensor divided_sum(const Tensor& x, const Groups& groups, bool keepdim, double divisor, const char* name) {
  Tensor y = visit(x.dtype(), [&]<class T>(T*) { return sums<T, Accumulated<T>>(x, groups, keepdim, divisor); });
  return recorded(y, name, {x},
                  [shape = x.shape(), kept = groups.shape(true), divisor](const Tensor& dy, InputGradients& dx) {
                    dx.spread(0, (divisor == 1 ? dy : dy / divisor).reshape(kept), shape);
                  });
}

Tensor sum(const Tensor& x, const Dims& dims, bool keepdim, const char* name) {
  check_defined(x);
  return divided_sum(x, Groups(x.shape(), dims), keepdim, 1, name);
}

Tensor mean(const Tensor& x, const Dims& dims, bool keepdim, const char* name) {
  check_defined(x);
  throw_if<RuntimeError>(!is_floating(x.dtype()),
                         "mean(): could not infer output dtype. Input dtype must be either a floating point or complex "
                         "dtype. Got: ",
                         type_name(x.dtype()), "\nconvert first: x.to(float32).mean()");
  const Groups groups(x.shape(), dims);
  return divided_sum(x, groups, keepdim, static_cast<double>(groups.size), name);
}

double degrees_of_freedom(const Groups& groups, bool unbiased) {
  return static_cast<double>(std::max<std::int64_t>(groups.size - unbiased, 0));
}

/// finish(variance) for every group.
template <class F>
Tensor variances(const Tensor& x, const Dims& dims, bool unbiased, bool keepdim, F finish,
                 const char* op = __builtin_FUNCTION()) {
  check_defined(x, op);
  throw_if<RuntimeError>(!is_floating(x.dtype()), "std and var only support floating point and complex dtypes\ngot ",
                         x.dtype(), ": convert first, e.g. x.to(float32)");
  const Groups groups(x.shape(), dims);
  const auto n = static_cast<double>(groups.size);
  return visit_floating(x.dtype(), [&]<class T>(T*) {
    const Tensor means = sums<T, double>(x, groups, keepdim, n);
    Tensor y = make_tensor(groups.shape(keepdim), x.dtype());
    const auto make = [mean = elements<double>(means)](std::int64_t i) {
      return SquaredDeviations<T>{.mean = mean[i]};
    };
    for_each_group(elements<T>(x), groups, make,
                   [&, to = elements<T>(y)](std::int64_t i, const SquaredDeviations<T>& deviations) {
                     to[i] = static_cast<T>(finish(deviations.value(n) / degrees_of_freedom(groups, unbiased)));
                   });
    return y;
  });
}

/// The derivative of var: 2 (x - mean) / (n - 1), times dy.
Tensor var_backward(const Tensor& dy, const Tensor& x, const Dims& dims, bool unbiased) {
  const Groups groups(x.shape(), dims);
  const Tensor scale = dy * (2 / degrees_of_freedom(groups, unbiased));
  return scale.reshape(groups.shape(true)) * (x - gradus::mean(x, dims, true));
}

}  // namespace

Tensor detail::column_sums(const Tensor& x) {
  Tensor y = make_tensor(x.shape()[1], x.dtype());
  visit_floating(x.dtype(), [&]<class T>(T*) {
    kernels::column_sums(elements<T>(y), elements<T>(x), x.shape()[0], x.shape()[1], 1);
  });
  return y;
}

Tensor sum(const Tensor& x) { return sum(x, {}, false, "SumBackward0"); }
Tensor sum(const Tensor& x, Dims dims, bool keepdim) { return sum(x, dims, keepdim, "SumBackward1"); }

Tensor mean(const Tensor& x) { return mean(x, {}, false, "MeanBackward0"); }
Tensor mean(const Tensor& x, Dims dims, bool keepdim) { return mean(x, dims, keepdim, "MeanBackward1"); }

Tensor var(const Tensor& x) { return var(x, {}); }

Tensor var(const Tensor& x, Dims dims, bool unbiased, bool keepdim) {
  Tensor y = variances(x, dims, unbiased, keepdim, [](double variance) { return variance; });
  return recorded(y, "VarBackward0", {x}, keep(x),
                  [dims, unbiased](const Tensor& dy, const Tensor& x) { return var_backward(dy, x, dims, unbiased); });
}

Tensor std(const Tensor& x) { return std(x, {}); }

Tensor std(const Tensor& x, Dims dims, bool unbiased, bool keepdim) {
  Tensor y = variances(x, dims, unbiased, keepdim, [](double variance) { return std::sqrt(variance); });
  return recorded(y, "StdBackward0", {x}, keep(x, y),
                  [dims, unbiased](const Tensor& dy, const Tensor& x, const Tensor& deviation, InputGradients& dx) {
                    const Tensor dvar =
                        masked_fill(dy / (deviation * 2), deviation == 0, 0);  // 0 where std has no slope
                    dx[0] = var_backward(dvar, x, dims, unbiased);
                  });
}

}  // namespace gradus
