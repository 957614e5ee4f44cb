// Single operations, forward under no_grad and (fb_…) forward with backward, in float32 and float64 on n x n: one
// source for gradus and, with GRADUS_BENCH_TORCH, for libtorch. Prints
//
//   operation <TAB> best nanoseconds
//
// An argument chooses rows by a part of their name. The environment sets THREADS (1) and BENCH_SECONDS (0.05) a row.
// Where libtorch makes a view and gradus a copy, libtorch's is copied too.
#include "operations.hpp"

namespace {

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
  time("sin", [&] { return x.a.sin(); });
  time("cos", [&] { return x.a.cos(); });
  time("erf", [&] { return x.a.erf(); });
  time("pow2.5", [&] { return x.positive.pow(2.5); });
  time("rsqrt", [&] { return x.positive.rsqrt(); });
  time("reciprocal", [&] { return x.positive.reciprocal(); });
  time("abs", [&] { return x.a.abs(); });
  time("neg", [&] { return -x.a; });
  time("sub", [&] { return x.a - x.b; });
  time("rsub", [&] { return 1 - x.a; });
  time("rdiv", [&] { return 1 / x.positive; });
  time("div_scalar", [&] { return x.a / 3; });
  time("div_row", [&] { return x.a / x.row; });
  time("row_sub", [&] { return x.row - x.a; });
  time("column_mul_row", [&] { return x.column * x.row; });
  time("minimum", [&] { return api::minimum(x.a, x.b); });
  time("leaky_relu", [&] { return leaky(x.a); });
  time("chain", [&] { return (x.a * x.b + x.row - x.column) / 2; });
}

/// What is not floating, or becomes it.
void comparisons_and_integers(const Rows& time, const Operands& x, bool wide) {
  const NoGrad no_grad;
  time("eq", [&] { return x.a == x.b; });
  time("lt", [&] { return x.a < x.b; });
  time("lt_row", [&] { return x.a < x.row; });
  time("ge_scalar", [&] { return x.a >= 0.5; });
  time("isnan", [&] { return api::isnan(x.a); });
  time("isfinite", [&] { return api::isfinite(x.a); });
  time("logical_not", [&] { return api::logical_not(x.mask); });
  time("int_add", [&] { return x.ints + x.other_ints; });
  time("int_mul", [&] { return x.ints * x.other_ints; });
  time("int_add_scalar", [&] { return x.ints + 3; });
  time("int_sum", [&] { return x.ints.sum(); });
  time("int_sum0", [&] { return x.ints.sum(0); });
  time("int_sum1", [&] { return x.ints.sum(1); });
  time("int_max", [&] { return x.ints.max(); });
  time("int_argmax1", [&] { return x.ints.argmax(1); });
  time("int_eq", [&] { return x.ints == x.other_ints; });
  time("int_to_float", [&] { return x.ints.to(wide ? float64 : float32); });
  time("to_int", [&] { return x.a.to(int64); });
  time("to_bool", [&] { return x.a.to(boolean); });
  time("bool_to_float", [&] { return x.mask.to(wide ? float64 : float32); });
  time("to_other", [&] { return x.a.to(wide ? float32 : float64); });
  time("bool_sum", [&] { return x.mask.sum(); });
  time("bool_sum1", [&] { return x.mask.sum(1); });
  time("bool_any", [&] { return x.mask.any(); });
  time("bool_all", [&] { return x.mask.all(); });
  time("bool_any1", [&] { return x.mask.any(1); });
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
  time("mean", [&] { return x.a.mean(); });
  time("mean1", [&] { return x.a.mean(1); });
  time("sum_cube0", [&] { return x.cube.sum(0); });
  time("sum_cube1", [&] { return x.cube.sum(1); });
  time("sum_cube2", [&] { return x.cube.sum(2); });
  time("sum_cube02", [&] { return sum_of_02(x.cube); });
  time("var", [&] { return x.a.var(); });
  time("std", [&] { return x.a.std(); });
  time("var1", [&] { return x.a.var(1); });
  time("std0", [&] { return x.a.std(0); });
  time("max", [&] { return x.a.max(); });
  time("min", [&] { return x.a.min(); });
  time("min0", [&] { return least0(x.a); });
  time("min1", [&] { return least1(x.a); });
  time("argmax", [&] { return x.a.argmax(); });
  time("argmin0", [&] { return x.a.argmin(0); });
  time("prod", [&] { return x.near_one.prod(); });
  time("prod0", [&] { return x.a.prod(0); });
  time("logsumexp1", [&] { return api::logsumexp(x.a, {1}); });
  time("norm1", [&] { return api::norm(x.a, 1); });
  time("softmax0", [&] { return x.a.softmax(0); });
  time("log_softmax0", [&] { return x.a.log_softmax(0); });
  time("cumsum0", [&] { return x.a.cumsum(0); });
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
  time("stack0", [&] { return api::stack({x.a, x.b}, 0); });
  time("stack2", [&] { return api::stack({x.a, x.b}, 2); });
  time("permute201", [&] { return copied(x.cube.permute({2, 0, 1})); });
  time("permute102", [&] { return copied(x.cube.permute({1, 0, 2})); });
  time("permute210", [&] { return copied(x.cube.permute({2, 1, 0})); });
  time("select_column", [&] { return copied(x.a.select(1, 3)); });
  time("select_row", [&] { return copied(x.a.select(0, 3)); });
  time("expand_column", [&] { return copied(x.column.expand({n, n})); });
  time("index_select1", [&] { return x.a.index_select(1, x.places); });
  time("gather0", [&] { return x.a.gather(0, x.gathered); });
  time("scatter1", [&] { return x.a.scatter(1, x.gathered, x.b); });
  time("one_hot", [&] { return api::one_hot(x.places, n); });
  time("flip1", [&] { return x.a.flip({1}); });
}

/// Products, and what makes or overwrites a tensor.
void products_and_writes(const Rows& time, const Operands& x, std::int64_t n) {
  const NoGrad no_grad;
  time("mv", [&] { return x.a.matmul(x.row); });
  time("vm", [&] { return x.row.matmul(x.a); });
  time("dot", [&] { return x.row.matmul(x.row); });
  time("matmul_transposed", [&] { return x.a.matmul(x.b.t()); });
  time("transposed_matmul", [&] { return x.a.t().matmul(x.b); });
  time("zeros", [&] { return api::zeros({n, n}); });
  time("ones", [&] { return api::ones({n, n}); });
  time("full", [&] { return api::full({n, n}, 3.5); });
  time("arange", [&] { return api::arange(n * n); });
  time("linspace", [&] { return api::linspace(0, 1, n * n); });
  time("eye", [&] { return api::eye(n); });
  time("rand", [&] { return api::rand({n, n}); });
  time("randint", [&] { return classes(100, n); });
  time("bernoulli", [&] { return api::bernoulli(x.share); });
  time("dropout", [&] { return layers::dropout(x.a, 0.5, true); });
  Tensor z = x.a.clone();
  time("add_", [&] { return z.add_(x.b); });
  time("mul_", [&] { return z.mul_(1.0); });
  time("zero_", [&] { return z.zero_(); });
  time("fill_", [&] { return z.fill_(1.5); });
  time("copy_", [&] { return z.copy_(x.b); });
}

void losses_and_layers(const Rows& time, const Operands& x) {
  const NoGrad no_grad;
  const Tensor log_shares = x.a.log_softmax(1), shares = x.b.softmax(1);
  time("mse", [&] { return mean_squared(x.a, x.b); });
  time("l1", [&] { return layers::l1_loss(x.a, x.b); });
  time("bce", [&] { return binary(x.a, x.share); });
  time("nll", [&] { return layers::nll_loss(log_shares, x.places); });
  time("xent", [&] { return cross_entropy(x.a, x.places); });
  time("xent_shares", [&] { return cross_entropy(x.a, shares); });
  time("bn_train", [&] { return batch_norm(x.a, x.row, x.row, x.mean, x.var, true); });
  time("bn_eval", [&] { return batch_norm(x.a, x.row, x.row, x.mean, x.var, false); });
  time("adaptive_avg_pool1d", [&] { return pooled(x.cube); });
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

}  // namespace

int main(int argc, char** argv) {
  api::set_num_threads(static_cast<int>(bench::number_from("THREADS", 1)));
  Rows time(argc > 1 ? argv[1] : "");
  for (const bool wide : {false, true}) {
    for (const std::int64_t n : {16, 256, 1024}) {
      time.prefix = (wide ? "f64/" : "f32/") + std::to_string(n) + "/";
      const Operands x(n, wide);
      elementwise(time, x);
      comparisons_and_integers(time, x, wide);
      reductions(time, x);
      layout(time, x, n);
      products_and_writes(time, x, n);
      losses_and_layers(time, x);
      small_things(time, x);
      sequences(time, n, wide);
      if (!wide) random_numbers(time, n);
      gradients(time, x, n);
    }
  }
}
