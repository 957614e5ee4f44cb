// Forward with backward, for operations.cpp.
#include "operations.hpp"

void gradients(const Rows& time, const Operands& x, std::int64_t n) {
  const Tensor a = x.a.clone().requires_grad_(), row = x.row.clone().requires_grad_();
  const Tensor p = x.positive.clone().requires_grad_(), cube = x.cube.clone().requires_grad_();
  const auto backward = [](const Tensor& y, const Tensor& weight) {
    const Tensor loss = (y * weight).sum();
    loss.backward();
    return loss;
  };
  const auto backward_of = [](const Tensor& loss) {
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
  const Tensor shares = x.b.softmax(1).detach();
  time("fb_sub", [&] { return backward(a - row, x.b); });
  time("fb_div", [&] { return backward(a / p, x.b); });
  time("fb_pow3", [&] { return backward(a.pow(3), x.b); });
  time("fb_pow2.5", [&] { return backward(p.pow(2.5), x.b); });
  time("fb_sqrt", [&] { return backward(p.sqrt(), x.b); });
  time("fb_exp", [&] { return backward(a.exp(), x.b); });
  time("fb_log", [&] { return backward(p.log(), x.b); });
  time("fb_sin", [&] { return backward(a.sin(), x.b); });
  time("fb_cos", [&] { return backward(a.cos(), x.b); });
  time("fb_abs", [&] { return backward(a.abs(), x.b); });
  time("fb_relu", [&] { return backward(a.relu(), x.b); });
  time("fb_leaky_relu", [&] { return backward(leaky(a), x.b); });
  time("fb_softplus", [&] { return backward(softplus(a), x.b); });
  time("fb_clamp", [&] { return backward(a.clamp(-1, 1), x.b); });
  time("fb_maximum", [&] { return backward(api::maximum(a, p), x.b); });
  time("fb_where", [&] { return backward(api::where(x.mask, a, p), x.b); });
  time("fb_masked_fill", [&] { return backward(a.masked_fill(x.mask, 0), x.b); });
  time("fb_max1", [&] { return backward(largest(a), x.row); });
  time("fb_max", [&] { return backward_of(a.max()); });
  time("fb_sum0", [&] { return backward(a.sum(0), x.row); });
  time("fb_mean1", [&] { return backward(a.mean(1), x.row); });
  time("fb_var0", [&] { return backward(a.var(0), x.row); });
  time("fb_std1", [&] { return backward(a.std(1), x.row); });
  time("fb_prod1", [&] { return backward(a.prod(1), x.row); });
  time("fb_norm", [&] { return backward_of(api::norm(a)); });
  time("fb_logsumexp", [&] { return backward(api::logsumexp(a, {1}), x.row); });
  time("fb_log_softmax", [&] { return backward(a.log_softmax(1), x.b); });
  time("fb_cumsum", [&] { return backward(a.cumsum(1), x.b); });
  time("fb_transpose", [&] { return backward(a.t(), x.b); });
  time("fb_permute", [&] { return backward(cube.permute({0, 2, 1}), x.cube_t); });
  time("fb_expand", [&] { return backward(row.expand({n, n}), x.b); });
  time("fb_gather", [&] { return backward(a.gather(1, x.gathered), x.b); });
  time("fb_index_mask", [&] { return backward_of(rows_at(a, x.mask).sum()); });
  time("fb_narrow", [&] { return backward_of(a.narrow(1, n / 4, n / 2).sum()); });
  time("fb_stack", [&] { return backward_of(api::stack({a, p}, 0).sum()); });
  time("fb_matmul", [&] { return backward(a.matmul(x.b), x.b); });
  time("fb_bmm", [&] { return backward_of(api::bmm(cube, x.cube_t).sum()); });
  time("fb_mv", [&] { return backward(a.matmul(row), x.row); });
  time("fb_mse", [&] { return backward_of(mean_squared(a, x.b)); });
  time("fb_l1", [&] { return backward_of(layers::l1_loss(a, x.b)); });
  time("fb_bce", [&] { return backward_of(binary(a, x.share)); });
  time("fb_nll", [&] { return backward_of(layers::nll_loss(a, x.places)); });
  time("fb_xent_shares", [&] { return backward_of(cross_entropy(a, shares)); });
  time("fb_bn", [&] { return backward(batch_norm(a, row, row, x.mean, x.var, true), x.b); });
  time("fb_bn_eval", [&] { return backward(batch_norm(a, row, row, x.mean, x.var, false), x.b); });
  time("fb_embedding", [&] { return backward(embedded(x.places, a), x.b); });
  time("fb_index_add", [&] { return backward(a.index_add(0, x.places, x.b), x.b); });
  time("fb_dropout", [&] { return backward(layers::dropout(a, 0.5, true), x.b); });
  time("fb_chain", [&] { return backward((a * p + row - x.column) / 2, x.b); });
  time("fb_mlp", [&] { return backward((x.a.matmul(a) + row).relu().matmul(p), x.b); });
}
