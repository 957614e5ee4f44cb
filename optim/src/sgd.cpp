#include "check.hpp"
#include "kernels/steps.hpp"
#include "update.hpp"

#include <gradus/optim/sgd.hpp>

namespace gradus::optim {

using gradus::detail::bump_version;
using gradus::detail::elements;

void SGDOptions::check() const {
  if (lr == required) {
    throw ValueError(
        "parameter group didn't specify a value of required optimization parameter lr\nname it: SGD(params, {.lr = "
        "0.1})");
  }
  require_non_negative("learning rate", lr);
  require_non_negative("momentum value", momentum);
  require_non_negative("weight_decay value", weight_decay);
  if (!std::isfinite(dampening)) throw ValueError("Invalid dampening value: " + float_text(dampening));
  if (nesterov && (momentum == 0 || dampening != 0)) {
    throw ValueError("Nesterov momentum requires a momentum and zero dampening");
  }
}

void SGDOptions::list(FieldList& list) {
  list("lr", lr)("momentum", momentum)("dampening", dampening)("weight_decay", weight_decay)("nesterov", nesterov);
  list("maximize", maximize).unused("foreach").unused("differentiable", false);
}

void SGDState::list(FieldList& list) { list.optional("momentum_buffer", momentum_buffer); }

void SGD::step() {
  begin_step();
  for (std::size_t group = 0; group < group_count(); ++group) {
    const SGDOptions& o = param_groups()[group].options;
    kernels::SgdStep step{.lr = o.lr,
                          .momentum = o.momentum,
                          .dampening = o.dampening,
                          .weight_decay = o.weight_decay,
                          .nesterov = o.nesterov,
                          .maximize = o.maximize};
    const bool has_momentum = o.momentum != 0;
    for_each_gradient(group, [&](const Tensor& p, const Tensor& gradient, SGDState& state) {
      Tensor& buffer = state.momentum_buffer;
      step.first = !buffer.defined();
      if (has_momentum) prepare(buffer, p);
      visit_floating(p.dtype(), [&]<class T>(T*) {
        kernels::sgd(elements<T>(p), elements<T>(gradient), elements_if<T>(has_momentum, buffer), p.numel(), step);
      });
      bump_version(p);
    });
  }
}

}  // namespace gradus::optim
