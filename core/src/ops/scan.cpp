// cumsum and prod.
#include "autograd/record.hpp"
#include "kernels/kernels.hpp"
#include "ops/groups.hpp"

namespace gradus {

using namespace detail;

namespace {

/// Sums of floats are carried in double, those of integers wrap around.
template <class T>
using Carried = std::conditional_t<std::is_floating_point_v<T>, double, std::uint64_t>;

/// y[k] = x[0] + … + x[k] along `n` <= `most` lines, `apart` from each other, whose elements are `step` apart.
template <std::int64_t most, class T, class R>
void running_sums(const T* x, R* y, std::int64_t size, std::int64_t step, std::int64_t n, std::int64_t apart) {
  Carried<R> sums[most];
  std::fill_n(sums, n, Carried<R>{});
  for (std::int64_t k = 0; k < size; ++k, x += step, y += step) {
    for (std::int64_t i = 0; i < n; ++i) sums[i] += static_cast<Carried<R>>(x[i * apart]);
    for (std::int64_t i = 0; i < n; ++i) y[i * apart] = static_cast<R>(sums[i]);
  }
}

/// The same along every line; from the other end with `reverse`. Of lines behind one another four are taken together,
/// so that none waits for its sum.
template <class T, class R>
void running_sums(const T* x, R* y, const Lines& lines, bool reverse) {
  constexpr std::int64_t panel = 4096 / sizeof(R), together = 4;  // a page: two threads write to parts of one slowly
  const std::int64_t step = reverse ? -lines.inner : lines.inner, block = lines.size * lines.inner;
  const std::int64_t start = reverse ? (lines.size - 1) * lines.inner : 0;
  const auto rows = [=](std::int64_t row, std::int64_t end) {
    for (; row + together <= end; row += together) {
      const std::int64_t at = row * block + start;
      running_sums<together>(x + at, y + at, lines.size, step, together, block);
    }
    for (; row < end; ++row) running_sums<1>(x + row * block + start, y + row * block + start, lines.size, step, 1, 1);
  };
  const std::int64_t panels = (lines.inner + panel - 1) / panel;
  const auto columns = [=](std::int64_t of, std::int64_t end) {
    for (; of < end; ++of) {
      const std::int64_t left = of % panels * panel, at = of / panels * block + start + left;
      running_sums<panel>(x + at, y + at, lines.size, step, std::min(panel, lines.inner - left), 1);
    }
  };
  if (lines.inner == 1) {
    parallel_for(0, lines.outer, worth_a_thread / (block + 1) + 1, rows, together);
  } else {
    parallel_for(0, lines.outer * panels, worth_a_thread / (lines.size * panel + 1) + 1, columns);
  }
}

Tensor running_sum(const Tensor& x, int dim, bool reverse) {
  const Lines lines(x.shape(), dim);
  Tensor y = make_tensor(x.shape(), is_floating(x.dtype()) ? x.dtype() : int64);
  visit(x.dtype(), [&]<class T>(T*) { running_sums(elements<T>(x), elements<Accumulated<T>>(y), lines, reverse); });
  return recorded(y, "CumsumBackward0", {x},
                  [dim, reverse](const Tensor& dy) { return running_sum(dy, dim, !reverse); });
}

template <class T>
struct Product {
  void add(T x) { product *= static_cast<Carried<T>>(x); }
  void add(const T* x, std::int64_t n) {
    if constexpr (std::is_floating_point_v<T>) {
      if (n >= worth_a_kernel) {
        product *= kernels::product(x, n);
        return;
      }
    }
    for (std::int64_t i = 0; i < n; ++i) add(x[i]);
  }
  Carried<T> value() const { return product; }
  Carried<T> product = 1;
};

/// The products of all elements before each, along `dim`: by doubling the distance looked back.
Tensor products_before(const Tensor& x, int dim) {
  const std::int64_t n = x.shape()[dim];
  Shape shape = x.shape();
  shape[dim] = 1;
  const auto shifted = [&](const Tensor& y, std::int64_t by) {
    shape[dim] = by;
    return cat({ones(shape, x.dtype()), narrow(y, dim, 0, n - by)}, dim);
  };
  Tensor y = shifted(x, 1);
  for (std::int64_t by = 1; by < n; by *= 2) y = y * shifted(y, by);
  return y;
}

/// The derivative of a product along `dim`: the product of the others. Where no factor is 0 by division.
Tensor product_backward(const Tensor& dy, const Tensor& x, const Tensor& y, int dim) {
  if (x.numel() == 0) return zeros_like(x);
  if (!any(x == 0).item<bool>()) return dy * y / x;
  const Tensor before = products_before(x, dim), after = products_before(x.flip(dim), dim).flip(dim);
  return dy * (before * after);
}

Tensor product(const Tensor& x, const Groups& groups, bool keepdim) {
  return visit(x.dtype(), [&]<class T>(T*) { return reduced<T, Accumulated<T>>(x, groups, keepdim, Product<T>()); });
}

}  // namespace

Tensor cumsum(const Tensor& x, Integer dim) {
  check_defined(x);
  return running_sum(x, normalize_dim(dim, x.dim()), false);
}

Tensor prod(const Tensor& x) {
  check_defined(x);
  Tensor y = product(x, Groups(x.shape(), {}), false);
  return recorded(y, "ProdBackward0", {x}, keep(x, y), [](const Tensor& dy, const Tensor& x, const Tensor& y) {
    return product_backward(dy, x.reshape(-1), y, 0).reshape(x.shape());
  });
}

Tensor prod(const Tensor& x, Integer dim_, bool keepdim) {
  check_defined(x);
  const int dim = normalize_dim(dim_, x.dim());
  if (x.dim() == 0) return prod(x.reshape(1), 0, keepdim).reshape({});
  const Groups groups(x.shape(), dim);
  Tensor y = product(x, groups, keepdim);
  return recorded(y, "ProdBackward1", {x}, keep(x, y),
                  [dim, kept = groups.shape(true)](const Tensor& dy, const Tensor& x, const Tensor& y) {
                    return product_backward(dy.reshape(kept), x, y.reshape(kept), dim);
                  });
}

}  // namespace gradus
