#include "autograd/record.hpp"
#include "random/fill.hpp"
#include "tensor/message.hpp"

#include <cmath>
#include <limits>

namespace gradus {

using namespace detail;

namespace {

/// visit_floating. For other dtypes throws PyTorch's text, which names its function.
template <class F>
void visit_supported(Dtype dtype, const char* function, F f) {
  throw_if<RuntimeError>(!is_floating(dtype), "\"", function, "\" not implemented for '", type_name(dtype),
                         "'\nreal random numbers need the dtype float32 or float64");
  visit_floating(dtype, f);
}

template <class T>
void check_uniform(double from, double to) {
  constexpr double most = std::numeric_limits<T>::max();
  constexpr const char* type = std::same_as<T, float> ? "float" : "double";
  throw_if<RuntimeError>(!(std::abs(from) <= most), "from is out of bounds for ", type, ": ", from);
  throw_if<RuntimeError>(!(std::abs(to) <= most), "to is out of bounds for ", type, ": ", to);
  throw_if<RuntimeError>(from > to, "uniform_ expects to return a [from, to) range, but found from=", from,
                         " > to=", to);
  if (to - from > most) {
    fail<RuntimeError>("uniform_ expects to-from <= std::numeric_limits<", type_name(dtype_of<T>),
                       ">::max(), but found to=", to, " and from=", from,
                       " which result in to-from to exceed the limit");
  }
}

/// Refuses what T cannot hold exactly.
template <Element T>
void check_end(const char* name, std::int64_t end) {
  if constexpr (!std::same_as<T, std::int64_t>) {
    const std::int64_t most = std::same_as<T, bool> ? 1 : std::int64_t{1} << std::numeric_limits<T>::digits;
    const std::int64_t least = std::same_as<T, bool> ? 0 : -most;
    if (end >= least && end <= most) return;
    fail<RuntimeError>(name, " is out of bounds for ", dtype_of<T>, "\n", dtype_of<T>, " holds all integers from ",
                       least, " to ", most, ", but not ", end);
  }
}

template <Element T>
void check_integers(std::int64_t from, std::int64_t to) {
  throw_if<RuntimeError>(from >= to, "random_ expects 'from' to be less than 'to', but got from=", from, " >= to=", to);
  check_end<T>("from", from);
  check_end<T>("to - 1", to - 1);
}

template <class T>
void check_probabilities(const T* p, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) {
    if (p[i] >= 0 && p[i] <= 1) continue;
    fail<RuntimeError>("Expected p_in >= 0 && p_in <= 1 to be true, but got false.\nbernoulli: element ", i,
                       " of the probabilities is ", static_cast<double>(p[i]));
  }
}

/// A new tensor, filled by an in-place function, as one that nobody has written to.
Tensor unwritten(Tensor x) {
  impl_of(x)->storage->version = 0;
  return x;
}

}  // namespace

Tensor rand(const Shape& shape, Dtype dtype, Generator& generator) {
  return unwritten(uniform_(empty(shape, dtype), 0, 1, generator));
}

Tensor randn(const Shape& shape, Dtype dtype, Generator& generator) {
  return unwritten(normal_(empty(shape, dtype), 0, 1, generator));
}

Tensor randint(std::int64_t low, std::int64_t high, const Shape& shape, Dtype dtype, Generator& generator) {
  return unwritten(random_(empty(shape, dtype), low, high, generator));
}

Tensor randperm(std::int64_t n, Generator& generator) {
  Tensor x = empty({n}, int64);
  const Turn turn(generator);
  fill_permutation(elements<std::int64_t>(x), n, generator);
  return x;
}

Tensor bernoulli(const Tensor& p, Generator& generator) {
  check_defined(p);
  Tensor x = empty_like(p);
  visit_supported(p.dtype(), "bernoulli_tensor_cpu_p_", [&]<class T>(T*) {
    check_probabilities(elements<T>(p), p.numel());
    const Turn turn(generator);
    fill_bernoulli(elements<T>(x), elements<T>(p), p.numel(), generator);
  });
  return x;
}

namespace {

/// Standard normal values of this shape, times std, plus mean, which is a tensor or a number.
template <class Mean>
Tensor normal_of(const Mean& mean, const Tensor& std, const Shape& shape, Dtype dtype, Generator& generator) {
  if (std.numel() > 0 && !(std.min().item() >= 0)) {
    fail<RuntimeError>("normal expects all elements of std >= 0.0\nthe smallest is ", std.min().item());
  }
  const NoGradGuard no_grad;
  return randn(shape, dtype, generator).mul_(std).add_(mean);
}

}  // namespace

Tensor normal(const Tensor& mean, const Tensor& std, Generator& generator) {
  check_defined(mean, std);
  return normal_of(mean, std, broadcast_shapes(mean.shape(), std.shape()), mean.dtype(), generator);
}

Tensor normal(const Tensor& mean, double std, Generator& generator) {
  check_defined(mean);
  const NoGradGuard no_grad;
  return normal_(empty_like(mean), 0, std, generator).add_(mean);
}

Tensor normal(double mean, const Tensor& std, Generator& generator) {
  check_defined(std);
  return normal_of(mean, std, std.shape(), std.dtype(), generator);
}

Tensor normal(double mean, double std, const Shape& shape, Dtype dtype, Generator& generator) {
  return normal_(empty(shape, dtype), mean, std, generator);
}

Tensor uniform_(Tensor x, double from, double to, Generator& generator) {
  check_defined(x);
  visit_supported(x.dtype(), "check_uniform_bounds", [&]<class T>(T*) {
    check_uniform<T>(from, to);
    prepare_overwrite(x, "UniformBackward0");
    const Turn turn(generator);
    fill_uniform(elements<T>(x), x.numel(), from, to, generator);
  });
  return x;
}

Tensor normal_(Tensor x, double mean, double std, Generator& generator) {
  check_defined(x);
  throw_if<RuntimeError>(!(std >= 0), "normal expects std >= 0.0, but found std ", std);
  visit_supported(x.dtype(), "normal_kernel_cpu", [&]<class T>(T*) {
    prepare_overwrite(x, "NormalBackward0");
    const Turn turn(generator);
    fill_normal(elements<T>(x), x.numel(), mean, std, generator);
  });
  return x;
}

Tensor random_(Tensor x, std::int64_t from, std::int64_t to, Generator& generator) {
  check_defined(x);
  visit(x.dtype(), [&]<class T>(T*) {
    check_integers<T>(from, to);
    prepare_overwrite(x, "RandomBackward0");
    const Turn turn(generator);
    fill_integers(elements<T>(x), x.numel(), from, to, generator);
  });
  return x;
}

Tensor random_(Tensor x, Generator& generator) {
  check_defined(x);
  prepare_overwrite(x, "RandomBackward2");
  const Turn turn(generator);
  visit(x.dtype(), [&]<class T>(T*) { fill_integers(elements<T>(x), x.numel(), generator); });
  return x;
}

Tensor bernoulli_(Tensor x, double p, Generator& generator) {
  check_defined(x);
  throw_if<RuntimeError>(!(p >= 0 && p <= 1), "bernoulli_ expects p to be in [0, 1], but got p=", p);
  prepare_overwrite(x, "BernoulliBackward2");
  const Turn turn(generator);
  visit(x.dtype(), [&]<class T>(T*) { fill_bernoulli(elements<T>(x), x.numel(), p, generator); });
  return x;
}

}  // namespace gradus
