// logsumexp, softmax, log_softmax. The maximum is taken out first, so that no exponential overflows. As in PyTorch, a
// softmax over +infinity, or over nothing but -infinity, is NaN throughout; logsumexp is then +infinity, or -infinity.
#include "autograd/record.hpp"
#include "kernels/kernels.hpp"
#include "kernels/split.hpp"
#include "ops/groups.hpp"
#include "tensor/message.hpp"

#include <algorithm>

namespace gradus {

using namespace detail;

namespace {

/// kernel(y, operands…, rows, cols) along one dimension. If that is not the last one, blocks of columns that fit the
/// second-level cache become rows for it.
template <class Kernel, class... Operands>
Tensor along(int dim, Kernel kernel, const Tensor& x, const Operands&... more) {
  Tensor y = make_tensor(x.shape(), x.dtype());
  if (x.numel() == 0) return y;
  const Lines lines(x.shape(), dim);
  const std::int64_t n = lines.size, inner = lines.inner;
  visit_floating(x.dtype(), [&]<class T>(T*) {
    if (inner == 1) return kernel(elements<T>(y), elements<T>(x), elements<T>(more)..., x.numel() / n, n);
    const T* const operands[] = {elements<T>(x), elements<T>(more)...};
    const std::int64_t width = std::min(inner, std::max<std::int64_t>(16, (1 << 16) / n)), size = n * width;
    const std::int64_t across = (inner + width - 1) / width, blocks = x.numel() / (n * inner) * across;
    kernels::split(blocks, size * kernels::exponential, 1, [=, to = elements<T>(y)](std::int64_t b, std::int64_t end) {
      const kernels::Scratch<T> scratch(std::ssize(operands) * size);
      T* const rows = scratch.data();
      for (; b < end; ++b) {
        const std::int64_t column = b % across * width, begin = b / across * n * inner + column;
        const std::int64_t cols = std::min(width, inner - column);
        for (std::int64_t i = 0; i < std::ssize(operands); ++i) {
          kernels::transpose(rows + i * size, n, operands[i] + begin, inner, n, cols);
        }
        [&]<std::size_t... i>(std::index_sequence<i...>) {
          kernel(rows, rows + static_cast<std::int64_t>(i) * size..., cols, n);
        }
        (std::index_sequence_for<Tensor, Operands...>());
        kernels::transpose(to + begin, inner, rows, n, cols, n);
      }
    });
  });
  return y;
}

void refuse_integers(const Tensor& x, const char* op) {
  throw_if<RuntimeError>(!is_floating(x.dtype()), '"', op, "_lastdim_kernel_impl\" not implemented for '",
                         type_name(x.dtype()), "'\nconvert first, e.g. x.to(float32)");
}

template <class T>
T largest(const T* x, std::int64_t n) {
  T top = x[0];
  for (std::int64_t j = 0; j < n; ++j) top = x[j] > top || x[j] != x[j] ? x[j] : top;  // NaN stays, as no x > NaN
  return top;
}

/// x with the dimensions that are reduced behind the others, so that each group is a row.
Tensor in_rows(const Tensor& x, const Shape& kept) {
  const NoGradGuard no_grad;
  Dims order;
  for (const bool reduced : {false, true}) {
    for (int d = 0; d < x.dim(); ++d) {
      if ((kept[d] != x.shape()[d]) == reduced) order.push_back(d);
    }
  }
  return x.permute(order);
}

}  // namespace

Tensor logsumexp(const Tensor& x_, Dims dims, bool keepdim) {
  check_defined(x_);
  const Tensor x = is_floating(x_.dtype()) ? x_ : x_.to(float32);
  const Groups groups(x.shape(), dims);
  const Tensor rows = groups.rows() ? x : in_rows(x, groups.shape(true));
  Tensor y = make_tensor(groups.shape(keepdim), x.dtype());
  visit_floating(x.dtype(), [&]<class T>(T*) {
    const T* row = elements<T>(rows);
    const kernels::Scratch<double> sums(groups.count);
    kernels::log_sum_exp(sums.data(), row, groups.count, groups.size);
    for (std::int64_t i = 0; i < groups.count; ++i, row += groups.size) {
      // Where the largest is infinite, infinity - infinity has made NaN of the sum.
      const auto value = sums.data()[i];
      elements<T>(y)[i] = value == value ? static_cast<T>(value) : largest(row, groups.size);
    }
  });
  return recorded(y, "LogsumexpBackward0", {x}, keep(x, y),
                  [kept = groups.shape(true)](const Tensor& dy, const Tensor& x, const Tensor& y) {
                    return dy.reshape(kept) * exp(x - y.reshape(kept));
                  });
}

Tensor softmax(const Tensor& x, Integer dim_) {
  check_defined(x);
  refuse_integers(x, "softmax");
  const int dim = normalize_dim(dim_, x.dim());
  Tensor y = along(
      dim, [](auto... of) { kernels::softmax(of...); }, x);
  return recorded(y, "SoftmaxBackward0", {x}, keep(y),
                  [dim](const Tensor& dy, const Tensor& share, InputGradients& dx) {
                    dx[0] = grad_enabled() ? share * (dy - sum(dy * share, dim, true))
                                           : along(
                                                 dim, [](auto... of) { kernels::softmax_backward(of...); }, dy, share);
                  });
}

Tensor log_softmax(const Tensor& x, Integer dim_) {
  check_defined(x);
  refuse_integers(x, "log_softmax");
  const int dim = normalize_dim(dim_, x.dim());
  Tensor y = along(
      dim, [](auto... of) { kernels::log_softmax(of...); }, x);
  return recorded(
      y, "LogSoftmaxBackward0", {x}, keep(y), [dim](const Tensor& dy, const Tensor& log_share, InputGradients& dx) {
        dx[0] = grad_enabled() ? dy - exp(log_share) * sum(dy, dim, true)
                               : along(
                                     dim, [](auto... of) { kernels::log_softmax_backward(of...); }, dy, log_share);
      });
}

}  // namespace gradus
