// Optimiser steps, one pass over a parameter, its gradient and its state. The order of roundings is PyTorch's; `fused`
// stands where it adds a scaled array.
#pragma once

#include "elementwise.hpp"

namespace gradus::body {
namespace {

/// The gradient with its sign and weight decay.
struct Gradient {
  bool maximize, decays;
  Floats decay;
  Gradient(bool negate, double weight_decay)
      : maximize(negate), decays(weight_decay != 0), decay(static_cast<float>(weight_decay)) {}
  GRADUS_INLINE Floats operator()(Floats g, Floats p) const {
    if (maximize) g = g * Floats(-1);
    return decays ? fused(decay, p, g) : g;
  }
};

GRADUS_INLINE Floats rounded(double value) { return Floats(static_cast<float>(value)); }

void sgd(float* p, const float* g, float* momentum_buffer, int64_t n, const SgdStep& step) {
  const Gradient gradient(step.maximize, step.weight_decay);
  const Floats rate = rounded(-step.lr), momentum = rounded(step.momentum), undamped = rounded(1 - step.dampening);
  if (!momentum_buffer) {
    each_group(0, n, [&](int64_t i, auto lanes) {
      const Floats x = load(p + i, lanes);
      store(p + i, fused(rate, gradient(load(g + i, lanes), x), x), lanes);
    });
    return;
  }
  each_group(0, n, [&](int64_t i, auto lanes) {
    const Floats x = load(p + i, lanes), d = gradient(load(g + i, lanes), x);
    const Floats b = step.first ? d : fused(undamped, d, momentum * load(momentum_buffer + i, lanes));
    store(momentum_buffer + i, b, lanes);
    store(p + i, fused(rate, step.nesterov ? fused(momentum, b, d) : b, x), lanes);
  });
}

void adam(float* p, const float* g, float* exp_avg, float* exp_avg_sq, float* max_exp_avg_sq, int64_t n,
          const AdamStep& step) {
  const Gradient gradient(step.maximize, step.decoupled ? 0 : step.weight_decay);
  const Floats shrink = rounded(step.decoupled ? 1 - step.lr * step.weight_decay : 1);
  const Floats beta1 = rounded(step.beta1), rest1 = rounded(1 - step.beta1);
  const Floats beta2 = rounded(step.beta2), rest2 = rounded(1 - step.beta2);
  const Floats rate = rounded(-(step.lr / step.correction1)), root2 = rounded(__builtin_sqrt(step.correction2));
  const Floats eps = rounded(step.eps);
  each_group(0, n, [&](int64_t i, auto lanes) {
    const Floats x = load(p + i, lanes) * shrink, d = gradient(load(g + i, lanes), x);
    const Floats m = fused(rest1, d, beta1 * load(exp_avg + i, lanes));
    const Floats v = fused(rest2 * d, d, beta2 * load(exp_avg_sq + i, lanes));
    store(exp_avg + i, m, lanes);
    store(exp_avg_sq + i, v, lanes);
    Floats size = v;
    if (max_exp_avg_sq) {
      size = larger(load(max_exp_avg_sq + i, lanes), v);
      store(max_exp_avg_sq + i, size, lanes);
    }
    store(p + i, x + rate * m / (square_root(size) / root2 + eps), lanes);
  });
}

void rmsprop(float* p, const float* g, float* square_avg, float* grad_avg, float* momentum_buffer, int64_t n,
             const RmspropStep& step) {
  const Gradient gradient(step.maximize, step.weight_decay);
  const Floats alpha = rounded(step.alpha), rest = rounded(1 - step.alpha), eps = rounded(step.eps);
  const Floats rate = rounded(-step.lr), momentum = rounded(step.momentum);
  each_group(0, n, [&](int64_t i, auto lanes) {
    const Floats x = load(p + i, lanes), d = gradient(load(g + i, lanes), x);
    const Floats v = fused(rest * d, d, alpha * load(square_avg + i, lanes));
    store(square_avg + i, v, lanes);
    Floats size = v;
    if (grad_avg) {
      const Floats mean = fused(rest, d, alpha * load(grad_avg + i, lanes));
      store(grad_avg + i, mean, lanes);
      size = fused(mean * Floats(-1), mean, size);
    }
    const Floats spread = square_root(size) + eps;
    if (momentum_buffer) {
      const Floats b = momentum * load(momentum_buffer + i, lanes) + d / spread;
      store(momentum_buffer + i, b, lanes);
      store(p + i, fused(rate, b, x), lanes);
    } else {
      store(p + i, x + rate * d / spread, lanes);
    }
  });
}

}  // namespace
}  // namespace gradus::body
