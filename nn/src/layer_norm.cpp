// A sample of LayerNorm is a channel of BatchNorm: (rows, D) read as one batch (1, rows, D).
#include "arguments.hpp"
#include "kernels/batch_norm.hpp"
#include "kernels/kernels.hpp"
#include "kernels/loops.hpp"
#include "runtime/parallel_for.hpp"

#include <gradus/core/print.hpp>
#include <gradus/nn/batch_norm.hpp>
#include <gradus/nn/layer_norm.hpp>

#include <algorithm>

namespace gradus::nn {

using namespace gradus::detail;
using gradus::kernels::Binary;

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

/// y = f(x, row) with `row` for each of the samples.
template <Binary f, class T>
void with_row(T* y, const T* x, const Tensor& row, std::int64_t samples, std::int64_t features) {
  gradus::kernels::zip<f, T>(y, {x, features, 1}, {elements<T>(row), 0, 1}, samples, features);
}

/// Mean, variance and 1 / std of every sample, as rows.
template <class T>
kernels::BatchNormForward<T> pass_over_rows(const Tensor& x, const Tensor& y, const Tensor& rows, double eps) {
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

/// f(first sample, their number) for blocks of samples that stay in the cache, on several threads.
template <class F>
void by_blocks(const kernels::BatchShape& shape, F f) {
  const std::int64_t block = (1 << 12) / shape.l + 1;
  parallel_for(0, shape.c, (1 << 14) / shape.l + 1, [&](std::int64_t first, std::int64_t last) {
    for (; first < last; first += block) f(first, std::min(block, last - first));
  });
}

template <class T>
kernels::BatchNormForward<T> part_of(kernels::BatchNormForward<T> pass, std::int64_t first, std::int64_t samples) {
  pass.shape.c = samples;
  pass.x += first * pass.shape.l, pass.y += first * pass.shape.l;
  pass.mean += first, pass.var += first, pass.rstd += first;
  return pass;
}

template <class T>
void forward(const kernels::BatchNormForward<T>& pass, const Tensor& weight, const Tensor& bias) {
  by_blocks(pass.shape, [&](std::int64_t first, std::int64_t samples) {
    const kernels::BatchNormForward<T> part = part_of(pass, first, samples);
    kernels::batch_norm(part);
    if (weight.defined()) with_row<Binary::mul>(part.y, part.y, weight, samples, pass.shape.l);
    if (bias.defined()) with_row<Binary::add>(part.y, part.y, bias, samples, pass.shape.l);
  });
}

/// dx, dweight and dbias from what the forward pass left in `rows`, without a graph.
template <class T>
void rows_backward(const Tensor& dy, InputGradients& dx, const Tensor& x, const Tensor& weight, const Tensor& rows,
                   const Shape& shape) {
  const Tensor y = empty_like(x);
  const kernels::BatchNormForward<T> pass = pass_over_rows<T>(x, y, rows, 0);
  const std::int64_t features = pass.shape.l;
  if (dx.needs(1)) {
    by_blocks(pass.shape, [&](std::int64_t first, std::int64_t samples) {
      const kernels::BatchNormForward<T> part = part_of(pass, first, samples);
      kernels::batch_norm_apply(part);
      gradus::kernels::zip<Binary::mul, T>(part.y, {elements<T>(dy) + first * features, 0, 1}, {part.y, 0, 1}, 1,
                                           samples * features);
    });
    dx[1] = sum_of_samples(y, shape);
  }
  if (dx.needs(2)) dx[2] = sum_of_samples(dy, shape);
  if (!dx.needs(0)) return;
  dx[0] = y;
  by_blocks(pass.shape, [&](std::int64_t first, std::int64_t samples) {
    const kernels::BatchNormForward<T> part = part_of(pass, first, samples);
    const T* dxhat = elements<T>(dy) + first * features;
    if (weight.defined()) {
      with_row<Binary::mul>(part.y, dxhat, weight, samples, features);
      dxhat = part.y;
    }
    kernels::batch_norm_backward(kernels::BatchNormBackward<T>{.shape = part.shape,
                                                               .dx = part.y,
                                                               .dweight = nullptr,
                                                               .dbias = nullptr,
                                                               .dy = dxhat,
                                                               .x = part.x,
                                                               .weight = nullptr,
                                                               .mean = part.mean,
                                                               .var = part.var,
                                                               .rstd = part.rstd,
                                                               .batch_statistics = true});
  });
}

/// The same as functions that have derivatives themselves.
void composed_rows_backward(const Tensor& dy, InputGradients& dx, const Tensor& x, const Tensor& weight,
                            const Shape& shape, double eps) {
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
    if (values->shape() != shape) {
      fail<RuntimeError>("Expected ", name, " to be of same shape as normalized_shape, but got ", name, " of shape ",
                         values->shape(), " and normalized_shape = ", shape);
    }
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
  Tensor y, rows;
  {
    const NoGradGuard no_grad;
    if (fuses) {
      y = empty_like(x), rows = make_tensor({3, x.numel() / features}, float64);
      visit_floating(x.dtype(), [&]<class T>(T*) { forward(pass_over_rows<T>(x, y, rows, eps), weight, bias); });
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
                    if (!fuses || grad_enabled()) return composed_rows_backward(dy, dx, x, weight, shape, eps);
                    const auto backward = x.dtype() == float32 ? rows_backward<float> : rows_backward<double>;
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
