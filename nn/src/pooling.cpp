// Given the windows and the places of the maxima, pooling is linear: the derivative of each function is its adjoint,
// and the other way round.
#include "arguments.hpp"
#include "kernels/kernels.hpp"
#include "ops/strided.hpp"
#include "ops/views.hpp"
#include "runtime/parallel_for.hpp"
#include "windows.hpp"

#include <gradus/nn/pooling.hpp>

#include <cmath>

namespace gradus::nn {

using namespace gradus::detail;

namespace {

constexpr const char* node_name = "SqueezeBackward1";  // PyTorch pools in two dimensions

Shape with_last(Shape shape, std::int64_t size) {
  shape[shape.rank() - 1] = size;
  return shape;
}

std::int64_t rows_of(const Tensor& x) {
  std::int64_t rows = 1;
  for (int d = 0; d + 1 < x.dim(); ++d) rows *= x.shape()[d];
  return rows;
}

/// f(row) for the rows of x, on several threads.
template <class F>
void for_each_row(const Tensor& x, F f) {
  const std::int64_t grain = worth_a_thread / (x.shape()[x.dim() - 1] + 1) + 1;
  parallel_for(0, rows_of(x), grain, [&](std::int64_t row, std::int64_t end) {
    for (; row < end; ++row) f(row);
  });
}

/// f(offset of the row in x, place in the result, window) for all windows of all rows of x.
template <class F>
void for_each_window(const Tensor& x, const Windows& windows, F f) {
  for_each_row(x, [&](std::int64_t row) {
    for (std::int64_t i = 0; i < windows.places; ++i) f(row * windows.length, row * windows.places + i, windows[i]);
  });
}

// --- means

Tensor spread(const Tensor& dy, const Windows& windows);

/// One window over all that kernels add at once.
bool is_whole_row(const Windows& windows) {
  if (windows.places != 1 || windows.length > gradus::kernels::most_of_a_row) return false;
  return windows[0].first == 0 && windows[0].last == windows.length;
}

Tensor average(const Tensor& x, const Windows& windows) {
  Tensor y = make_tensor(with_last(x.shape(), windows.places), x.dtype());
  visit_floating(x.dtype(), [&]<class T>(T*) {
    if (is_whole_row(windows)) {
      return gradus::kernels::row_sums(elements<T>(y), elements<T>(x), y.numel(), windows.length, windows[0].count);
    }
    for_each_window(x, windows, [from = elements<T>(x), to = elements<T>(y)](auto row, auto i, const Window& w) {
      double sum = 0;
      for (std::int64_t l = w.first; l < w.last; ++l) sum += from[row + l];
      to[i] = static_cast<T>(sum / w.count);
    });
  });
  return recorded(y, node_name, {x}, [windows](const Tensor& dy) { return spread(dy, windows); });
}

Tensor spread(const Tensor& dy, const Windows& windows) {
  Tensor dx = zeros(with_last(dy.shape(), windows.length), dy.dtype());
  visit_floating(dy.dtype(), [&]<class T>(T*) {
    for_each_window(dx, windows, [from = elements<T>(dy), to = elements<T>(dx)](auto row, auto i, const Window& w) {
      const T share = static_cast<T>(from[i] / w.count);
      for (std::int64_t l = w.first; l < w.last; ++l) to[row + l] += share;
    });
  });
  return recorded(dx, "AvgPool2DBackwardBackward0", {dy},
                  [windows](const Tensor& ddx) { return average(ddx, windows); });
}

// --- maxima

/// For every window the place of its maximum in its row, its end when no element is in it.
Tensor places_of_maxima(const Tensor& x, const Windows& windows) {
  Tensor places = make_tensor(with_last(x.shape(), windows.places), int64);
  visit_floating(x.dtype(), [&]<class T>(T*) {
    for_each_window(x, windows, [&](std::int64_t begin, std::int64_t i, const Window& w) {
      const T* row = elements<T>(x) + begin;
      std::int64_t best = std::min(w.first, w.last);
      for (std::int64_t l = w.first; l < w.last; l += windows.dilation) {  // without a branch on the numbers
        const T v = row[l], top = row[best];
        const bool wins = (v > top) | ((v != v) & (top == top));
        best += (l - best) & -static_cast<std::int64_t>(wins);
      }
      elements<std::int64_t>(places)[i] = best;
    });
  });
  return places;
}

/// The larger, NaN if either is.
template <class T>
T larger(T top, T v) {
  return ((v > top) | (v != v)) ? v : top;
}

/// y[i] = the largest of `kernel` neighbours from x[i stride] on, NaN if there is one.
template <std::int64_t stride, class T>
void largest_in_row(T* y, const T* x, std::int64_t places, std::int64_t kernel) {
  if (kernel == 1) {
    for (std::int64_t i = 0; i < places; ++i) y[i] = x[i * stride];
    return;
  }
  for (std::int64_t i = 0; i < places; ++i) y[i] = larger(x[i * stride], x[i * stride + 1]);
  for (std::int64_t k = 2; k < kernel; ++k) {
    for (std::int64_t i = 0; i < places; ++i) y[i] = larger(y[i], x[i * stride + k]);
  }
}

/// The maxima alone, for the usual windows; undefined for others.
Tensor maxima(const Tensor& x, const Windows& w) {
  const bool inside = w.padding == 0 && w.dilation == 1 && (w.places - 1) * w.stride + w.kernel <= w.length;
  if (!inside || w.stride > 2) return {};
  Tensor y = make_tensor(with_last(x.shape(), w.places), x.dtype());
  visit_floating(x.dtype(), [&]<class T>(T*) {
    const auto row = w.stride == 1 ? largest_in_row<1, T> : largest_in_row<2, T>;
    for_each_row(x, [&](std::int64_t r) {
      row(elements<T>(y) + r * w.places, elements<T>(x) + r * w.length, w.places, w.kernel);
    });
  });
  return y;
}

/// y[r, i] = x[r, places[r, i]]
Tensor pick(const Tensor& x, const Tensor& places) {
  Tensor y = gather(x.detach(), -1, places);
  return recorded(y, node_name, {x}, keep(places), [shape = x.shape()](const Tensor& dy, const Tensor& places) {
    return scatter_add(dy, shape, shape.rank() - 1, places);
  });
}

// --- what must be true of the arguments

void check_dims(const Tensor& x, const char* op) {
  if (x.dim() == 2 || x.dim() == 3) return;
  fail<RuntimeError>("Expected 2 to 3 dimensions, but got ", x.dim(),
                     "-dimensional tensor for argument #1 'self' (while checking arguments for ", op, ")");
}

}  // namespace

template <class Options>
Windows windows_of(std::int64_t length, std::int64_t kernel_size, const Options& o) {
  Windows w{.length = length,
            .places = 0,
            .kernel = kernel_size,
            .stride = o.stride.value_or(kernel_size),
            .padding = o.padding};
  const char* op = "avg_pool1d";
  if constexpr (std::same_as<Options, MaxPool1dOptions>) {
    op = "max_pool1d";
    w.dilation = kernel_size > 1 ? o.dilation : 1;
  } else {
    w.count_padding = o.count_include_pad;
  }
  const bool ceil = o.ceil_mode;  // a last window may then hang over, if it begins inside
  const std::int64_t room = padded_length(op, w.length, w.padding, w.padding) - window_length(op, w.kernel, w.dilation);
  if (room < 0 && !(ceil && room > -w.stride)) return w;
  w.places = room < 0 ? 1 : room / w.stride + 1 + (ceil && room % w.stride != 0);
  const std::int64_t beginnings = w.length + w.padding;
  if (ceil) w.places = std::min(w.places, beginnings / w.stride + (beginnings % w.stride != 0));
  return w;
}
template Windows windows_of(std::int64_t, std::int64_t, const MaxPool1dOptions&);
template Windows windows_of(std::int64_t, std::int64_t, const AvgPool1dOptions&);

Tensor functional::max_pool1d(const Tensor& x, std::int64_t kernel_size, const MaxPool1dOptions& o) {
  check_defined(x);
  throw_if<RuntimeError>((x.dim() != 2 && x.dim() != 3) || x.size(-1) == 0,
                         "max_pool1d: Expected 2D or 3D (batch mode) tensor with optional 0 dim batch size for ",
                         "input, but got:", x.shape());
  const std::int64_t stride = o.stride.value_or(kernel_size);
  for (const auto& [name, value] :
       {std::pair("kernel_size", kernel_size), std::pair("stride", stride), std::pair("dilation", o.dilation)}) {
    throw_if<RuntimeError>(value <= 0, "max_pool1d() ", name, " must be greater than zero, but got ", value);
  }
  throw_if<RuntimeError>(o.padding < 0, "max_pool1d() padding must be non-negative, but got ", o.padding);
  throw_if<RuntimeError>(o.padding > kernel_size / 2,
                         "max_pool1d() padding should be at most half of kernel size, but got padding=", o.padding,
                         " and kernel_size=", kernel_size);
  require_floating("max_pool1d", x.dtype());
  const Windows windows = windows_of(x.size(-1), kernel_size, o);
  throw_if<RuntimeError>(windows.places <= 0, "max_pool1d() Invalid computed output size: ", windows.places,
                         "\nx of length ", windows.length, " has no room for a window of ", kernel_size);
  if (!tracks(x)) {
    if (Tensor y = maxima(x, windows); y.defined()) return y;
  }
  // A window may lie in the padding alone: -infinity, behind the last element.
  const bool leaps = windows.length < o.dilation;
  const Tensor source = leaps ? cat({x, full(with_last(x.shape(), 1), -INFINITY, x.dtype())}, -1) : x;
  return pick(source, places_of_maxima(x, windows));
}

Tensor functional::avg_pool1d(const Tensor& x, std::int64_t kernel_size, const AvgPool1dOptions& o) {
  check_defined(x);
  check_dims(x, "avg_pool1d");
  const std::int64_t stride = o.stride.value_or(kernel_size);
  throw_if<RuntimeError>(stride == 0, "stride should not be zero");
  throw_if<RuntimeError>(kernel_size <= 0 || stride < 0, "kernel size should be greater than zero, but got ",
                         kernel_size, ", stride ", stride);
  throw_if<RuntimeError>(o.padding < 0 || o.padding > kernel_size / 2,
                         "pad should be at most half of kernel size, but got pad=", o.padding,
                         " and kernel_size=", kernel_size);
  require_floating("avg_pool1d", x.dtype());
  const Windows windows = windows_of(x.size(-1), kernel_size, o);
  if (windows.places <= 0) {
    const std::int64_t channels = x.size(-2);
    fail<RuntimeError>("Given input size: (", channels, "x1x", windows.length, "). Calculated output size: (", channels,
                       "x1x", windows.places, "). Output size is too small");
  }
  return average(x, windows);
}

Tensor functional::adaptive_avg_pool1d(const Tensor& x, std::int64_t output_size) {
  check_defined(x);
  check_dims(x, "adaptive_avg_pool1d");
  require_floating("adaptive_avg_pool1d", x.dtype());
  throw_if<RuntimeError>(output_size < 0,
                         "adaptive_avg_pool2d: elements of output_size must be greater than or equal to 0 but ",
                         "received {1, ", output_size, "}");
  throw_if<RuntimeError>(x.size(-1) == 0, "adaptive_avg_pool1d: expected x with elements in its last dimension, got ",
                         x.shape());
  return average(x, {.length = x.size(-1), .places = output_size});
}

std::string MaxPool1d::extra_repr() const {
  return message("kernel_size=", kernel_size_, ", stride=", options_.stride.value_or(kernel_size_),
                 ", padding=", options_.padding, ", dilation=", options_.dilation,
                 ", ceil_mode=", options_.ceil_mode ? "True" : "False");
}

std::string AvgPool1d::extra_repr() const {
  return message("kernel_size=(", kernel_size_, ",), stride=(", options_.stride.value_or(kernel_size_), ",), padding=(",
                 options_.padding, ",)");
}

}  // namespace gradus::nn
