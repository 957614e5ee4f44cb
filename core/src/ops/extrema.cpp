// max, min, argmax, argmin, all, any.
#include "autograd/record.hpp"
#include "kernels/kernels.hpp"
#include "ops/groups.hpp"
#include "ops/views.hpp"
#include "tensor/message.hpp"

#include <cstring>

namespace gradus {

using namespace detail;

namespace {

/// The largest (or smallest) element seen and its place among them. The first of equal ones stays; NaN beats every
/// number.
template <class T, bool largest>
struct Extremum {
  void add(T x) {
    const bool beaten = largest ? !(x <= value) : !(x >= value);
    if (seen == 0 || (beaten && value == value)) {
      value = x;
      place = seen;
    }
    ++seen;
  }
  /// Of integers by blocks: only one with a new extremum is looked at twice.
  void add(const T* x, std::int64_t n) requires std::integral<T> {
    constexpr std::int64_t block = 64;
    for (std::int64_t i = 0; i < n; i += block) {
      const std::int64_t size = std::min(block, n - i);
      T best = kernels::element(x, i);
      for (std::int64_t k = 1; k < size; ++k) {
        const T next = kernels::element(x, i + k);
        best = (largest ? next > best : next < best) ? next : best;
      }
      if (seen == 0 || (largest ? best > value : best < value)) {
        value = best;
        place = seen + (std::find(x + i, x + i + size, best) - (x + i));
      }
      seen += size;
    }
  }
  T value{};
  std::int64_t place = 0, seen = 0;
};

template <bool largest>
ValuesIndices extrema(const Tensor& x, const Groups& groups, bool keepdim) {
  ValuesIndices y{make_tensor(groups.shape(keepdim), x.dtype()), make_tensor(groups.shape(keepdim), int64)};
  visit(x.dtype(), [&]<class T>(T*) {
    T* const values = elements<T>(y.values);
    std::int64_t* const indices = elements<std::int64_t>(y.indices);
    if constexpr (std::floating_point<T>) {
      if (groups.rows() && groups.size >= worth_a_kernel) {
        for_each_row(elements<T>(x), groups, [=](std::int64_t i, const T* row, std::int64_t n) {
          indices[i] = largest ? kernels::argmax(row, n) : kernels::argmin(row, n);
          values[i] = row[indices[i]];
        });
        return;
      }
    }
    const auto make = [](std::int64_t) { return Extremum<T, largest>(); };
    for_each_group(elements<T>(x), groups, make, [=](std::int64_t i, const Extremum<T, largest>& extremum) {
      values[i] = extremum.value;
      indices[i] = extremum.place;
    });
  });
  return y;
}

/// The groups along a dimension, to look for an extremum in.
Groups nonempty_groups(const Tensor& x, std::int64_t dim, const char* op) {
  check_defined(x, op);
  Groups groups(x.shape(), dim);
  throw_if<IndexError>(groups.size == 0, op, "(): Expected reduction dim ", normalize_dim(dim, x.dim()),
                       " to have non-zero size.");
  return groups;
}

template <bool largest>
Tensor extremum_of_all(const Tensor& x, const char* op, const char* name) {
  check_defined(x, op);
  throw_if<RuntimeError>(x.numel() == 0, op,
                         "(): Expected reduction dim to be specified for input.numel() == 0. Specify the reduction "
                         "dim with the 'dim' argument.");
  Tensor y = extrema<largest>(x, Groups(x.shape(), {}), false).values;
  return recorded(y, name, {x}, keep(x, y), [](const Tensor& dy, const Tensor& x, const Tensor& y, InputGradients& dx) {
    const Tensor chosen = isnan(y).item<bool>() ? isnan(x) : x == y;
    const Tensor share = dy / chosen.sum().to(dy.dtype());
    dx[0] = where(chosen, share, zeros({}, dy.dtype()));
  });
}

template <bool largest>
ValuesIndices extremum_along(const Tensor& x, std::int64_t dim_, bool keepdim, const char* op, const char* name) {
  const Groups groups = nonempty_groups(x, dim_, op);
  const int dim = normalize_dim(dim_, x.dim());
  ValuesIndices y = extrema<largest>(x, groups, keepdim);
  if (tracks(x)) {
    record(y.values, name, {x}, keep(Kept(y.indices, "indices")),
           [shape = x.shape(), kept = groups.shape(true), dim](const Tensor& dy, const Tensor& indices) {
             return scatter_add(dy.reshape(kept), shape, dim, indices.reshape(kept));
           });
  }
  return y;
}

template <bool largest>
Tensor index_of_extremum(const Tensor& x, const char* op) {
  check_defined(x, op);
  throw_if<IndexError>(x.numel() == 0, op, "(): Expected reduction dim to be specified for input.numel() == 0.");
  return extrema<largest>(x, Groups(x.shape(), {}), false).indices;
}

/// Whether every (or any) element of a group is not zero.
template <bool every>
struct Truth {
  template <class T>
  void add(T x) {
    truth = every ? truth & (x != 0) : truth | (x != 0);
  }
  void add(const bool* x, std::int64_t n) {
    if (std::memchr(x, !every, static_cast<std::size_t>(n))) truth = !every;
  }
  bool value() const { return truth; }
  bool truth = every;
};

template <bool every>
Tensor truths(const Tensor& x, const Dims& dims, bool keepdim, const char* op = __builtin_FUNCTION()) {
  check_defined(x, op);
  const Groups groups(x.shape(), dims);
  return visit(x.dtype(), [&]<class T>(T*) { return reduced<T, bool>(x, groups, keepdim, Truth<every>()); });
}

}  // namespace

Tensor detail::extreme_values(const Tensor& x, const Groups& groups, bool keepdim, bool largest) {
  return (largest ? extrema<true> : extrema<false>)(x, groups, keepdim).values;
}

Tensor max(const Tensor& x) { return extremum_of_all<true>(x, "max", "MaxBackward1"); }
Tensor min(const Tensor& x) { return extremum_of_all<false>(x, "min", "MinBackward1"); }

Maxima max(const Tensor& x, Integer dim, bool keepdim) {
  return {extremum_along<true>(x, dim, keepdim, "max", "MaxBackward0")};
}
Minima min(const Tensor& x, Integer dim, bool keepdim) {
  return {extremum_along<false>(x, dim, keepdim, "min", "MinBackward0")};
}

Tensor argmax(const Tensor& x) { return index_of_extremum<true>(x, "argmax"); }
Tensor argmin(const Tensor& x) { return index_of_extremum<false>(x, "argmin"); }

Tensor argmax(const Tensor& x, Integer dim, bool keepdim) {
  return extrema<true>(x, nonempty_groups(x, dim, "argmax"), keepdim).indices;
}
Tensor argmin(const Tensor& x, Integer dim, bool keepdim) {
  return extrema<false>(x, nonempty_groups(x, dim, "argmin"), keepdim).indices;
}

Tensor all(const Tensor& x) { return truths<true>(x, {}, false); }
Tensor any(const Tensor& x) { return truths<false>(x, {}, false); }
Tensor all(const Tensor& x, Integer dim, bool keepdim) { return truths<true>(x, dim, keepdim); }
Tensor any(const Tensor& x, Integer dim, bool keepdim) { return truths<false>(x, dim, keepdim); }

}  // namespace gradus
