// logsumexp, softmax, log_softmax. The maximum is taken out first, so that no exponential overflows. As in PyTorch, a
// softmax over +infinity, or over nothing but -infinity, is NaN throughout; logsumexp is then +infinity, or -infinity.
#include "autograd/record.hpp"
#include "kernels/kernels.hpp"
#include "ops/groups.hpp"
#include "tensor/message.hpp"

#include <cmath>

namespace gradus {

using namespace detail;

namespace {

struct Maximum {
  void add(double x) { value = x > value || x != x ? x : value; }  // NaN stays, as no x > NaN
  double value = -INFINITY;
};

struct SumOfExp {
  void add(double x) { sum += std::exp(x - shift); }
  double shift = 0, sum = 0;
};

/// For every group its maximum and the sum of exp(x - maximum): two rows of doubles. With `finite` an infinite maximum
/// counts as 0: then the sum is 0 or infinite where it would be NaN, because infinity - infinity is.
struct Totals {
  Totals(const Tensor& x, const Groups& groups, bool finite) : tensor(make_tensor({2, groups.count}, float64)) {
    shift = elements<double>(tensor);
    sum = shift + groups.count;
    visit_floating(x.dtype(), [&]<class T>(T*) {
      const T* from = elements<T>(x);
      for_each_group(
          from, groups, [](std::int64_t) { return Maximum(); },
          [this, finite](std::int64_t i, const Maximum& maximum) {
            shift[i] = finite && std::isinf(maximum.value) ? 0 : maximum.value;
          });
      for_each_group(
          from, groups, [this](std::int64_t i) { return SumOfExp{.shift = shift[i]}; },
          [this](std::int64_t i, const SumOfExp& total) { sum[i] = total.sum; });
    });
  }
  Tensor tensor;
  double *shift, *sum;
};

bool in_rows(const Tensor& x, int dim) { return x.dim() > 0 && dim == x.dim() - 1; }

/// y = f(x - maximum, sum of exp(x - maximum)) along one dimension, or the kernel where that serves.
template <class Kernel, class F>
Tensor normalized(const Tensor& x, int dim, const char* op, Kernel kernel, F f) {
  throw_if<RuntimeError>(!is_floating(x.dtype()), '"', op, "_lastdim_kernel_impl\" not implemented for '",
                         type_name(x.dtype()), "'\nconvert first, e.g. x.to(float32)");
  Tensor y = make_tensor(x.shape(), x.dtype());
  if (x.numel() == 0) return y;
  const std::int64_t n = x.dim() == 0 ? 1 : x.shape()[dim], inner = x.dim() == 0 ? 1 : strides_of(x.shape())[dim];
  if (in_rows(x, dim)) {
    visit_floating(x.dtype(), [&]<class T>(T*) { kernel(elements<T>(y), elements<T>(x), x.numel() / n, n); });
    return y;
  }
  const Totals totals(x, Groups(x.shape(), dim), false);
  visit_floating(x.dtype(), [&]<class T>(T*) {
    const T* from = elements<T>(x);
    T* to = elements<T>(y);
    for (std::int64_t outer = 0; outer < x.numel() / n; outer += inner) {
      for (std::int64_t k = 0; k < n; ++k) {
        for (std::int64_t i = outer; i < outer + inner; ++i) {
          *to++ = static_cast<T>(f(*from++ - totals.shift[i], totals.sum[i]));
        }
      }
    }
  });
  return y;
}

/// dx by the kernel; undefined where the kernel does not serve: then the derivative is composed.
template <class Kernel>
Tensor fused_backward(const Tensor& dy, const Tensor& y, int dim, Kernel kernel) {
  if (grad_enabled() || !in_rows(y, dim) || y.numel() == 0) return {};
  Tensor dx = make_tensor(y.shape(), y.dtype());
  const std::int64_t cols = y.shape()[dim];
  visit_floating(y.dtype(), [&]<class T>(T*) {
    kernel(elements<T>(dx), elements<T>(dy), elements<T>(y), y.numel() / cols, cols);
  });
  return dx;
}

}  // namespace

Tensor logsumexp(const Tensor& x_, Dims dims, bool keepdim) {
  check_defined(x_);
  const Tensor x = is_floating(x_.dtype()) ? x_ : x_.to(float32);
  const Groups groups(x.shape(), dims);
  const Totals totals(x, groups, true);
  Tensor y = make_tensor(groups.shape(keepdim), x.dtype());
  visit_floating(x.dtype(), [&]<class T>(T*) {
    for (std::int64_t i = 0; i < groups.count; ++i) {
      elements<T>(y)[i] = static_cast<T>(totals.shift[i] + std::log(totals.sum[i]));
    }
  });
  return recorded(y, "LogsumexpBackward0", {x}, keep(x, y),
                  [kept = groups.shape(true)](const Tensor& dy, const Tensor& x, const Tensor& y) {
                    return dy.reshape(kept) * exp(x - y.reshape(kept));
                  });
}

Tensor softmax(const Tensor& x, Integer dim_) {
  check_defined(x);
  const int dim = normalize_dim(dim_, x.dim());
  Tensor y = normalized(
      x, dim, "softmax", [](auto... of) { kernels::softmax(of...); },
      [](double d, double sum) { return std::exp(d) / sum; });
  return recorded(y, "SoftmaxBackward0", {x}, keep(y),
                  [dim](const Tensor& dy, const Tensor& share, InputGradients& dx) {
                    dx[0] = fused_backward(dy, share, dim, [](auto... of) { kernels::softmax_backward(of...); });
                    if (!dx[0].defined()) dx[0] = share * (dy - sum(dy * share, dim, true));
                  });
}

Tensor log_softmax(const Tensor& x, Integer dim_) {
  check_defined(x);
  const int dim = normalize_dim(dim_, x.dim());
  Tensor y = normalized(
      x, dim, "log_softmax", [](auto... of) { kernels::log_softmax(of...); },
      [](double d, double sum) { return d - std::log(sum); });
  return recorded(
      y, "LogSoftmaxBackward0", {x}, keep(y), [dim](const Tensor& dy, const Tensor& log_share, InputGradients& dx) {
        dx[0] = fused_backward(dy, log_share, dim, [](auto... of) { kernels::log_softmax_backward(of...); });
        if (!dx[0].defined()) dx[0] = dy - exp(log_share) * sum(dy, dim, true);
      });
}

}  // namespace gradus
