// Single kernels: BatchNorm on every instruction set, elementwise loops, softmax, optimiser steps, products, memory.
// Run with --benchmark_filter=... ; GRADUS_ISA chooses the instruction set of everything but BatchNorm.
#include "kernels/batch_norm.hpp"
#include "kernels/loops.hpp"
#include "kernels/split.hpp"
#include "kernels/steps_table.hpp"
#include "kernels/table.hpp"
#include "ops/gemm.hpp"
#include "runtime/memory.hpp"

#include <gradus/core/parallel.hpp>

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdint>
#include <random>
#include <vector>

namespace gradus {
namespace {

using kernels::Isa;
using kernels::Unary;
using nn::kernels::BatchShape;

std::vector<float> normal(std::int64_t n, std::uint32_t seed) {
  std::mt19937 engine(seed);
  std::normal_distribution<float> distribution;
  std::vector<float> values(static_cast<std::size_t>(n));
  for (float& v : values) v = distribution(engine);
  return values;
}

/// A float array as a tensor has it, in large pages when it is large.
class Array {
 public:
  explicit Array(const std::vector<float>& values)
      : bytes_(values.size() * sizeof(float)), data_(static_cast<float*>(detail::allocate(bytes_))) {
    std::copy(values.begin(), values.end(), data_);
  }
  Array(const Array&) = delete;
  Array& operator=(const Array&) = delete;
  ~Array() { detail::deallocate(data_, bytes_); }
  float* data() const { return data_; }

 private:
  std::size_t bytes_;
  float* data_;
};

/// Forward and backward in training on shape (n, c, l), with as many threads as range(3) says.
void batch_norm(benchmark::State& state) {
  const BatchShape shape{state.range(0), state.range(1), state.range(2)};
  const int before = get_num_threads();
  set_num_threads(static_cast<int>(state.range(3)));
  const std::int64_t size = shape.n * shape.c * shape.l;
  const auto channels = static_cast<std::size_t>(shape.c);
  const Array x(normal(size, 1)), dy(normal(size, 2)), y(normal(size, 3)), dx(normal(size, 4));
  std::vector<float> weight(channels, 1), bias(channels), dweight(channels), dbias(channels);
  std::vector<double> mean(channels), var(channels), rstd(channels);
  const nn::kernels::BatchNormForward<float> forward{shape,       y.data(),   x.data(),    weight.data(), bias.data(),
                                                     mean.data(), var.data(), rstd.data(), 1e-5};
  const nn::kernels::BatchNormBackward<float> backward{
      shape,         dx.data(),   dweight.data(), dbias.data(), dy.data(), x.data(),
      weight.data(), mean.data(), var.data(),     rstd.data(),  true};
  for (auto _ : state) {
    nn::kernels::batch_norm(forward);
    nn::kernels::batch_norm_backward(backward);
  }
  set_num_threads(before);
  state.SetItemsProcessed(state.iterations() * size);
}
BENCHMARK(batch_norm)
    ->ArgNames({"n", "c", "l", "threads"})
    ->ArgsProduct({{32}, {64}, {1, 128}, {1, 2}})
    ->ArgsProduct({{256}, {256}, {1}, {1, 2}})
    ->ArgsProduct({{1024, 8192}, {1024}, {1}, {1, 2}})
    ->ArgsProduct({{64}, {256}, {256}, {1, 2}})
    ->UseRealTime();

/// Statistics and normalisation of 256 x 256 with the kernels of one instruction set.
void batch_norm_isa(benchmark::State& state) {
  const auto* table = kernels::table_for<nn::kernels::Table>(static_cast<Isa>(state.range(0)));
  if (!table) return state.SkipWithError("not supported by this processor");
  const Array x(normal(256 * 256, 1)), y(normal(256 * 256, 2));
  std::vector<double> mean(256), var(256), rstd(256);
  const nn::kernels::BatchNormForward<float> pass{{256, 256},  y.data(),   x.data(),    nullptr, nullptr,
                                                  mean.data(), var.data(), rstd.data(), 1e-5};
  for (auto _ : state) table->f32.batch_norm(pass, 0, 256, nullptr);
  state.SetLabel(kernels::isa_name(static_cast<Isa>(state.range(0))));
}
BENCHMARK(batch_norm_isa)->DenseRange(0, 4);

void elementwise(benchmark::State& state, kernels::UnaryLoop f) {
  const Array x(normal(state.range(0), 1)), y(normal(state.range(0), 2));
  for (auto _ : state) f(y.data(), x.data(), state.range(0));
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK_CAPTURE(elementwise, relu, kernels::loop<Unary::relu>)->Arg(1)->Arg(100)->Arg(1 << 14);
BENCHMARK_CAPTURE(elementwise, exp, kernels::loop<Unary::exp>)->Arg(1)->Arg(100)->Arg(1 << 14);
BENCHMARK_CAPTURE(elementwise, tanh, kernels::loop<Unary::tanh>)->Arg(100)->Arg(1 << 14);

void cross_entropy(benchmark::State& state) {
  const std::int64_t rows = state.range(0), cols = state.range(1);
  const Array x(normal(rows * cols, 1)), dx(normal(rows * cols, 2));
  std::vector<std::int64_t> target;
  for (std::int64_t i = 0; i < rows; ++i) target.push_back(i % cols);
  std::vector<double> logsumexp(static_cast<std::size_t>(rows));
  const nn::kernels::Classes<float> classes{x.data(), target.data(), rows, cols};
  for (auto _ : state) {
    kernels::log_sum_exp(logsumexp.data(), x.data(), rows, cols);
    kernels::split(rows, cols * kernels::exponential, 16, [&](std::int64_t first, std::int64_t last) {
      kernels::chosen<&nn::kernels::Kernels<float>::cross_entropy_backward>()(dx.data(), classes, logsumexp.data(),
                                                                              1e-2, first, last);
    });
  }
}
BENCHMARK(cross_entropy)->ArgNames({"rows", "cols"})->Args({32, 2})->Args({60, 10})->Args({128, 10})->Args({16, 1000});

void sgd(benchmark::State& state) {
  const std::int64_t n = state.range(0);
  const Array p(normal(n, 1)), g(normal(n, 2)), buffer(normal(n, 3));
  for (auto _ : state) {
    kernels::split(n, 2, 16, [&](std::int64_t i, std::int64_t end) {
      kernels::chosen<&optim::kernels::Kernels<float>::sgd>()(p.data() + i, g.data() + i, buffer.data() + i, end - i,
                                                              {.lr = 1e-9, .momentum = 0.9});
    });
  }
  state.SetItemsProcessed(state.iterations() * n);
}
BENCHMARK(sgd)->Arg(300)->Arg(1 << 16);

void adam(benchmark::State& state) {
  const std::int64_t n = state.range(0);
  const std::vector<float> zeros(static_cast<std::size_t>(n));
  const Array p(normal(n, 1)), g(normal(n, 2)), m(zeros), v(zeros);
  for (auto _ : state) {
    kernels::split(n, 4, 16, [&](std::int64_t i, std::int64_t end) {
      kernels::chosen<&optim::kernels::Kernels<float>::adam>()(
          p.data() + i, g.data() + i, m.data() + i, v.data() + i, nullptr, end - i,
          {.lr = 1e-9, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8, .correction1 = 0.6, .correction2 = 0.009});
    });
  }
  state.SetItemsProcessed(state.iterations() * n);
}
BENCHMARK(adam)->Arg(300)->Arg(1 << 16);

/// A layer of inference with a batch of one.
void gemv(benchmark::State& state) {
  const std::int64_t rows = state.range(0), cols = state.range(1);
  const Array w(normal(rows * cols, 1)), x(normal(cols, 2)), bias(normal(rows, 3)), y(normal(rows, 4));
  for (auto _ : state) kernels::gemv(y.data(), w.data(), x.data(), bias.data(), rows, cols);
}
BENCHMARK(gemv)->ArgNames({"rows", "cols"})->Args({100, 64})->Args({256, 784})->Args({10, 128});

/// x W^T, the forward pass of a layer.
void gemm(benchmark::State& state) {
  const std::int64_t m = state.range(0), n = state.range(1), k = state.range(2);
  const int before = get_num_threads();
  set_num_threads(static_cast<int>(state.range(3)));
  const Array a(normal(m * k, 1)), b(normal(n * k, 2)), c(normal(m * n, 3));
  for (auto _ : state) detail::gemm<float>(false, true, m, n, k, a.data(), b.data(), nullptr, c.data());
  set_num_threads(before);
  state.counters["FLOP/s"] =
      benchmark::Counter(2.0 * static_cast<double>(m * n * k), benchmark::Counter::kIsIterationInvariantRate);
}
BENCHMARK(gemm)
    ->ArgNames({"m", "n", "k", "threads"})
    ->Args({32, 16, 16, 1})
    ->Args({60, 100, 100, 1})
    ->ArgsProduct({{128}, {256}, {784}, {1, 2}})
    ->ArgsProduct({{512}, {2048}, {1024}, {1, 2}})
    ->UseRealTime();

void allocate(benchmark::State& state) {
  const auto bytes = static_cast<std::size_t>(state.range(0));
  for (auto _ : state) {
    void* block = detail::allocate(bytes);
    benchmark::DoNotOptimize(block);
    detail::deallocate(block, bytes);
  }
}
BENCHMARK(allocate)->Arg(64)->Arg(256)->Arg(4096)->Arg(1 << 20);

}  // namespace
}  // namespace gradus
