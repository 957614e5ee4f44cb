// BatchNorm as an operation of one's own, three times: as a NumPy programmer writes it, of gradus operations, and as
// loops. Each is checked against differences and compared with nn::BatchNorm1d; the exit status says whether all agree.
#include "text.hpp"
#include "text_table.hpp"
#include "timing.hpp"

#include <gradus/core/xtensor.hpp>
#include <gradus/gradus.hpp>

#include <cmath>
#include <cstdio>

using namespace gradus;

namespace {

using Array = xt::xarray<double>;

/// As the course CS231n writes it in NumPy, line by line, in xtensor. README shows it.
struct NumpyBatchNorm : Function<NumpyBatchNorm> {
  static constexpr bool once_differentiable = true;  // gradus does not see what xtensor computes

  static Tensor forward(Context& context, const Tensor& x, const Tensor& gamma, const Tensor& beta, double eps) {
    const Array centered = as_xtensor<double>(x) - xt::mean(as_xtensor<double>(x), {0});                 // (N, C)
    const Array rstd = 1 / xt::sqrt(xt::mean(xt::square(centered), {0}) + eps), xhat = centered * rstd;  // (C), (N, C)
    context.save_for_backward({from_xtensor(xhat), from_xtensor(rstd), gamma});
    return from_xtensor(as_xtensor<double>(gamma) * xhat + as_xtensor<double>(beta));
  }
  static Gradients backward(Context& context, const Tensor& dy) {
    const auto [saved_xhat, rstd, gamma] = context.saved<3>();
    const Array dout = as_xtensor<double>(dy), xhat = as_xtensor<double>(saved_xhat);
    const Array dbeta = xt::sum(dout, {0}), dgamma = xt::sum(dout * xhat, {0});
    const Array scale = as_xtensor<double>(gamma) * as_xtensor<double>(rstd) / static_cast<double>(dy.size(0));
    const Array dx = scale * (static_cast<double>(dy.size(0)) * dout - dbeta - xhat * dgamma);
    return {from_xtensor(dx), from_xtensor(dgamma), from_xtensor(dbeta)};
  }
};

/// The same of gradus operations: its gradient can be differentiated, for backward starts again from x.
struct ComposedBatchNorm : Function<ComposedBatchNorm> {
  struct Normalised {
    Normalised(const Tensor& x, double eps) {
      const Tensor centered = x - x.mean(0, true);
      rstd = (centered.square().mean(0, true) + eps).rsqrt();
      xhat = centered * rstd;
    }
    Tensor rstd, xhat;
  };

  static Tensor forward(Context& context, const Tensor& x, const Tensor& gamma, const Tensor& beta, double eps) {
    context.save_for_backward({x, gamma});
    context.keep(eps);
    return Normalised(x, eps).xhat * gamma + beta;
  }

  static Gradients backward(Context& context, const Tensor& dy) {
    const auto [x, gamma] = context.saved<2>();
    return gradients(dy, x, gamma, context.kept<double>());
  }

  static Gradients gradients(const Tensor& dy, const Tensor& x, const Tensor& gamma, double eps) {
    const Normalised of(x, eps);
    const Tensor dxhat = dy * gamma;
    const Tensor dx = of.rstd * (dxhat - dxhat.mean(0, true) - of.xhat * (dxhat * of.xhat).mean(0, true));
    return {dx, (dy * of.xhat).sum(0), dy.sum(0)};
  }
};

/// Fused: each column in three passes over its numbers, without a tensor in between. Where the gradient is to be
/// differentiated, the composed form takes over.
struct FusedBatchNorm : Function<FusedBatchNorm> {
  static Tensor forward(Context& context, const Tensor& x, const Tensor& gamma, const Tensor& beta, double eps) {
    const std::int64_t n = x.size(0), c = x.size(1);
    Tensor y = empty_like(x), mean = zeros(c, float64), rstd = zeros(c, float64);
    const double *from = x.data<double>().data(), *g = gamma.data<double>().data(), *b = beta.data<double>().data();
    double *to = y.data<double>().data(), *mu = mean.data<double>().data(), *r = rstd.data<double>().data();
    for (std::int64_t i = 0; i < n * c; ++i) mu[i % c] += from[i] / static_cast<double>(n);
    for (std::int64_t i = 0; i < n * c; ++i) r[i % c] += (from[i] - mu[i % c]) * (from[i] - mu[i % c]);
    for (std::int64_t j = 0; j < c; ++j) r[j] = 1 / std::sqrt(r[j] / static_cast<double>(n) + eps);
    for (std::int64_t i = 0; i < n * c; ++i) to[i] = (from[i] - mu[i % c]) * r[i % c] * g[i % c] + b[i % c];
    context.save_for_backward({x, gamma, mean, rstd});
    context.keep(eps);
    return y;
  }

  static Gradients backward(Context& context, const Tensor& dy) {
    const auto [x, gamma, mean, rstd] = context.saved<4>();
    if (grad_enabled()) return ComposedBatchNorm::gradients(dy, x, gamma, context.kept<double>());
    const std::int64_t n = x.size(0), c = x.size(1);
    Tensor dx = empty_like(x), dgamma = zeros(c, float64), dbeta = zeros(c, float64);
    const double *from = x.data<double>().data(), *d = dy.data<double>().data(), *g = gamma.data<double>().data();
    const double *mu = mean.data<double>().data(), *r = rstd.data<double>().data();
    double *to = dx.data<double>().data(), *dg = dgamma.data<double>().data(), *db = dbeta.data<double>().data();
    for (std::int64_t i = 0; i < n * c; ++i) {
      dg[i % c] += d[i] * (from[i] - mu[i % c]) * r[i % c];
      db[i % c] += d[i];
    }
    const double share = 1 / static_cast<double>(n);
    for (std::int64_t i = 0; i < n * c; ++i) {
      const double xhat = (from[i] - mu[i % c]) * r[i % c];
      to[i] = r[i % c] * g[i % c] * (d[i] - db[i % c] * share - xhat * dg[i % c] * share);
    }
    return {dx, dgamma, dbeta};
  }
};

/// What goes in, and what nn::BatchNorm1d makes of it.
struct Expected {
  Tensor x = (randn({64, 32}, float64) * 3 + 5).requires_grad_(), dy = randn({64, 32}, float64);
  Tensor gamma = (rand({32}, float64) + 0.5).requires_grad_(), beta = randn({32}, float64).requires_grad_();
  Tensor y, dx;
  Expected() {
    const nn::functional::BatchNormState state{.weight = gamma, .bias = beta};
    y = nn::functional::batch_norm(x, state, {.training = true, .eps = 1e-5});
    dx = grad({y}, {x}, {.grad_outputs = {dy}})[0];
  }
};

double distance(const Tensor& a, const Tensor& b) { return (a.detach() - b.detach()).abs().max().item(); }

/// One row of the table; whether y and dx are those of nn::BatchNorm1d and the derivatives are right.
template <class Operation>
bool add_row(TextTable& table, const char* name, bool twice, const Expected& expected) {
  const std::vector<Tensor> small{randn({5, 3}, float64).requires_grad_(), (rand({3}, float64) + 0.5).requires_grad_(),
                                  randn({3}, float64).requires_grad_()};
  const auto apply = [](std::span<const Tensor> in) { return Operation::apply(in[0], in[1], in[2], 1e-5); };
  gradcheck(apply, small);
  if (twice) gradgradcheck(apply, small);
  const auto y = [&] { return Operation::apply(expected.x, expected.gamma, expected.beta, 1e-5); };
  const auto dx = [&] { return grad({y()}, {expected.x}, {.grad_outputs = {expected.dy}})[0]; };
  const double off_y = distance(y(), expected.y), off_dx = distance(dx(), expected.dx);
  table.row(name, twice ? "gradcheck gradgradcheck" : "gradcheck", scientific(off_y), scientific(off_dx),
            fixed(microseconds(dx), 0));
  return off_y < 1e-13 && off_dx < 1e-13;
}

}  // namespace

int main() {
  manual_seed(1);
  const Expected expected;
  TextTable table({"", "passed", "y off", "dx off", "us"}, {.text_columns = 2});
  bool right = add_row<NumpyBatchNorm>(table, "xtensor, as in NumPy", false, expected);
  right &= add_row<ComposedBatchNorm>(table, "gradus operations", true, expected);
  right &= add_row<FusedBatchNorm>(table, "fused", true, expected);
  std::printf("%s", table.text().c_str());
  return right ? 0 : 1;
}
