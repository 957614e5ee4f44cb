// Optimiser steps, one pass over a parameter, its gradient and its state. The order of roundings is PyTorch's; `fused`
// stands where it adds a scaled array.
#pragma once

#include "kernels/lanes.hpp"
#include "kernels/steps_table.hpp"

namespace gradus::body {

using optim::kernels::AdamStep;
using optim::kernels::RmspropStep;
using optim::kernels::SgdStep;

namespace {

/// The gradient with its sign and weight decay.
template <class T>
struct Gradient {
  bool maximize, decays;
  Pack<T> decay;
  Gradient(bool negate, double weight_decay)
      : maximize(negate), decays(weight_decay != 0), decay(static_cast<T>(weight_decay)) {}
  GRADUS_INLINE Pack<T> operator()(Pack<T> g, Pack<T> p) const {
    if (maximize) g = g * Pack<T>(-1);
    return decays ? fused(decay, p, g) : g;
  }
};

template <class T>
GRADUS_INLINE Pack<T> rounded(double value) {
  return Pack<T>(static_cast<T>(value));
}

/// The larger, or NaN.
template <class T>
GRADUS_INLINE Pack<T> larger(Pack<T> a, Pack<T> b) {
  return where_nan(a, a, where_greater(a, b, a, b));
}

template <class T>
void sgd(T* p, const T* g, T* momentum_buffer, int64_t n, const SgdStep& step) {
  const Gradient<T> gradient(step.maximize, step.weight_decay);
  const Pack<T> rate = rounded<T>(-step.lr), momentum = rounded<T>(step.momentum),
                undamped = rounded<T>(1 - step.dampening);
  if (!momentum_buffer) {
    each_group(0, n, [&](int64_t i, auto lanes) GRADUS_INLINED {
      const Pack<T> x = load(p + i, lanes);
      store(p + i, fused(rate, gradient(load(g + i, lanes), x), x), lanes);
    });
    return;
  }
  each_group(0, n, [&](int64_t i, auto lanes) GRADUS_INLINED {
    const Pack<T> x = load(p + i, lanes), d = gradient(load(g + i, lanes), x);
    const Pack<T> b = step.first ? d : fused(undamped, d, momentum * load(momentum_buffer + i, lanes));
    store(momentum_buffer + i, b, lanes);
    store(p + i, fused(rate, step.nesterov ? fused(momentum, b, d) : b, x), lanes);
  });
}

template <class T>
void adam(T* p, const T* g, T* exp_avg, T* exp_avg_sq, T* max_exp_avg_sq, int64_t n, const AdamStep& step) {
  const Gradient<T> gradient(step.maximize, step.decoupled ? 0 : step.weight_decay);
  const Pack<T> shrink = rounded<T>(step.decoupled ? 1 - step.lr * step.weight_decay : 1);
  const Pack<T> beta1 = rounded<T>(step.beta1), rest1 = rounded<T>(1 - step.beta1);
  const Pack<T> beta2 = rounded<T>(step.beta2), rest2 = rounded<T>(1 - step.beta2);
  const Pack<T> rate = rounded<T>(-(step.lr / step.correction1)), root2 = rounded<T>(__builtin_sqrt(step.correction2));
  const Pack<T> eps = rounded<T>(step.eps);
  each_group(0, n, [&](int64_t i, auto lanes) GRADUS_INLINED {
    const Pack<T> x = load(p + i, lanes) * shrink, d = gradient(load(g + i, lanes), x);
    const Pack<T> m = fused(rest1, d, beta1 * load(exp_avg + i, lanes));
    const Pack<T> v = fused(rest2 * d, d, beta2 * load(exp_avg_sq + i, lanes));
    store(exp_avg + i, m, lanes);
    store(exp_avg_sq + i, v, lanes);
    Pack<T> size = v;
    if (max_exp_avg_sq) {
      size = larger(load(max_exp_avg_sq + i, lanes), v);
      store(max_exp_avg_sq + i, size, lanes);
    }
    store(p + i, x + rate * m / (square_root(size) / root2 + eps), lanes);
  });
}

template <class T>
void rmsprop(T* p, const T* g, T* square_avg, T* grad_avg, T* momentum_buffer, int64_t n, const RmspropStep& step) {
  const Gradient<T> gradient(step.maximize, step.weight_decay);
  const Pack<T> alpha = rounded<T>(step.alpha), rest = rounded<T>(1 - step.alpha), eps = rounded<T>(step.eps);
  const Pack<T> rate = rounded<T>(-step.lr), momentum = rounded<T>(step.momentum);
  each_group(0, n, [&](int64_t i, auto lanes) GRADUS_INLINED {
    const Pack<T> x = load(p + i, lanes), d = gradient(load(g + i, lanes), x);
    const Pack<T> v = fused(rest * d, d, alpha * load(square_avg + i, lanes));
    store(square_avg + i, v, lanes);
    Pack<T> size = v;
    if (grad_avg) {
      const Pack<T> mean = fused(rest, d, alpha * load(grad_avg + i, lanes));
      store(grad_avg + i, mean, lanes);
      size = fused(mean * Pack<T>(-1), mean, size);
    }
    const Pack<T> spread = square_root(size) + eps;
    if (momentum_buffer) {
      const Pack<T> b = momentum * load(momentum_buffer + i, lanes) + d / spread;
      store(momentum_buffer + i, b, lanes);
      store(p + i, fused(rate, b, x), lanes);
    } else {
      store(p + i, x + rate * d / spread, lanes);
    }
  });
}

}  // namespace
}  // namespace gradus::body
