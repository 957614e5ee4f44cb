// What the rows of operations.cpp and operations_gradients.cpp share: one name for what gradus and, with
// GRADUS_BENCH_TORCH, libtorch call or return otherwise, the timing, and the operands.
#pragma once

#include "machine.hpp"

#include <algorithm>
#include <string>
#include <vector>

#ifdef GRADUS_BENCH_TORCH
#include <torch/torch.h>
namespace api = torch;
using torch::Tensor;
inline Tensor random_normal(std::vector<std::int64_t> shape, bool wide) {
  return torch::randn(shape, wide ? torch::kFloat64 : torch::kFloat32);
}
inline Tensor random_index(std::int64_t below, std::int64_t n) { return torch::randint(below, {n}, torch::kInt64); }
inline Tensor copied(const Tensor& view) { return view.contiguous(); }
inline Tensor largest(const Tensor& x) { return std::get<0>(x.max(1)); }
inline Tensor widened(const Tensor& x) { return x.to(torch::kFloat64); }
inline Tensor mean_of_rows(const Tensor& x) { return x.mean(1, true); }
inline Tensor cross_entropy(const Tensor& x, const Tensor& t) { return torch::nn::functional::cross_entropy(x, t); }
inline Tensor kl_divergence(const Tensor& x, const Tensor& t) { return torch::kl_div(x, t); }
inline Tensor layer_norm(const Tensor& x, const Tensor& w, const Tensor& b) {
  return torch::layer_norm(x, w.sizes(), w, b);
}
inline Tensor sorted(const Tensor& x) { return std::get<0>(x.sort(1)); }
inline Tensor largest_four(const Tensor& x) { return std::get<0>(x.topk(4, 1)); }
inline Tensor embedded(const Tensor& index, const Tensor& weight) { return torch::embedding(weight, index); }
inline Tensor rows_at(const Tensor& x, const Tensor& index) { return x.index({index}); }
namespace layers = torch;
using NoGrad = torch::NoGradGuard;
inline const auto float32 = torch::kFloat32, float64 = torch::kFloat64, int64 = torch::kInt64, boolean = torch::kBool;
inline Tensor mean_squared(const Tensor& x, const Tensor& t) { return torch::mse_loss(x, t); }
inline Tensor least1(const Tensor& x) { return std::get<0>(x.min(1)); }
inline Tensor least0(const Tensor& x) { return std::get<0>(x.min(0)); }
inline Tensor sum_of_02(const Tensor& x) { return x.sum(torch::IntArrayRef({0, 2})); }
inline Tensor leaky(const Tensor& x) { return torch::leaky_relu(x, 0.1); }
inline Tensor binary(const Tensor& x, const Tensor& t) { return torch::binary_cross_entropy_with_logits(x, t); }
inline Tensor classes(std::int64_t below, std::int64_t n) { return torch::randint(below, {n, n}); }
inline Tensor pooled(const Tensor& x) { return torch::adaptive_avg_pool1d(x, 1); }
inline Tensor batch_norm(const Tensor& x, const Tensor& w, const Tensor& b, Tensor mean, Tensor var, bool training) {
  return torch::batch_norm(x, w, b, mean, var, training, 0.1, 1e-5, false);
}
#else
#include <gradus/gradus.hpp>
namespace api = gradus;
using gradus::Tensor;
inline Tensor random_normal(const std::vector<std::int64_t>& extents, bool wide) {
  return gradus::randn(gradus::Shape(std::span<const std::int64_t>(extents)))
      .to(wide ? gradus::float64 : gradus::float32);
}
inline Tensor random_index(std::int64_t below, std::int64_t n) { return gradus::randint(0, below, {n}); }
inline Tensor copied(Tensor copy) { return copy; }
inline Tensor largest(const Tensor& x) { return x.max(1).values; }
inline Tensor widened(const Tensor& x) { return x.to(gradus::float64); }
inline Tensor mean_of_rows(const Tensor& x) { return x.mean(1, true); }
namespace layers = gradus::nn::functional;
using layers::cross_entropy;
inline Tensor kl_divergence(const Tensor& x, const Tensor& t) { return layers::kl_div(x, t); }
inline Tensor embedded(const Tensor& index, const Tensor& weight) { return layers::embedding(index, weight); }
inline Tensor layer_norm(const Tensor& x, const Tensor& w, const Tensor& b) {
  return layers::layer_norm(x, w.shape(), w, b);
}
inline Tensor sorted(const Tensor& x) { return gradus::sort(x, 1).values; }
inline Tensor largest_four(const Tensor& x) { return gradus::topk(x, 4, 1).values; }
inline Tensor rows_at(const Tensor& x, const Tensor& index) { return x.index({index}); }
using NoGrad = gradus::NoGradGuard;
using gradus::float32, gradus::float64, gradus::int64, gradus::boolean;
inline Tensor mean_squared(const Tensor& x, const Tensor& t) { return layers::mse_loss(x, t); }
inline Tensor least1(const Tensor& x) { return x.min(1).values; }
inline Tensor least0(const Tensor& x) { return x.min(0).values; }
inline Tensor sum_of_02(const Tensor& x) { return x.sum({0, 2}); }
inline Tensor leaky(const Tensor& x) { return gradus::leaky_relu(x, 0.1); }
inline Tensor binary(const Tensor& x, const Tensor& t) { return layers::binary_cross_entropy_with_logits(x, t); }
inline Tensor classes(std::int64_t below, std::int64_t n) { return gradus::randint(0, below, {n, n}); }
inline Tensor pooled(const Tensor& x) { return layers::adaptive_avg_pool1d(x, 1); }
inline Tensor batch_norm(const Tensor& x, const Tensor& w, const Tensor& b, const Tensor& mean, const Tensor& var,
                         bool training) {
  return layers::batch_norm(x, {.running_mean = mean, .running_var = var, .weight = w, .bias = b},
                            {.training = training});
}
#endif

/// The least time of many short repeats: what a machine shared with others disturbs least.
inline double best_ns(auto f) {
  const double budget = 1e9 * bench::number_from("BENCH_SECONDS", 0.05);
  f();
  const double first = bench::now_ns();
  f();
  const long calls = std::max(1L, static_cast<long>(50e3 / std::max(1.0, bench::now_ns() - first)));
  double best = 1e99, spent = 0;
  for (int repeat = 0; spent < budget || repeat < 5; ++repeat) {
    const double start = bench::now_ns();
    for (long i = 0; i < calls; ++i) f();
    const double time = bench::now_ns() - start;
    spent += time;
    best = std::min(best, time / static_cast<double>(calls));
  }
  return best;
}

class Rows {
 public:
  explicit Rows(const char* filter) : filter_(filter) {}
  std::string prefix;
  void operator()(const std::string& operation, auto f) const {
    const std::string name = prefix + operation;
    if (name.find(filter_) == std::string::npos) return;
    std::printf("%s\t%.1f\n", name.c_str(), best_ns([&] { result_ = f(); }));
    std::fflush(stdout);
  }

 private:
  std::string filter_;
  mutable Tensor result_;
};

struct Operands {
  Operands(std::int64_t n, bool wide)
      : a(random_normal({n, n}, wide)),
        b(random_normal({n, n}, wide)),
        row(random_normal({n}, wide)),
        column(random_normal({n, 1}, wide)),
        positive(a * a + 0.5),
        cube(random_normal({n / 4, n / 4, 16}, wide)),
        cube_t(random_normal({n / 4, 16, n / 4}, wide)),
        places(random_index(n, n)),
        gathered(random_index(n, n * n).reshape({n, n})),
        mask(a > 0),
        share(a.sigmoid()),
        ints((a * 10).to(int64)),
        other_ints((b * 10).to(int64)),
        mean(random_normal({n}, wide) * 0),
        var(mean + 1),
        near_one(1 + 1e-3 * a) {}
  Tensor a, b, row, column, positive, cube, cube_t, places, gathered, mask, share, ints, other_ints, mean, var;
  Tensor near_one;
};

/// The rows with gradients, fb_…
void gradients(const Rows& time, const Operands& x, std::int64_t n);
