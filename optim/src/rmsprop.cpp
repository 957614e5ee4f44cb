#include "common.hpp"
#include "kernels/steps_table.hpp"

#include <gradus/optim/rmsprop.hpp>

namespace gradus::optim {

void RMSpropOptions::check() const {
  require_non_negative("learning rate", lr);
  require_non_negative("epsilon value", eps);
  require_non_negative("momentum value", momentum);
  require_non_negative("weight_decay value", weight_decay);
  require_non_negative("alpha value", alpha);
}

void RMSprop::step() {
  update_each([](const RMSpropOptions& o, const Tensor& p, const Tensor& g, RMSpropState& state) {
    const kernels::RmspropStep step{.lr = o.lr,
                                    .alpha = o.alpha,
                                    .eps = o.eps,
                                    .weight_decay = o.weight_decay,
                                    .momentum = o.momentum,
                                    .maximize = o.maximize};
    const bool has_momentum = o.momentum > 0;
    ++state.step;
    prepare(state.square_avg, p);
    if (has_momentum) prepare(state.momentum_buffer, p);
    if (o.centered) prepare(state.grad_avg, p);
    visit_floating(p.dtype(), [&]<class T>(T*) {
      step_in_parts(kernels::chosen<&kernels::Kernels<T>::rmsprop>(), step, p.numel(), 4, elements<T>(p),
                    elements<T>(g), elements<T>(state.square_avg), elements_if<T>(o.centered, state.grad_avg),
                    elements_if<T>(has_momentum, state.momentum_buffer));
    });
    bump_version(p);
  });
}

}  // namespace gradus::optim
