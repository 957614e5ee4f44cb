#include "common.hpp"
#include "kernels/steps_table.hpp"

#include <gradus/optim/sgd.hpp>

namespace gradus::optim {

void SGDOptions::check() const {
  throw_if<ValueError>(
      lr == required,
      "parameter group didn't specify a value of required optimization parameter lr\nname it: SGD(params, {.lr = "
      "0.1})");
  require_non_negative("learning rate", lr);
  require_non_negative("momentum value", momentum);
  require_non_negative("weight_decay value", weight_decay);
  throw_if<ValueError>(!std::isfinite(dampening), "Invalid dampening value: ", PythonFloat{dampening});
  throw_if<ValueError>(nesterov && (momentum == 0 || dampening != 0),
                       "Nesterov momentum requires a momentum and zero dampening");
}

void SGD::step() {
  update_each([](const SGDOptions& o, const Tensor& p, const Tensor& g, SGDState& state) {
    Tensor& buffer = state.momentum_buffer;
    const kernels::SgdStep step{.lr = o.lr,
                                .momentum = o.momentum,
                                .dampening = o.dampening,
                                .weight_decay = o.weight_decay,
                                .nesterov = o.nesterov,
                                .maximize = o.maximize,
                                .first = !buffer.defined()};
    const bool has_momentum = o.momentum != 0;
    if (has_momentum) prepare(buffer, p);
    visit_floating(p.dtype(), [&]<class T>(T*) {
      step_in_parts(kernels::chosen<&kernels::Kernels<T>::sgd>(), step, p.numel(), 2, elements<T>(p), elements<T>(g),
                    elements_if<T>(has_momentum, buffer));
    });
    bump_version(p);
  });
}

}  // namespace gradus::optim
