#include "frozen/machine.hpp"

#include "frozen/half.hpp"
#include "kernels/table.hpp"
#include "tensor/message.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

namespace gradus::nn::frozen {

using gradus::kernels::Unary;

namespace {

// --- getting ready

constexpr std::int64_t group_size = 16;  // outputs; see kernels/dense.hpp

template <class W, class Convert>
Aligned<std::byte> packed(const Product& product, int groups_in_panel, Convert convert) {
  const std::int64_t groups = (product.outputs + group_size - 1) / group_size;
  Aligned<std::byte> block(static_cast<std::size_t>(groups * group_size * product.inputs) * sizeof(W));
  W* at = reinterpret_cast<W*>(block.data());
  for (std::int64_t first = 0; first < groups; first += groups_in_panel) {
    const std::int64_t end = std::min<std::int64_t>(first + groups_in_panel, groups) * group_size;
    for (std::int64_t i = 0; i < product.inputs; ++i) {
      for (std::int64_t o = first * group_size; o < end; ++o, ++at) {
        if (o < product.outputs) *at = convert(product.weight[static_cast<std::size_t>(o * product.inputs + i)]);
      }
    }
  }
  return block;
}

void check_half(const Product& product, const std::string& layers) {
  for (const double w : product.weight) {
    if (std::abs(w) >= beyond_half) {
      throw ValueError(gradus::detail::message("Plan: half_weights hold numbers up to 65504, (", layers, ") has ", w,
                                               "\nkeep its weights as float32"));
    }
  }
}

ReadyProduct ready(const Product& product, bool half, const std::string& layers) {
  if (half) check_half(product, layers);
  const auto& table = gradus::kernels::table<kernels::DenseTable>();
  const auto as_float = [](double w) { return static_cast<float>(w); };
  ReadyProduct made{
      .dense = {.inputs = product.inputs, .outputs = product.outputs, .weight = nullptr, .bias = nullptr},
      .kernel = half ? table.with_half : table.with_float,
      .rows = product.rows,
      .stride = product.stride,
      .weight =
          half ? packed<std::uint16_t>(product, table.panel, to_half) : packed<float>(product, table.panel, as_float),
      .bias = Aligned<float>(static_cast<std::size_t>((product.outputs + group_size - 1) / group_size * group_size))};
  std::ranges::transform(product.bias, made.bias.data(), as_float);
  made.dense.weight = made.weight.data();  // a vector that moves keeps its place
  made.dense.bias = made.bias.data();
  made.dense.then = product.then.function == Function::relu         ? kernels::Then::relu
                    : product.then.function == Function::leaky_relu ? kernels::Then::leaky_relu
                                                                    : kernels::Then::nothing;
  made.dense.slope = static_cast<float>(product.then.a);
  return made;
}

ReadyNorm ready(const Norm& norm) {
  const auto floats = [](const std::vector<double>& values) {
    return std::vector<float>(values.begin(), values.end());
  };
  return {static_cast<std::int64_t>(norm.mean.size()), floats(norm.mean), floats(norm.scale), floats(norm.shift)};
}

// --- running

void run(const ReadyProduct& product, const ReadyStep& step, float* y, const float* x, std::int64_t rows) noexcept {
  if (product.rows == 1 || product.rows * product.stride == step.in) {
    return product.kernel(product.dense, {y, x, rows * product.rows, product.stride});
  }
  for (std::int64_t r = 0; r < rows; ++r) {
    product.kernel(product.dense, {y + r * step.out, x + r * step.in, product.rows, product.stride});
  }
}

void run(const ReadyNorm& norm, const ReadyStep& step, float* y, const float* x, std::int64_t rows) noexcept {
  const float *mean = norm.mean.data(), *scale = norm.scale.data(), *shift = norm.shift.data();
  for (std::int64_t first = 0; first < rows * step.in; first += norm.period) {
    for (std::int64_t i = 0; i < norm.period; ++i) y[first + i] = (x[first + i] - mean[i]) * scale[i] + shift[i];
  }
}

template <class F>
void map(float* y, const float* x, std::int64_t n, F f) noexcept {
  for (std::int64_t i = 0; i < n; ++i) y[i] = f(x[i]);
}

void map(float* y, const float* x, std::int64_t n, Unary kernel) noexcept {
  gradus::kernels::chosen<float>().unary[static_cast<std::size_t>(kernel)](y, x, n);
}

void run(const Activation& activation, const ReadyStep& step, float* y, const float* x, std::int64_t rows) noexcept {
  const std::int64_t n = rows * step.in;
  const float a = static_cast<float>(activation.a), b = static_cast<float>(activation.b);
  switch (activation.function) {
    case Function::none:
      return map(y, x, n, [](float p) { return p; });
    case Function::relu:
      return map(y, x, n, [](float p) { return p < 0 ? 0 : p; });
    case Function::leaky_relu:
      return map(y, x, n, [a](float p) { return p < 0 ? p * a : p; });
    case Function::sigmoid:
      return map(y, x, n, Unary::sigmoid);
    case Function::tanh:
      return map(y, x, n, Unary::tanh);
    case Function::gelu:
      return map(y, x, n, [](float p) { return p * 0.5f * (1 + std::erf(p * (1 / std::numbers::sqrt2_v<float>))); });
    case Function::softplus:
      return map(y, x, n, Unary::softplus);
    case Function::elu:
      return map(y, x, n, [a](float p) { return p > 0 ? p : a * std::expm1(p); });
    case Function::silu:
      return map(y, x, n, [](float p) { return p / (1 + std::exp(-p)); });
    case Function::hardtanh:
      return map(y, x, n, [a, b](float p) { return p < a ? a : p > b ? b : p; });
  }
}

void run(const Softmax& softmax, const ReadyStep&, float* y, const float* x, std::int64_t rows) noexcept {
  const auto& floats = gradus::kernels::chosen<float>();
  (softmax.log ? floats.log_softmax : floats.softmax)(y, x, rows * softmax.groups, softmax.size, nullptr);
}

void pool_at(const Pool& pool, float* y, const float* x, std::int64_t first) noexcept {
  const std::int64_t end = first + pool.kernel;
  std::fill_n(y, pool.channels, pool.max ? -std::numeric_limits<float>::infinity() : 0);
  const std::int64_t begin_inside = std::max<std::int64_t>(first, 0), end_inside = std::min(end, pool.length);
  for (std::int64_t l = begin_inside; l < end_inside; ++l) {
    const float* row = x + l * pool.channels;
    for (std::int64_t c = 0; c < pool.channels; ++c) {
      if (pool.max) {
        y[c] = row[c] > y[c] || std::isnan(row[c]) ? row[c] : y[c];
      } else {
        y[c] += row[c];
      }
    }
  }
  if (pool.max) return;
  const std::int64_t padded_end = std::min(end, pool.length + pool.padding);
  const std::int64_t count = pool.count_padding ? padded_end - first : end_inside - begin_inside;
  for (std::int64_t c = 0; c < pool.channels; ++c) y[c] /= static_cast<float>(count);
}

void run(const Pool& pool, const ReadyStep& step, float* y, const float* x, std::int64_t rows) noexcept {
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t o = 0; o < pool.out_length; ++o) {
      pool_at(pool, y + r * step.out + o * pool.channels, x + r * step.in, o * pool.stride - pool.padding);
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
  return std::visit(
      [&]<class W>(W& work) -> ReadyStep {
        if constexpr (std::is_same_v<W, Product>) {
          return {ready(work, half_weights, step.layers), step.in, step.out};
        } else if constexpr (std::is_same_v<W, Norm>) {
          return {ready(work), step.in, step.out};
        } else {
          return {work, step.in, step.out};
        }
      },
      step.work);
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
  const auto* product = std::get_if<ReadyProduct>(&step.work);
  return product ? product->weight.bytes() : 0;
}

}  // namespace gradus::nn::frozen
