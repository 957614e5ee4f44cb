// A sample of LayerNorm is a channel of BatchNorm: (rows, D) read as one batch (1, rows, D).
#include "arguments.hpp"
#include "kernels/batch_norm.hpp"
#include "kernels/kernels.hpp"
#include "runtime/parallel_for.hpp"

#include <gradus/core/print.hpp>
#include <gradus/nn/batch_norm.hpp>
#include <gradus/nn/layer_norm.hpp>

#include <algorithm>

namespace gradus::nn {

using namespace gradus::detail;

namespace {

/// (x - mean) / sqrt(var + eps) over the last `features` elements.
Tensor normalised(const Tensor& x, std::int64_t features, double eps) {
  if (features == 1) return x - x;  // equal to their mean; infinities and NaN become NaN
  const Tensor samples = x.reshape({1, x.numel() / features, features});
  return functional::batch_norm(samples, {}, {.training = true, .eps = eps}).reshape(x.shape());
}

/// The sum over what stands before the last dimensions, those of `shape`.
Tensor sum_of_samples(const Tensor& x, const Shape& shape) {
  Shape flat = shape;
  flat.insert(0, x.numel() == 0 ? 0 : -1);
  return x.reshape(flat).sum(0);
}

/// y weight + bias, each of which may be null, for samples of `features` elements.
template <class T>
void scale(T* y, const T* weight, const T* bias, std::int64_t samples, std::int64_t features) {
  for (const T* const end = y + samples * features; y != end; y += features) {
    if (weight && bias) {
      for (std::int64_t j = 0; j < features; ++j) y[j] = y[j] * weight[j] + bias[j];
    } else if (weight) {
      for (std::int64_t j = 0; j < features; ++j) y[j] *= weight[j];
    } else if (bias) {
      for (std::int64_t j = 0; j < features; ++j) y[j] += bias[j];
    }
  }
}

/// Mean, variance and 1 / std of every sample, as rows.
template <class T>
kernels::BatchNormForward<T> pass_over(const Tensor& x, const Tensor& y, const Tensor& rows, double eps) {
  const std::int64_t samples = rows.shape()[1];
  double* const mean = elements<double>(rows);
  return {.shape = {1, samples, x.numel() / samples},
          .y = elements<T>(y),
          .x = elements<T>(x),
          .weight = nullptr,
          .bias = nullptr,
          .mean = mean,
          .var = mean + samples,
          .rstd = mean + 2 * samples,
          .eps = eps};
}

/// y and the statistics, by blocks of samples that stay in the cache until they are scaled.
template <class T>
void forward(const kernels::BatchNormForward<T>& pass, const Tensor& weight, const Tensor& bias) {
  const auto data = [](const Tensor& values) { return values.defined() ? elements<T>(values) : nullptr; };
  const std::int64_t features = pass.shape.l, block = (1 << 13) / features + 1;
  parallel_for(0, pass.shape.c, (1 << 14) / features + 1, [&](std::int64_t first, std::int64_t last) {
    for (; first < last; first += block) {
      kernels::BatchNormForward<T> part = pass;
      part.shape.c = std::min(block, last - first);
      part.x += first * features, part.y += first * features;
      part.mean += first, part.var += first, part.rstd += first;
      kernels::batch_norm(part);
      scale(part.y, data(weight), data(bias), part.shape.c, features);
    }
  });
}

/// dx, dweight and dbias from what the forward pass left in `rows`, without a graph.
template <class T>
void fused_backward(const Tensor& dy, InputGradients& dx, const Tensor& x, const Tensor& weight, const Tensor& rows,
                    const Shape& shape) {
  const Tensor xhat = empty_like(x);
  const kernels::BatchNormForward<T> pass = pass_over<T>(x, xhat, rows, 0);
  if (dx.needs(1)) {
    kernels::batch_norm_apply(pass);
    gradus::kernels::zip<T>(gradus::kernels::Binary::mul, pass.y, {elements<T>(dy), 0, 1}, {pass.y, 0, 1}, 1,
                            x.numel());
    dx[1] = sum_of_samples(xhat, shape);
  }
  if (dx.needs(2)) dx[2] = sum_of_samples(dy, shape);
  if (!dx.needs(0)) return;
  const Tensor dxhat = weight.defined() ? dy * weight : dy;
  dx[0] = owned_alone(dxhat) ? dxhat : xhat;
  kernels::batch_norm_backward(kernels::BatchNormBackward<T>{.shape = pass.shape,
                                                             .dx = elements<T>(dx[0]),
                                                             .dweight = nullptr,
                                                             .dbias = nullptr,
                                                             .dy = elements<T>(dxhat),
                                                             .x = pass.x,
                                                             .weight = nullptr,
                                                             .mean = pass.mean,
                                                             .var = pass.var,
                                                             .rstd = pass.rstd,
                                                             .batch_statistics = true});
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

void check(const Tensor& x, const Shape& shape, const Tensor& weight, const Tensor& bias) {
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
    if (values->shape() != shape) {
      fail<RuntimeError>("Expected ", name, " to be of same shape as normalized_shape, but got ", name, " of shape ",
                         values->shape(), " and normalized_shape = ", shape);
    }
    if (values->dtype() != x.dtype()) {
      fail<RuntimeError>("expected scalar type ", type_name(x.dtype()), " but found ", type_name(values->dtype()),
                         "\nlayer_norm: convert x or the layer with to()");
    }
  }
}

}  // namespace

Tensor functional::layer_norm(const Tensor& x, const Shape& shape, const Tensor& weight, const Tensor& bias,
                              double eps) {
  check_defined(x);
  check(x, shape, weight, bias);
  const std::int64_t features = numel(shape);
  const bool fuses = features > 1 && x.numel() > 0;
  Tensor y, rows;
  {
    const NoGradGuard no_grad;
    if (fuses) {
      y = empty_like(x), rows = make_tensor({3, x.numel() / features}, float64);
      visit_floating(x.dtype(), [&]<class T>(T*) { forward(pass_over<T>(x, y, rows, eps), weight, bias); });
    } else {
      y = normalised(x, features, eps);
      if (weight.defined()) y = y * weight;
      if (bias.defined()) y = y + bias;
    }
  }
  return recorded(y, "NativeLayerNormBackward0", {x, weight, bias},
                  keep(x, weight, Kept(std::move(rows), "mean, var, 1/std")),
                  [shape, eps, fuses](const Tensor& dy, const Tensor& x, const Tensor& weight, const Tensor& rows,
                                      InputGradients& dx) {
                    if (!fuses || grad_enabled()) return composed_backward(dy, dx, x, weight, shape, eps);
                    const auto backward = x.dtype() == float32 ? fused_backward<float> : fused_backward<double>;
                    backward(dy, dx, x, weight, rows, shape);
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
