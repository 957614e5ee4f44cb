#include <gradus/optim/rmsprop.hpp>

#include "check.hpp"
#include "kernels/kernels.hpp"
#include "update.hpp"

namespace gradus::optim {

using gradus::detail::bump_version;
using gradus::detail::elements;

namespace {

using kernels::rmsprop;
using kernels::RmspropStep;

// The float32 kernel in double.
void rmsprop(double* p, const double* g, double* v, double* a, double* b, std::int64_t n, const RmspropStep& step) {
  for (std::int64_t i = 0; i < n; ++i) {
    double d = step.maximize ? -g[i] : g[i];
    if (step.weight_decay != 0) d = std::fma(step.weight_decay, p[i], d);
    v[i] = std::fma((1 - step.alpha) * d, d, step.alpha * v[i]);
    double s = v[i];
    if (a) {
      a[i] = std::fma(1 - step.alpha, d, step.alpha * a[i]);
      s = std::fma(-a[i], a[i], s);
    }
    const double root = std::sqrt(s) + step.eps;
    if (b) {
      b[i] = step.momentum * b[i] + d / root;
      p[i] = std::fma(-step.lr, b[i], p[i]);
    } else {
      p[i] += -step.lr * d / root;
    }
  }
}

}  // namespace

void RMSpropOptions::check() const {
  require_non_negative("learning rate", lr);
  require_non_negative("epsilon value", eps);
  require_non_negative("momentum value", momentum);
  require_non_negative("weight_decay value", weight_decay);
  require_non_negative("alpha value", alpha);
}

void RMSpropOptions::list(FieldList& list) {
  list("lr", lr)("momentum", momentum)("alpha", alpha)("eps", eps)("centered", centered)("weight_decay", weight_decay);
  list.unused("foreach")("maximize", maximize).unused("differentiable", false);
}

void RMSpropState::list(FieldList& list) {
  list("step", step)("square_avg", square_avg);
  list.optional("momentum_buffer", momentum_buffer).optional("grad_avg", grad_avg);
}

void RMSprop::step() {
  begin_step();
  for (std::size_t group = 0; group < group_count(); ++group) {
    const RMSpropOptions& o = param_groups()[group].options;
    const RmspropStep step{.lr = o.lr,
                           .alpha = o.alpha,
                           .eps = o.eps,
                           .weight_decay = o.weight_decay,
                           .momentum = o.momentum,
                           .maximize = o.maximize};
    const bool has_momentum = o.momentum > 0;
    for_each_gradient(group, [&](const Tensor& p, const Tensor& gradient, RMSpropState& state) {
      ++state.step;
      prepare(state.square_avg, p);
      if (has_momentum) prepare(state.momentum_buffer, p);
      if (o.centered) prepare(state.grad_avg, p);
      visit_floating(p, [&]<class T>(T*) {
        rmsprop(elements<T>(p), elements<T>(gradient), elements<T>(state.square_avg),
                elements_if<T>(o.centered, state.grad_avg), elements_if<T>(has_momentum, state.momentum_buffer),
                p.numel(), step);
      });
      bump_version(p);
    });
  }
}

}  // namespace gradus::optim
