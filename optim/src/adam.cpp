#include "common.hpp"
#include "kernels/steps_table.hpp"

#include <gradus/optim/adam.hpp>

namespace gradus::optim {

namespace {

void check_adam(const auto& options) {
  require_non_negative("learning rate", options.lr);
  require_non_negative("epsilon value", options.eps);
  require_betas(options.betas);
  require_non_negative("weight_decay value", options.weight_decay);
}

/// Updates parameters one by one, by for_each_gradient.
auto adam_update(const auto& o, bool decoupled) {
  kernels::AdamStep step{.lr = o.lr,
                         .beta1 = o.betas[0],
                         .beta2 = o.betas[1],
                         .eps = o.eps,
                         .weight_decay = o.weight_decay,
                         .decoupled = decoupled,
                         .maximize = o.maximize};
  std::int64_t corrected = 0;  // the step that the corrections are of: mostly that of all parameters
  return [step, corrected, amsgrad = o.amsgrad](const Tensor& p, const Tensor& gradient, AdamState& state) mutable {
    prepare(state.exp_avg, p);
    prepare(state.exp_avg_sq, p);
    if (amsgrad) prepare(state.max_exp_avg_sq, p);
    if (++state.step != corrected) {
      corrected = state.step;
      step.correction1 = 1 - std::pow(step.beta1, static_cast<double>(corrected));
      step.correction2 = 1 - std::pow(step.beta2, static_cast<double>(corrected));
    }
    visit_floating(p.dtype(), [&]<class T>(T*) {
      step_in_parts(kernels::chosen<&kernels::Kernels<T>::adam>(), step, p.numel(), 4, elements<T>(p),
                    elements<T>(gradient), elements<T>(state.exp_avg), elements<T>(state.exp_avg_sq),
                    elements_if<T>(amsgrad, state.max_exp_avg_sq));
    });
    bump_version(p);
  };
}

}  // namespace

void AdamOptions::check() const { check_adam(*this); }
void AdamWOptions::check() const { check_adam(*this); }

void Adam::step() {
  begin_step();
  for (std::size_t group = 0; group < group_count(); ++group) {
    for_each_gradient(group, adam_update(param_groups()[group].options, false));
  }
}

void AdamW::step() {
  begin_step();
  for (std::size_t group = 0; group < group_count(); ++group) {
    for_each_gradient(group, adam_update(param_groups()[group].options, true));
  }
}

}  // namespace gradus::optim
