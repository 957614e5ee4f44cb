#include "common.hpp"

#include <gradus/optim/nadam.hpp>

namespace gradus::optim {

void NAdamOptions::check() const {
  require_non_negative("learning rate", lr);
  require_non_negative("epsilon value", eps);
  require_betas(betas);
  require_non_negative("weight_decay value", weight_decay);
  require_non_negative("momentum_decay value", momentum_decay);
}

namespace {

/// The factors of one step.
struct Rates {
  double gradient, momentum, correction2;
};

Rates rates_of(const NAdamOptions& o, NAdamState& state) {
  const double step = static_cast<double>(++state.step);
  const auto mu_of = [&o](double t) { return o.betas[0] * (1 - 0.5 * std::pow(0.96, t * o.momentum_decay)); };
  const double mu = mu_of(step), mu_next = mu_of(step + 1);
  const float product = static_cast<float>(state.mu_product) * static_cast<float>(mu);
  const float product_next = product * static_cast<float>(mu) * static_cast<float>(mu_next);
  state.mu_product = static_cast<double>(product);
  return {.gradient = -o.lr * (1 - mu) / (1 - static_cast<double>(product)),
          .momentum = -o.lr * mu_next / (1 - static_cast<double>(product_next)),
          .correction2 = 1 - std::pow(o.betas[1], step)};
}

/// Scalars are rounded to the elements' type where they meet them, as in PyTorch.
template <class T>
void update(const NAdamOptions& o, const Rates& rates, T* p, const T* g, T* m, T* v, std::int64_t n) {
  const T decay = static_cast<T>(o.weight_decay), eps = static_cast<T>(o.eps);
  const T beta1 = static_cast<T>(o.betas[0]), rest1 = static_cast<T>(1 - o.betas[0]);
  const T beta2 = static_cast<T>(o.betas[1]), rest2 = static_cast<T>(1 - o.betas[1]);
  const T gradient_rate = static_cast<T>(rates.gradient), momentum_rate = static_cast<T>(rates.momentum);
  const T correction2 = static_cast<T>(rates.correction2);
  for (std::int64_t i = 0; i < n; ++i) {
    T d = g[i];
    if (decay != 0) d = std::fma(decay, p[i], d);
    m[i] = std::fma(rest1, d, beta1 * m[i]);
    v[i] = std::fma(rest2 * d, d, beta2 * v[i]);
    const T root = std::sqrt(v[i] / correction2) + eps;
    p[i] += gradient_rate * d / root;
    p[i] += momentum_rate * m[i] / root;
  }
}

}  // namespace

void NAdam::step() {
  update_each([](const NAdamOptions& o, const Tensor& p, const Tensor& g, NAdamState& state) {
    prepare(state.exp_avg, p);
    prepare(state.exp_avg_sq, p);
    const Rates rates = rates_of(o, state);
    visit_floating(p.dtype(), [&]<class T>(T*) {
      update(o, rates, elements<T>(p), elements<T>(g), elements<T>(state.exp_avg), elements<T>(state.exp_avg_sq),
             p.numel());
    });
    bump_version(p);
  });
}

}  // namespace gradus::optim
