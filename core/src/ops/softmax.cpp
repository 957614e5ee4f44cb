// logsumexp, softmax, log_softmax. The maximum is taken out first, so that no exponential overflows.
#include "autograd/record.hpp"
#include "kernels/kernels.hpp"
#include "message.hpp"
#include "ops/groups.hpp"

#include <cmath>

namespace gradus {

using namespace detail;

namespace {

using Kernel = void (*)(float* y, const float* x, std::int64_t rows, std::int64_t cols);
using BackwardKernel = void (*)(float* dx, const float* dy, const float* y, std::int64_t rows, std::int64_t cols);

struct Maximum {
  void add(double x) { value = x > value || x != x ? x : value; }  // NaN stays, as no x > NaN
  double value = -INFINITY;
};

struct SumOfExp {
  void add(double x) { sum += std::exp(x - shift); }
  double log() const { return shift + std::log(sum); }
  double shift = 0, sum = 0;
};

/// log(sum(exp(x))) of every group, in double.
Tensor logsumexps(const Tensor& x, const Groups& groups) {
  Tensor y = make_tensor(groups.shape(true), float64);
  double* to = elements<double>(y);
  visit_floating(x.dtype(), [&]<class T>(T*) {
    const T* from = elements<T>(x);
    for_each_group(
        from, groups, [](std::int64_t) { return Maximum(); },
        [to](std::int64_t i, const Maximum& maximum) { to[i] = maximum.value; });
    const auto make = [to](std::int64_t i) { return SumOfExp{.shift = std::isinf(to[i]) ? 0 : to[i]}; };
    for_each_group(from, groups, make, [to](std::int64_t i, const SumOfExp& sum) { to[i] = sum.log(); });
  });
  return y;
}

bool in_rows(const Tensor& x, int dim) { return x.dtype() == float32 && x.dim() > 0 && dim == x.dim() - 1; }

/// softmax or log_softmax: y = f(x - logsumexp(x)), or the kernel where it fits.
template <class F>
Tensor normalized(const Tensor& x, int dim, const char* op, Kernel kernel, F f) {
  if (!is_floating(x.dtype())) {
    throw RuntimeError(message('"', op, "_lastdim_kernel_impl\" not implemented for '", type_name(x.dtype()),
                               "'\nconvert first, e.g. x.to(float32)"));
  }
  Tensor y = make_tensor(x.shape(), x.dtype());
  if (x.numel() == 0) return y;
  if (in_rows(x, dim)) {
    const std::int64_t cols = x.shape()[dim];
    kernel(elements<float>(y), elements<float>(x), x.numel() / cols, cols);
    return y;
  }
  const NoGradGuard no_grad;
  const Tensor log_total = logsumexps(x, Groups(x.shape(), dim)).expand(x.shape());
  visit_floating(x.dtype(), [&]<class T>(T*) {
    const T* from = elements<T>(x);
    const double* total = elements<double>(log_total);
    T* to = elements<T>(y);
    for (std::int64_t i = 0, n = x.numel(); i < n; ++i) to[i] = static_cast<T>(f(from[i] - total[i]));
  });
  return y;
}

/// dx by the kernel; undefined where the kernel does not serve: then the derivative is composed.
Tensor fused_backward(const Tensor& dy, const Tensor& y, int dim, BackwardKernel kernel) {
  if (grad_enabled() || !in_rows(y, dim) || y.numel() == 0) return {};
  Tensor dx = make_tensor(y.shape(), float32);
  const std::int64_t cols = y.shape()[dim];
  kernel(elements<float>(dx), elements<float>(dy), elements<float>(y), y.numel() / cols, cols);
  return dx;
}

}  // namespace

Tensor logsumexp(const Tensor& x_, Dims dims, bool keepdim) {
  const Tensor x = is_floating(x_.dtype()) ? x_ : x_.to(float32);
  const Groups groups(x.shape(), dims);
  Tensor y = part_of(logsumexps(x, groups), groups.shape(keepdim)).to(x.dtype());
  if (tracks(x)) {
    record(y, "LogsumexpBackward0", {x},
           [x = Saved(x), y = Saved::result(y), kept = groups.shape(true)](const Tensor& dy, Gradients& dx) {
             dx[0] = dy.reshape(kept) * exp(x.get() - y.get().reshape(kept));
           });
  }
  return y;
}

Tensor softmax(const Tensor& x, std::int64_t dim_) {
  const int dim = normalize_dim(dim_, x.dim());
  Tensor y = normalized(x, dim, "softmax", kernels::softmax, [](double log_share) { return std::exp(log_share); });
  if (tracks(x)) {
    record(y, "SoftmaxBackward0", {x}, [y = Saved::result(y), dim](const Tensor& dy, Gradients& dx) {
      const Tensor share = y.get();
      dx[0] = fused_backward(dy, share, dim, kernels::softmax_backward);
      if (!dx[0].defined()) dx[0] = share * (dy - sum(dy * share, dim, true));
    });
  }
  return y;
}

Tensor log_softmax(const Tensor& x, std::int64_t dim_) {
  const int dim = normalize_dim(dim_, x.dim());
  Tensor y = normalized(x, dim, "log_softmax", kernels::log_softmax, [](double log_share) { return log_share; });
  if (tracks(x)) {
    record(y, "LogSoftmaxBackward0", {x}, [y = Saved::result(y), dim](const Tensor& dy, Gradients& dx) {
      const Tensor log_share = y.get();
      dx[0] = fused_backward(dy, log_share, dim, kernels::log_softmax_backward);
      if (!dx[0].defined()) dx[0] = dy - exp(log_share) * sum(dy, dim, true);
    });
  }
  return y;
}

}  // namespace gradus
