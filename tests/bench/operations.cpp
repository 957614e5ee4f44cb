// Single operations, forward under no_grad and (fb_…) forward with backward, in float32 and float64 on n x n: one
// source for gradus and, with GRADUS_BENCH_TORCH, for libtorch. Prints
//
//   operation <TAB> best nanoseconds
//
// An argument chooses rows by a part of their name. The environment sets THREADS (1) and BENCH_SECONDS (0.05) a row.
// Where libtorch makes a view and gradus a copy, libtorch's is copied too.
#include "machine.hpp"

#include <algorithm>
#include <string>
#include <vector>

#ifdef GRADUS_BENCH_TORCH
#include <torch/torch.h>
namespace api = torch;
using torch::Tensor;
namespace {
Tensor random_normal(std::vector<std::int64_t> shape, bool wide) {
  return torch::randn(shape, wide ? torch::kFloat64 : torch::kFloat32);
}
Tensor random_index(std::int64_t below, std::int64_t n) { return torch::randint(below, {n}, torch::kInt64); }
Tensor copied(const Tensor& view) { return view.contiguous(); }
Tensor largest(const Tensor& x) { return std::get<0>(x.max(1)); }
Tensor widened(const Tensor& x) { return x.to(torch::kFloat64); }
Tensor mean_of_rows(const Tensor& x) { return x.mean(1, true); }
Tensor cross_entropy(const Tensor& x, const Tensor& t) { return torch::nn::functional::cross_entropy(x, t); }
Tensor kl_divergence(const Tensor& x, const Tensor& t) { return torch::kl_div(x, t); }
Tensor layer_norm(const Tensor& x, const Tensor& w, const Tensor& b) { return torch::layer_norm(x, w.sizes(), w, b); }
Tensor sorted(const Tensor& x) { return std::get<0>(x.sort(1)); }
Tensor largest_four(const Tensor& x) { return std::get<0>(x.topk(4, 1)); }
Tensor embedded(const Tensor& index, const Tensor& weight) { return torch::embedding(weight, index); }
Tensor rows_at(const Tensor& x, const Tensor& index) { return x.index({index}); }
namespace layers = torch;
using NoGrad = torch::NoGradGuard;
}  // namespace
#else
#include <gradus/gradus.hpp>
namespace api = gradus;
using gradus::Tensor;
namespace {
Tensor random_normal(const std::vector<std::int64_t>& extents, bool wide) {
  return gradus::randn(gradus::Shape(std::span<const std::int64_t>(extents)))
      .to(wide ? gradus::float64 : gradus::float32);
}
Tensor random_index(std::int64_t below, std::int64_t n) { return gradus::randint(0, below, {n}); }
Tensor copied(Tensor copy) { return copy; }
Tensor largest(const Tensor& x) { return x.max(1).values; }
Tensor widened(const Tensor& x) { return x.to(gradus::float64); }
Tensor mean_of_rows(const Tensor& x) { return x.mean(1, true); }
namespace layers = gradus::nn::functional;
using layers::cross_entropy;
Tensor kl_divergence(const Tensor& x, const Tensor& t) { return layers::kl_div(x, t); }
Tensor embedded(const Tensor& index, const Tensor& weight) { return layers::embedding(index, weight); }
Tensor layer_norm(const Tensor& x, const Tensor& w, const Tensor& b) { return layers::layer_norm(x, w.shape(), w, b); }
Tensor sorted(const Tensor& x) { return gradus::sort(x, 1).values; }
Tensor largest_four(const Tensor& x) { return gradus::topk(x, 4, 1).values; }
Tensor rows_at(const Tensor& x, const Tensor& index) { return x.index({index}); }
using NoGrad = gradus::NoGradGuard;
}  // namespace
#endif

namespace {

/// The least time of many short repeats: what a machine shared with others disturbs least.
double best_ns(auto f) {
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
        mask(a > 0) {}
  Tensor a, b, row, column, positive, cube, cube_t, places, gathered, mask;
};

void elementwise(const Rows& time, const Operands& x) {
  const NoGrad no_grad;
  time("add", [&] { return x.a + x.b; });
  time("add_row", [&] { return x.a + x.row; });
  time("add_col", [&] { return x.a + x.column; });
  time("mul_scalar", [&] { return x.a * 2.5; });
  time("div", [&] { return x.a / x.positive; });
  time("square", [&] { return x.a.square(); });
  time("sqrt", [&] { return x.positive.sqrt(); });
  time("pow3", [&] { return x.a.pow(3); });
  time("exp", [&] { return x.a.exp(); });
  time("log", [&] { return x.positive.log(); });
  time("tanh", [&] { return x.a.tanh(); });
  time("sigmoid", [&] { return x.a.sigmoid(); });
  time("relu", [&] { return x.a.relu(); });
  time("gelu", [&] { return api::gelu(x.a); });
  time("softplus", [&] { return softplus(x.a); });
  time("clamp", [&] { return x.a.clamp(-1, 1); });
  time("maximum", [&] { return api::maximum(x.a, x.b); });
  time("gt_scalar", [&] { return x.a > 0; });
  time("where", [&] { return api::where(x.mask, x.a, x.b); });
  time("masked_fill", [&] { return x.a.masked_fill(x.mask, 0); });
}

void reductions(const Rows& time, const Operands& x) {
  const NoGrad no_grad;
  time("sum", [&] { return x.a.sum(); });
  time("sum0", [&] { return x.a.sum(0); });
  time("sum1", [&] { return x.a.sum(1); });
  time("mean0", [&] { return x.a.mean(0); });
  time("var0", [&] { return x.a.var(0); });
  time("max1", [&] { return largest(x.a); });
  time("argmax1", [&] { return x.a.argmax(1); });
  time("softmax1", [&] { return x.a.softmax(1); });
  time("log_softmax1", [&] { return x.a.log_softmax(1); });
}

void layout(const Rows& time, const Operands& x, std::int64_t n) {
  const NoGrad no_grad;
  time("transpose", [&] { return copied(x.a.t()); });
  time("permute021", [&] { return copied(x.cube.permute({0, 2, 1})); });
  time("expand_row", [&] { return copied(x.row.expand({n, n})); });
  time("slice_cols", [&] { return copied(x.a.narrow(1, n / 4, n / 2)); });
  time("cat0", [&] { return api::cat({x.a, x.b}, 0); });
  time("cat1", [&] { return api::cat({x.a, x.b}, 1); });
  time("index_select0", [&] { return x.a.index_select(0, x.places); });
  time("gather1", [&] { return x.a.gather(1, x.gathered); });
  time("to_f64", [&] { return widened(x.a); });
  time("matmul", [&] { return x.a.matmul(x.b); });
  time("clone", [&] { return x.a.clone(); });
}

/// What small projects need besides.
void small_things(const Rows& time, const Operands& x) {
  const NoGrad no_grad;
  time("sign", [&] { return x.a.sign(); });
  time("floor", [&] { return x.a.floor(); });
  time("ceil", [&] { return x.a.ceil(); });
  time("round", [&] { return x.a.round(); });
  time("log1p", [&] { return x.positive.log1p(); });
  time("expm1", [&] { return x.a.expm1(); });
  time("elu", [&] { return layers::elu(x.a); });
  time("silu", [&] { return layers::silu(x.a); });
  time("hardtanh", [&] { return layers::hardtanh(x.a, -1, 1); });
  time("layer_norm", [&] { return layer_norm(x.a, x.row, x.row); });
  time("huber_loss", [&] { return layers::huber_loss(x.a, x.b); });
  time("smooth_l1", [&] { return layers::smooth_l1_loss(x.a, x.b); });
  time("kl_div", [&] { return kl_divergence(x.a, x.positive); });
  time("prod1", [&] { return x.a.prod(1); });
  time("cumsum1", [&] { return x.a.cumsum(1); });
  time("norm", [&] { return api::norm(x.a); });
  time("sort1", [&] { return sorted(x.a); });
  time("topk1", [&] { return largest_four(x.a); });
  time("flip", [&] { return x.a.flip({0, 1}); });
  time("outer", [&] { return api::outer(x.row, x.row); });
  time("bmm", [&] { return api::bmm(x.cube, x.cube_t); });
  time("logical_and", [&] { return api::logical_and(x.mask, x.mask); });
  time("index_rows", [&] { return rows_at(x.a, x.places); });
  time("index_mask", [&] { return rows_at(x.a, x.mask); });
  time("index_add", [&] { return x.a.index_add(0, x.places, x.b); });
  time("scatter_add", [&] { return x.a.scatter_add(1, x.gathered, x.b); });
  time("embedding", [&] { return embedded(x.places, x.a); });
}

/// Sequences (16, channels, n) through filters of nine.
void sequences(const Rows& time, std::int64_t n, bool wide) {
  for (const std::int64_t channels : {1, 32}) {
    const std::string suffix = std::to_string(channels);
    Tensor x = random_normal({16, channels, n}, wide), weight = random_normal({16, channels, 9}, wide);
    {
      const NoGrad no_grad;
      time("conv1d_" + suffix, [&] { return layers::conv1d(x, weight); });
    }
    weight.requires_grad_();
    x.requires_grad_();
    time("fb_conv1d_" + suffix, [&] {
      const Tensor loss = layers::conv1d(x, weight).square().sum();
      loss.backward();
      return loss;
    });
  }
  const NoGrad no_grad;
  const Tensor x = random_normal({16, 32, n}, wide);
  time("max_pool1d", [&] { return layers::max_pool1d(x, 2); });
  time("avg_pool1d", [&] { return layers::avg_pool1d(x, 2); });
}

void random_numbers(const Rows& time, std::int64_t n) {
  time("randn", [&] { return api::randn({n, n}); });
  time("randperm", [&] { return api::randperm(n * n); });
}

void gradients(const Rows& time, const Operands& x) {
  const Tensor a = x.a.clone().requires_grad_(), row = x.row.clone().requires_grad_();
  const auto backward = [](const Tensor& y, const Tensor& weight) {
    const Tensor loss = (y * weight).sum();
    loss.backward();
    return loss;
  };
  time("fb_mul_row", [&] { return backward(a * row, x.b); });
  time("fb_tanh", [&] { return backward(a.tanh(), x.b); });
  time("fb_gelu", [&] { return backward(api::gelu(a), x.b); });
  time("fb_softmax", [&] { return backward(a.softmax(1), x.b); });
  time("fb_layernorm", [&] {
    const Tensor centered = a - mean_of_rows(a), var = mean_of_rows((a - mean_of_rows(a)) * (a - mean_of_rows(a)));
    return backward(centered / (var + 1e-5).sqrt() * row, x.b);
  });
  time("fb_linear", [&] { return backward(api::linear(x.a, a, row), x.b); });
  time("fb_elu", [&] { return backward(layers::elu(a), x.b); });
  time("fb_silu", [&] { return backward(layers::silu(a), x.b); });
  time("fb_hardtanh", [&] { return backward(layers::hardtanh(a, -1, 1), x.b); });
  time("fb_layer_norm", [&] { return backward(layer_norm(a, row, row), x.b); });
  time("fb_huber_loss", [&] {
    const Tensor loss = layers::huber_loss(a, x.b);
    loss.backward();
    return loss;
  });
  time("fb_xent", [&] {
    const Tensor loss = cross_entropy(a, x.places);
    loss.backward();
    return loss;
  });
  time("fb_cat1", [&] { return backward(api::cat({a, a}, 1), api::cat({x.b, x.b}, 1)); });
  time("fb_index0", [&] { return backward(a.index_select(0, x.places), x.b); });
}

}  // namespace

int main(int argc, char** argv) {
  api::set_num_threads(static_cast<int>(bench::number_from("THREADS", 1)));
  Rows time(argc > 1 ? argv[1] : "");
  for (const bool wide : {false, true}) {
    for (const std::int64_t n : {16, 256, 1024}) {
      time.prefix = (wide ? "f64/" : "f32/") + std::to_string(n) + "/";
      const Operands x(n, wide);
      elementwise(time, x);
      reductions(time, x);
      layout(time, x, n);
      small_things(time, x);
      sequences(time, n, wide);
      if (!wide) random_numbers(time, n);
      gradients(time, x);
    }
  }
}
