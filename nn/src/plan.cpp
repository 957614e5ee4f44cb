#include "frozen/machine.hpp"
#include "tensor/message.hpp"

#include <gradus/core/create.hpp>
#include <gradus/nn/plan.hpp>

#include <algorithm>
#include <cassert>
#include <functional>
#include <limits>

namespace gradus::nn {

using detail::fail, detail::throw_if;

namespace {

constexpr std::size_t stack_floats = 16384;
constexpr std::size_t rows_at_once = 64;  // more gain nothing: the weights are read once for each tile of rows anyway

bool overlap(std::span<const float> a, std::span<const float> b) {
  const std::less<const float*> before;
  return !a.empty() && !b.empty() && before(a.data(), b.data() + b.size()) && before(b.data(), a.data() + a.size());
}

}  // namespace

struct Plan::Impl {
  Shape in_shape, out_shape;
  std::size_t in, out;
  std::vector<frozen::ReadyStep> steps;
  std::size_t width = 0;  // of a row between two steps, at most

  std::size_t buffers() const { return std::min<std::size_t>(steps.empty() ? 0 : steps.size() - 1, 2); }
  std::size_t scratch_size() const { return buffers() * width; }

  /// What is wrong with these sizes; empty: nothing.
  const char* mistake(std::size_t in_size, std::size_t out_size) const noexcept {
    if (in_size % in != 0) return "the input is not made of whole rows";
    if (out_size != in_size / in * out) return "the output has not as many rows as the input";
    return "";
  }

  void run(const float* x, float* y, std::size_t rows, std::span<float> scratch) const noexcept {
    const std::size_t fit = width == 0 ? rows_at_once : scratch.size() / std::max<std::size_t>(scratch_size(), 1);
    const std::size_t block = std::min({rows, fit, rows_at_once});
    for (std::size_t r = 0; r < rows; r += block) {
      run_block(x + r * in, y + r * out, std::min(block, rows - r), scratch.data(), scratch.data() + block * width);
    }
  }

  void run_block(const float* x, float* y, std::size_t rows, float* even, float* odd) const noexcept {
    if (steps.empty()) std::copy_n(x, rows * in, y);
    for (std::size_t i = 0; i < steps.size(); ++i) {
      float* to = i + 1 == steps.size() ? y : i % 2 == 0 ? even : odd;
      frozen::run(steps[i], to, x, static_cast<std::int64_t>(rows));
      x = to;
    }
  }
};

Plan::Plan(const Module& net, const Shape& row, const PlanOptions& options) {
  frozen::Program program = frozen::freeze(net, row, "Plan");
  auto impl = std::make_shared<Impl>();
  impl->in_shape = program.in;
  impl->out_shape = program.out;
  impl->in = static_cast<std::size_t>(numel(program.in));
  impl->out = static_cast<std::size_t>(numel(program.out));
  for (std::size_t i = 0; i < program.steps.size(); ++i) {
    if (i > 0) impl->width = std::max(impl->width, static_cast<std::size_t>(program.steps[i].in));
    impl->steps.push_back(frozen::make_ready(std::move(program.steps[i]), options.half_weights));
  }
  impl_ = std::move(impl);
}

const Shape& Plan::input_shape() const noexcept { return impl_->in_shape; }
const Shape& Plan::output_shape() const noexcept { return impl_->out_shape; }
std::size_t Plan::inputs() const noexcept { return impl_->in; }
std::size_t Plan::outputs() const noexcept { return impl_->out; }
std::size_t Plan::scratch_size() const noexcept { return impl_->scratch_size(); }
std::size_t Plan::weight_bytes() const noexcept {
  std::size_t bytes = 0;
  for (const frozen::ReadyStep& step : impl_->steps) bytes += frozen::weight_bytes(step);
  return bytes;
}

void Plan::operator()(std::span<const float> in, std::span<float> out) const noexcept GRADUS_NONBLOCKING {
  alignas(64) float stack[stack_floats];
  (*this)(in, out, stack);
}

void Plan::operator()(std::span<const float> in, std::span<float> out,
                      std::span<float> scratch) const noexcept GRADUS_NONBLOCKING {
  const bool fits = !*impl_->mistake(in.size(), out.size()) && scratch.size() >= impl_->scratch_size();
  assert(fits && "Plan: a span of the wrong size; run() says which");
  if (!fits) {
    std::ranges::fill(out, std::numeric_limits<float>::quiet_NaN());
  } else if (!in.empty()) {
    impl_->run(in.data(), out.data(), in.size() / impl_->in, scratch);
  }
}

void Plan::run(std::span<const float> in, std::span<float> out) const {
  alignas(64) float stack[stack_floats];
  throw_if<ValueError>(scratch_size() > stack_floats, "Plan: needs ", scratch_size(),
                       " floats of scratch, more than the ", stack_floats, " on the stack\nhand over a span of them");
  run(in, out, stack);
}

void Plan::run(std::span<const float> in, std::span<float> out, std::span<float> scratch) const {
  const char* mistake = impl_->mistake(in.size(), out.size());
  throw_if<ValueError>(*mistake, "Plan: ", mistake, ": expected N x ", inputs(), " and N x ", outputs(),
                       " floats, got ", in.size(), " and ", out.size());
  throw_if<ValueError>(scratch.size() < scratch_size(), "Plan: expected ", scratch_size(), " floats of scratch, got ",
                       scratch.size());
  throw_if<ValueError>(overlap(in, out) || overlap(in, scratch) || overlap(out, scratch),
                       "Plan: input, output and scratch overlap\ngive each memory of its own");
  (*this)(in, out, scratch);
}

Tensor Plan::operator()(const Tensor& x) const {
  throw_if<TypeError>(x.dtype() != float32, "Plan: expected float32, got ", x.dtype(), "\nconvert with to()");
  Shape row = x.shape();
  const std::int64_t rows = row.empty() ? 0 : row[0];
  if (!row.empty()) row.erase(0);
  throw_if<ValueError>(x.dim() == 0 || row != input_shape(), "Plan: expected a batch of rows ", input_shape(), ", got ",
                       x.shape());
  Shape shape = output_shape();
  shape.insert(0, rows);
  Tensor y = empty(shape);
  std::vector<float> scratch(scratch_size() * std::clamp<std::size_t>(static_cast<std::size_t>(rows), 1, rows_at_once));
  run(x.data<float>(), y.data<float>(), scratch);
  return y;
}

}  // namespace gradus::nn
