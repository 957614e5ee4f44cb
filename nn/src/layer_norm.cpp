// The operation. Kernels do the loops; `composed_backward` says the same with differentiable operations, for second
// derivatives: a sample of LayerNorm is a channel of BatchNorm, (samples, D) read as one batch (1, samples, D).
#include "arguments.hpp"
#include "kernels/nn_table.hpp"
#include "kernels/split.hpp"

#include <gradus/core/print.hpp>
#include <gradus/nn/batch_norm.hpp>
#include <gradus/nn/layer_norm.hpp>

#include <algorithm>

namespace gradus::nn {

using namespace gradus::detail;

namespace {

/// (x - mean) / sqrt(var + eps) over the last `features` elements.
Tensor normalised(const Tensor& x, std::int64_t features, double eps) {
  if (features <= 1) return x - x;  // equal to their mean; infinities and NaN become NaN
  const Tensor samples = x.reshape({1, x.numel() / features, features});
  return functional::batch_norm(samples, {}, {.training = true, .eps = eps}).reshape(x.shape());
}

/// The sum over what stands before the last dimensions, those of `shape`.
Tensor sum_of_samples(const Tensor& x, const Shape& shape) {
  Shape flat = shape;
  flat.insert(0, x.numel() == 0 ? 0 : -1);
  return x.reshape(flat).sum(0);
}

/// `statistics` has rows of mean, what a double cannot hold of it, and 1 / std of every sample.
template <class T>
void forward(const Tensor& y, const Tensor& x, const Tensor& weight, const Tensor& bias, const Tensor& statistics,
             double eps) {
  const std::int64_t samples = statistics.shape()[1], features = x.numel() / samples;
  const kernels::LayerNormForward<T> pass{.cols = features,
                                          .y = elements<T>(y),
                                          .x = elements<T>(x),
                                          .weight = elements_or_null<T>(weight),
                                          .bias = elements_or_null<T>(bias),
                                          .mean = row_of(statistics, 0),
                                          .low = row_of(statistics, 1),
                                          .rstd = row_of(statistics, 2),
                                          .eps = eps};
  gradus::kernels::split(samples, features * 4, 1, [&](std::int64_t first, std::int64_t last) {
    kernels::chosen<&kernels::Kernels<T>::layer_norm>()(pass, first, last);
  });
}

/// dx, dweight and dbias without a graph. Each block of samples has its own sums for dweight and dbias, so that these
/// do not depend on the number of threads.
template <class T>
void fused_backward(const Tensor& dy, InputGradients& dx, const Tensor& x, const Tensor& weight,
                    const Tensor& statistics, const Shape& shape) {
  const std::int64_t samples = statistics.shape()[1], features = x.numel() / samples;
  const std::int64_t block = std::max<std::int64_t>(32, (1 << 17) / features);
  const Tensor sums = dx.needs(1) || dx.needs(2) ? zeros({(samples - 1) / block + 1, 2, features}, float64) : Tensor();
  const Tensor lost = sums.defined() && x.dtype() == float64 ? zeros_like(sums) : Tensor();
  if (dx.needs(0)) dx[0] = owned_alone(dy) ? dy : empty_like(x);
  parallel_for(0, (samples - 1) / block + 1, 1, [&](std::int64_t first, std::int64_t last) {
    for (; first < last; ++first) {
      const auto part = [&](const Tensor& t) {
        return t.defined() ? elements<double>(t) + first * 2 * features : nullptr;
      };
      const kernels::LayerNormBackward<T> pass{.cols = features,
                                               .dx = elements_or_null<T>(dx[0]),
                                               .sums = part(sums),
                                               .lost = part(lost),
                                               .dy = elements<T>(dy),
                                               .x = elements<T>(x),
                                               .weight = elements_or_null<T>(weight),
                                               .mean = row_of(statistics, 0),
                                               .low = row_of(statistics, 1),
                                               .rstd = row_of(statistics, 2)};
      kernels::chosen<&kernels::Kernels<T>::layer_norm_backward>()(pass, first * block,
                                                                   std::min((first + 1) * block, samples));
    }
  });
  if (!sums.defined()) return;
  const Tensor both = sums.sum(0).to(x.dtype());
  if (dx.needs(1)) dx[1] = both[0].reshape(shape);
  if (dx.needs(2)) dx[2] = both[1].reshape(shape);
}

/// The same as functions that have derivatives themselves.
void composed_backward(const Tensor& dy, InputGradients& dx, const Tensor& x, const Tensor& weight, const Shape& shape,
                       double eps) {
  const bool recorded = grad_enabled();
  Tensor source, xhat;
  {
    const EnableGradGuard differentiate_the_normalisation;
    source = recorded ? x : x.detach().requires_grad_();
    xhat = normalised(source, numel(shape), eps);
  }
  if (dx.needs(0)) {
    const Tensor dxhat = weight.defined() ? dy * weight : dy;
    dx[0] = grad({xhat}, {source}, {.grad_outputs = {dxhat}, .retain_graph = true, .create_graph = recorded})[0];
  }
  if (dx.needs(1)) dx[1] = sum_of_samples(dy * (recorded ? xhat : xhat.detach()), shape);
  if (dx.needs(2)) dx[2] = sum_of_samples(dy, shape);
}

void check_rows(const Tensor& x, const Shape& shape, const Tensor& weight, const Tensor& bias) {
  bool fits = shape.rank() > 0 && shape.rank() <= x.dim();
  for (int d = 0; fits && d < shape.rank(); ++d) fits = x.shape()[x.dim() - shape.rank() + d] == shape[d];
  if (!fits) {
    std::string sizes;
    for (const std::int64_t size : shape) sizes += message(", ", size);
    fail<RuntimeError>("Given normalized_shape=", shape, ", expected input with shape [*", sizes,
                       "], but got input of size", x.shape());
  }
  require_floating("LayerNormKernelImpl", x.dtype());
  for (const auto& [name, values] : {std::pair("weight", &weight), std::pair("bias", &bias)}) {
    if (!values->defined()) continue;
    throw_if<RuntimeError>(values->shape() != shape, "Expected ", name,
                           " to be of same shape as normalized_shape, but got ", name, " of shape ", values->shape(),
                           " and normalized_shape = ", shape);
    require_dtype_of(x, *values, "layer_norm: convert x or the layer with to()");
  }
}

}  // namespace

Tensor functional::layer_norm(const Tensor& x, const Shape& shape, const Tensor& weight, const Tensor& bias,
                              double eps) {
  check_defined(x);
  check_rows(x, shape, weight, bias);
  const std::int64_t features = numel(shape);
  const bool fuses = features > 1 && x.numel() > 0;
  Tensor y, statistics;
  {
    const NoGradGuard no_grad;
    if (fuses) {
      y = empty_like(x), statistics = make_tensor({3, x.numel() / features}, float64);
      visit_floating(x.dtype(), [&]<class T>(T*) { forward<T>(y, x, weight, bias, statistics, eps); });
    } else {
      y = normalised(x, features, eps);
      if (weight.defined()) y = y * weight;
      if (bias.defined()) y = y + bias;
    }
  }
  return recorded(y, "NativeLayerNormBackward0", {x, weight, bias},
                  keep(x, weight, Kept(std::move(statistics), "mean, low part of mean, 1/std")),
                  [shape, eps, fuses](const Tensor& dy, const Tensor& x, const Tensor& weight, const Tensor& statistics,
                                      InputGradients& dx) {
                    if (!fuses || grad_enabled()) return composed_backward(dy, dx, x, weight, shape, eps);
                    const auto backward = x.dtype() == float32 ? fused_backward<float> : fused_backward<double>;
                    backward(dy, dx, x, weight, statistics, shape);
                  });
}

LayerNorm::LayerNorm(const Shape& normalized_shape, const LayerNormOptions& options)
    : normalized_shape_(normalized_shape), options_(options) {
  if (!options.elementwise_affine) return;
  weight = Parameter(ones(normalized_shape, options.dtype));
  bias = Parameter(zeros(normalized_shape, options.dtype));
}

std::string LayerNorm::extra_repr() const {
  return message(tuple_text(normalized_shape_), ", eps=", format_number(options_.eps),
                 ", elementwise_affine=", options_.elementwise_affine ? "True" : "False");
}

}  // namespace gradus::nn
