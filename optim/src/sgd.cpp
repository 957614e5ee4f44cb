#include "common.hpp"
#include "kernels/split.hpp"
#include "kernels/steps_table.hpp"

#include <gradus/optim/sgd.hpp>

namespace gradus::optim {

using gradus::kernels::split;

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
      T* const v = elements_if<T>(has_momentum, buffer);
      split(p.numel(), 2, 16, [&](std::int64_t i, std::int64_t end) {
        kernels::chosen<&kernels::Kernels<T>::sgd>()(elements<T>(p) + i, elements<T>(g) + i, advanced(v, i), end - i,
                                                     step);
      });
    });
    bump_version(p);
  });
}

}  // namespace gradus::optim
