// Convolution is bilinear in x and weight: it and its two gradients are derivatives of one another, so that three
// functions give every order.
#include "arguments.hpp"
#include "convolution.hpp"

#include <gradus/nn/conv.hpp>
#include <gradus/nn/init.hpp>

#include <cmath>

namespace gradus::nn {

using namespace gradus::detail;

namespace {

// --- the three in the graph

constexpr const char* gradient_node = "ConvolutionBackwardBackward0";

Tensor input_gradient(const Tensor& dy, const Tensor& weight, const Geometry& g);
Tensor weight_gradient(const Tensor& dy, const Tensor& x, const Geometry& g);

Tensor convolution(const Tensor& x, const Tensor& weight, const Tensor& bias, const Geometry& g) {
  Tensor y = make_tensor(g.y_shape(), x.dtype());
  visit_floating(x.dtype(), [&]<class T>(T*) {
    convolve(elements<T>(y), elements<T>(x), elements<T>(weight), elements_or_null<T>(bias), g);
  });
  return recorded(y, "ConvolutionBackward0", {x, weight, bias}, keep(x, weight),
                  [g](const Tensor& dy, const Tensor& x, const Tensor& weight, InputGradients& dx) {
                    if (dx.needs(0)) dx[0] = input_gradient(dy, weight, g);
                    if (dx.needs(1)) dx[1] = weight_gradient(dy, x, g);
                    if (dx.needs(2)) dx[2] = dy.sum({0, 2});
                  });
}

Tensor input_gradient(const Tensor& dy, const Tensor& weight, const Geometry& g) {
  Tensor dx = make_tensor(g.x_shape(), dy.dtype());
  visit_floating(dy.dtype(), [&]<class T>(T*) {
    convolve_input_gradient(elements<T>(dx), elements<T>(dy), elements<T>(weight), g);
  });
  return recorded(dx, gradient_node, {dy, weight}, keep(dy, weight),
                  [g](const Tensor& ddx, const Tensor& dy, const Tensor& weight, InputGradients& out) {
                    if (out.needs(0)) out[0] = convolution(ddx, weight, {}, g);
                    if (out.needs(1)) out[1] = weight_gradient(dy, ddx, g);
                  });
}

Tensor weight_gradient(const Tensor& dy, const Tensor& x, const Geometry& g) {
  Tensor dw = make_tensor(g.weight_shape(), dy.dtype());
  visit_floating(dy.dtype(),
                 [&]<class T>(T*) { convolve_weight_gradient(elements<T>(dw), elements<T>(dy), elements<T>(x), g); });
  return recorded(dw, gradient_node, {dy, x}, keep(dy, x),
                  [g](const Tensor& ddw, const Tensor& dy, const Tensor& x, InputGradients& out) {
                    if (out.needs(0)) out[0] = convolution(x, ddw, {}, g);
                    if (out.needs(1)) out[1] = input_gradient(dy, ddw, g);
                  });
}

// --- what must be true of the arguments

void check_call(const functional::Conv1dCall& call) {
  throw_if<RuntimeError>(call.padding.size() < 0, "negative padding is not supported");
  throw_if<RuntimeError>(call.stride <= 0, "non-positive stride is not supported");
  throw_if<RuntimeError>(call.dilation <= 0, "non-positive dilation is not supported");
  throw_if<RuntimeError>(call.padding.same() && call.stride != 1,
                         "padding='same' is not supported for strided convolutions");
  throw_if<RuntimeError>(call.groups <= 0, "non-positive groups is not supported");
}

void check_operands(const Tensor& x, const Tensor& weight, const Tensor& bias, std::int64_t groups) {
  throw_if<RuntimeError>(weight.dim() != 3, "conv1d: expected a weight of shape (O, C / groups, K), got ",
                         weight.shape());
  if (x.size(1) != weight.size(1) * groups) {
    fail<RuntimeError>("Given groups=", groups, ", weight of size ", weight.shape(), ", expected input", x.shape(),
                       " to have ", weight.size(1) * groups, " channels, but got ", x.size(1), " channels instead");
  }
  throw_if<RuntimeError>(weight.size(0) % groups != 0, "Given groups=", groups, ", expected weight to be divisible by ",
                         groups, " at dimension 0, but got weight of size ", weight.shape(), " instead");
  require_floating("conv1d", x.dtype());
  for (const Tensor* other : {&weight, &bias}) require_dtype_of(x, *other, "conv1d: convert x or the layer with to()");
  if (bias.defined() && bias.shape() != Shape{weight.size(0)}) {
    fail<RuntimeError>("Given weight of size ", weight.shape(), ", expected bias to be 1-dimensional with ",
                       weight.size(0), " elements, but got bias of size ", bias.shape(), " instead");
  }
}

void check_layer(std::int64_t in, std::int64_t out, const Conv1dOptions& o) {
  throw_if<ValueError>(o.groups <= 0, "groups must be a positive integer");
  throw_if<ValueError>(in % o.groups != 0, "in_channels must be divisible by groups");
  throw_if<ValueError>(out % o.groups != 0, "out_channels must be divisible by groups");
  throw_if<ValueError>(o.padding.same() && o.stride != 1, "padding='same' is not supported for strided convolutions");
}

Geometry geometry(const Tensor& x, const Tensor& weight, const functional::Conv1dCall& call) {
  const std::int64_t kernel = weight.size(2), reach = window_length("conv1d", kernel, call.dilation);
  const bool same = call.padding.same();
  const std::int64_t before = same ? (reach - 1) / 2 : call.padding.size();
  const std::int64_t padded = padded_length("conv1d", x.size(2), before, same ? reach - 1 - before : before);
  throw_if<RuntimeError>(padded < reach || kernel == 0, "Calculated padded input size per channel: (", padded,
                         "). Kernel size: (", reach, "). Kernel size can't be greater than actual input size");
  return {.samples = x.size(0),
          .channels = x.size(1),
          .length = x.size(2),
          .filters = weight.size(0),
          .kernel = kernel,
          .places = (padded - reach) / call.stride + 1,
          .stride = call.stride,
          .before = before,
          .dilation = call.dilation,
          .groups = call.groups};
}

}  // namespace

Tensor functional::conv1d(const Tensor& x, const Tensor& weight, const Tensor& bias, const Conv1dCall& call) {
  check_defined(x, weight);
  if (x.dim() == 2) return conv1d(x.unsqueeze(0), weight, bias, call).squeeze(0);
  throw_if<RuntimeError>(x.dim() != 3,
                         "Expected 2D (unbatched) or 3D (batched) input to conv1d, but got input of size: ", x.shape());
  check_call(call);
  check_operands(x, weight, bias, call.groups);
  return convolution(x, weight, bias, geometry(x, weight, call));
}

// --- the layer

Padding::Padding(const char* kind) {
  const std::string_view word = kind;
  throw_if<ValueError>(word != "same" && word != "valid", "Invalid padding string '", word,
                       "', should be one of 'valid', 'same'");
  kind_ = word == "same" ? Kind::same : Kind::valid;
}

std::string Padding::text() const {
  return kind_ == Kind::same ? "same" : kind_ == Kind::valid ? "valid" : message("(", size_, ",)");
}

Conv1d::Conv1d(std::int64_t in_channels, std::int64_t out_channels, std::int64_t kernel_size,
               const Conv1dOptions& options, Generator& generator)
    : options_(options) {
  check_layer(in_channels, out_channels, options);
  weight = Parameter(empty({out_channels, in_channels / options.groups, kernel_size}, options.dtype));
  if (options.bias) bias = Parameter(zeros({out_channels}, options.dtype));
  const std::int64_t fan_in = in_channels / options.groups * kernel_size;
  if (fan_in == 0) return;
  init::kaiming_uniform_(weight, std::sqrt(5.0), init::FanMode::fan_in, init::Nonlinearity::leaky_relu, generator);
  const double bound = 1 / std::sqrt(static_cast<double>(fan_in));
  if (options.bias) init::uniform_(bias, -bound, bound, generator);
}

Tensor Conv1d::forward(const Tensor& x) const {
  if (batches_only_ && x.dim() != 3) {  // an undefined x is refused below
    fail<ValueError>("expected 3D input (got ", x.dim(), "D input)\nthis Conv1d holds the BatchNorm1d behind it, ",
                     "which is possible for batches (N, C, L) alone: use unsqueeze(0) for one sample");
  }
  return functional::conv1d(x, weight, bias,
                            {.stride = options_.stride,
                             .padding = options_.padding,
                             .dilation = options_.dilation,
                             .groups = options_.groups});
}

std::string Conv1d::extra_repr() const {
  const Conv1dOptions& o = options_;
  std::string text = message(weight.size(1) * o.groups, ", ", weight.size(0), ", kernel_size=(", weight.size(2),
                             ",), stride=(", o.stride, ",)");
  if (o.padding.text() != "(0,)") text += ", padding=" + o.padding.text();
  if (o.dilation != 1) text += message(", dilation=(", o.dilation, ",)");
  if (o.groups != 1) text += message(", groups=", o.groups);
  return bias.defined() ? text : text + ", bias=False";
}

}  // namespace gradus::nn
