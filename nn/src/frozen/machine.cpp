#include "frozen/machine.hpp"

#include "kernels/table.hpp"
#include "tensor/message.hpp"

#include <algorithm>
#include <cmath>

namespace gradus::nn::frozen {

using gradus::kernels::chosen;
using gradus::kernels::Unary;
using Kernels = gradus::kernels::Kernels<float>;

namespace {

constexpr double beyond_half = 65520;  // rounds to infinity, as all above

/// The nearest half, ties to even, of a number below beyond_half in size.
std::uint16_t to_half(double value) {
  const double size = std::abs(value);
  const unsigned sign = std::signbit(value) ? 0x8000u : 0u;
  if (size < 0x1p-14) return static_cast<std::uint16_t>(sign | static_cast<unsigned>(std::nearbyint(size * 0x1p24)));
  const int exponent = std::ilogb(size);
  const auto fraction = static_cast<unsigned>(std::nearbyint(std::ldexp(size, 10 - exponent)));  // 1024 to 2048
  return static_cast<std::uint16_t>(sign | ((static_cast<unsigned>(exponent + 14) << 10) + fraction));
}

// --- getting ready

/// The weights of the group whose first output is `first`.
template <class W, class Convert>
Aligned<std::byte> packed(const Product& p, std::int64_t first, int groups_in_panel, Convert convert) {
  const std::int64_t columns = padded(p.outputs), panel = groups_in_panel * group_size;
  Aligned<std::byte> block(static_cast<std::size_t>(columns * p.inputs) * sizeof(W));
  W* at = reinterpret_cast<W*>(block.data());
  for (std::int64_t begin = 0; begin < columns; begin += panel) {
    const std::int64_t end = std::min(begin + panel, columns);
    for (std::int64_t i = 0; i < p.inputs; ++i) {
      for (std::int64_t o = begin; o < end; ++o, ++at) {
        if (o < p.outputs) *at = convert(p.weight[static_cast<std::size_t>((first + o) * p.inputs + i)]);
      }
    }
  }
  return block;
}

void check_half(const Product& product, const std::string& layers) {
  for (const double w : product.weight) {
    gradus::detail::throw_if<ValueError>(std::abs(w) >= beyond_half, "Plan: half_weights hold numbers up to 65504, (",
                                         layers, ") has ", w, "\nkeep its weights as float32");
  }
}

kernels::Then ending(Function function) {
  return function == Function::relu         ? kernels::Then::relu
         : function == Function::leaky_relu ? kernels::Then::leaky_relu
                                            : kernels::Then::nothing;
}

constexpr auto as_float = [](double w) { return static_cast<float>(w); };

ReadyGroup ready_group(const Product& p, std::int64_t first, bool half, int panel) {
  ReadyGroup group{{.inputs = p.inputs,
                    .outputs = p.outputs,
                    .weight = nullptr,
                    .bias = nullptr,
                    .then = ending(p.then.function),
                    .slope = as_float(p.then.a)},
                   half ? packed<std::uint16_t>(p, first, panel, to_half) : packed<float>(p, first, panel, as_float),
                   Aligned<float>(static_cast<std::size_t>(padded(p.outputs)))};
  std::transform(p.bias.data() + first, p.bias.data() + first + p.outputs, group.bias.data(), as_float);
  group.dense.weight = group.weight.data();  // a vector that moves keeps its place
  group.dense.bias = group.bias.data();
  return group;
}

ReadyProduct ready(const Product& p, bool half, const std::string& layers) {
  if (half) check_half(p, layers);
  const auto& table = gradus::kernels::table<kernels::DenseTable>();
  ReadyProduct made{half ? table.with_half : table.with_float, p.rows, p.stride, p.groups * p.outputs, {}};
  for (std::int64_t g = 0; g < p.groups; ++g) made.groups.push_back(ready_group(p, g * p.outputs, half, table.panel));
  return made;
}

std::vector<float> floats(const std::vector<double>& values) { return {values.begin(), values.end()}; }

ReadyNorm ready(const Norm& norm, bool, const std::string&) {
  return {floats(norm.mean), floats(norm.scale), floats(norm.shift), norm.each};
}
ReadyRowNorm ready(const RowNorm& norm, bool, const std::string&) {
  return {floats(norm.weight), floats(norm.bias), norm.eps};
}
template <class W>
W ready(const W& work, bool, const std::string&) {
  return work;
}

// --- running

void run(const ReadyProduct& p, const ReadyStep& step, float* y, const float* x, std::int64_t rows) noexcept {
  if (p.groups.size() == 1 && (p.rows == 1 || p.rows * p.stride == step.in)) {
    return p.kernel(p.groups[0].dense, {y, x, rows * p.rows, p.stride, p.outputs});
  }
  for (; rows > 0; --rows, x += step.in, y += step.out) {
    const float* from = x;
    float* to = y;
    for (const ReadyGroup& group : p.groups) {
      p.kernel(group.dense, {to, from, p.rows, p.stride, p.outputs});
      from += p.rows * p.stride;
      to += group.dense.outputs;
    }
  }
}

void run(const Patches& p, const ReadyStep& step, float* y, const float* x, std::int64_t rows) noexcept {
  const std::int64_t part = p.channels / p.groups;
  for (; rows > 0; --rows, x += step.in) {
    for (std::int64_t g = 0; g < p.groups; ++g) {
      for (std::int64_t i = 0; i < p.positions; ++i) {
        const float* from = x + i * p.stride * p.channels + g * part;
        for (std::int64_t k = 0; k < p.kernel; ++k, y += part) {
          std::copy_n(from + k * p.dilation * p.channels, part, y);
        }
      }
    }
  }
}

void run(const ReadyNorm& norm, const ReadyStep& step, float* y, const float* x, std::int64_t rows) noexcept {
  const float *mean = norm.mean.data(), *scale = norm.scale.data(), *shift = norm.shift.data();
  const std::int64_t channels = std::ssize(norm.mean);
  for (const float* end = x + rows * step.in; x < end; x += channels * norm.each, y += channels * norm.each) {
    if (norm.each == 1) {
      for (std::int64_t c = 0; c < channels; ++c) y[c] = (x[c] - mean[c]) * scale[c] + shift[c];
    } else {
      for (std::int64_t i = 0; i < channels * norm.each; ++i) {
        const std::int64_t c = i / norm.each;
        y[i] = (x[i] - mean[c]) * scale[c] + shift[c];
      }
    }
  }
}

void run(const ReadyRowNorm& norm, const ReadyStep& step, float* y, const float* x, std::int64_t rows) noexcept {
  const std::int64_t size = std::ssize(norm.weight);
  for (const float* end = x + rows * step.in; x < end; x += size, y += size) {
    double mean = 0, var = 0;
    for (std::int64_t i = 0; i < size; ++i) mean += x[i];
    mean /= static_cast<double>(size);
    for (std::int64_t i = 0; i < size; ++i) var += (x[i] - mean) * (x[i] - mean);
    const double rstd = 1 / std::sqrt(var / static_cast<double>(size) + norm.eps);
    for (std::int64_t i = 0; i < size; ++i) {
      y[i] = static_cast<float>((x[i] - mean) * rstd) * norm.weight[static_cast<std::size_t>(i)] +
             norm.bias[static_cast<std::size_t>(i)];
    }
  }
}

template <class F>
void map(float* y, const float* x, std::int64_t n, F f) noexcept {
  for (std::int64_t i = 0; i < n; ++i) y[i] = f(x[i]);
}

template <Unary f>
void map(float* y, const float* x, std::int64_t n) noexcept {
  chosen<gradus::kernels::UnaryPlace<float, f>{}>()(y, x, n);
}

void run(const Activation& activation, const ReadyStep& step, float* y, const float* x, std::int64_t rows) noexcept {
  const std::int64_t n = rows * step.in;
  const float a = static_cast<float>(activation.a), b = static_cast<float>(activation.b);
  switch (activation.function) {
    case Function::none: return map(y, x, n, [](float p) { return p; });
    case Function::relu: return map(y, x, n, [](float p) { return p < 0 ? 0 : p; });
    case Function::leaky_relu: return map(y, x, n, [a](float p) { return p < 0 ? p * a : p; });
    case Function::sigmoid: return map<Unary::sigmoid>(y, x, n);
    case Function::tanh: return map<Unary::tanh>(y, x, n);
    case Function::gelu: return map<Unary::gelu>(y, x, n);
    case Function::softplus: return map<Unary::softplus>(y, x, n);
    case Function::elu: return chosen<&Kernels::elu>()(y, x, activation.a, n);
    case Function::silu: return map<Unary::silu>(y, x, n);
    case Function::hardtanh: return map(y, x, n, [a, b](float p) { return p < a ? a : p > b ? b : p; });
  }
}

void run(const Softmax& softmax, const ReadyStep&, float* y, const float* x, std::int64_t rows) noexcept {
  (softmax.log ? chosen<&Kernels::log_softmax>() : chosen<&Kernels::softmax>())(y, x, rows * softmax.groups,
                                                                                softmax.size, nullptr);
}

void run(const Pool& pool, const ReadyStep& step, float* y, const float* x, std::int64_t rows) noexcept {
  const std::int64_t channels = pool.channels;
  for (; rows > 0; --rows, x += step.in) {
    for (std::int64_t i = 0; i < pool.windows.places; ++i, y += channels) {
      const Window window = pool.windows[i];
      std::copy_n(x + window.first * channels, channels, y);
      for (std::int64_t l = window.first + pool.windows.dilation; l < window.last; l += pool.windows.dilation) {
        const float* row = x + l * channels;
        for (std::int64_t c = 0; c < channels; ++c) {
          y[c] = !pool.max ? y[c] + row[c] : row[c] > y[c] || std::isnan(row[c]) ? row[c] : y[c];
        }
      }
      if (pool.max) continue;
      for (std::int64_t c = 0; c < channels; ++c) y[c] /= static_cast<float>(window.count);
    }
  }
}

void run(const Transpose& t, const ReadyStep& step, float* y, const float* x, std::int64_t rows) noexcept {
  for (; rows > 0; --rows, x += step.in, y += step.out) {
    for (std::int64_t j = 0; j < t.columns; ++j) {
      for (std::int64_t i = 0; i < t.rows; ++i) y[j * t.rows + i] = x[i * t.columns + j];
    }
  }
}

void run(const Pad& pad, const ReadyStep& step, float* y, const float* x, std::int64_t rows) noexcept {
  for (; rows > 0; --rows, x += step.in, y += step.out) {
    std::fill_n(y, pad.before, 0.0f);
    std::copy_n(x, step.in, y + pad.before);
    std::fill_n(y + pad.before + step.in, pad.after, 0.0f);
  }
}

}  // namespace

ReadyStep make_ready(Step step, bool half_weights) {
  const auto made = [&](const auto& work) -> ReadyStep {
    return {ready(work, half_weights, step.layers), step.in, step.out};
  };
  return std::visit(made, step.work);
}

void run(const ReadyStep& step, float* y, const float* x, std::int64_t rows) noexcept {
  std::visit([&](const auto& work) { run(work, step, y, x, rows); }, step.work);
}

std::vector<float> evaluate(const Program& program, std::span<const float> x) {
  std::vector<float> y(x.begin(), x.end());
  for (const Step& step : program.steps) {
    std::vector<float> next(static_cast<std::size_t>(step.out));
    run(make_ready(step, false), next.data(), y.data(), 1);
    y = std::move(next);
  }
  return y;
}

std::size_t weight_bytes(const ReadyStep& step) noexcept {
  std::size_t bytes = 0;
  if (const auto* product = std::get_if<ReadyProduct>(&step.work)) {
    for (const ReadyGroup& group : product->groups) bytes += group.weight.bytes();
  }
  return bytes;
}

}  // namespace gradus::nn::frozen
