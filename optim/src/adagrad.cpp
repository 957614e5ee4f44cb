#include "common.hpp"

#include <gradus/optim/adagrad.hpp>

namespace gradus::optim {

void AdagradOptions::check() const {
  require_non_negative("learning rate", lr);
  require_non_negative("lr_decay value", lr_decay);
  require_non_negative("weight_decay value", weight_decay);
  require_non_negative("initial_accumulator_value value", initial_accumulator_value);
  require_non_negative("epsilon value", eps);
}

namespace {

/// Scalars are rounded to the elements' type where they meet them, as in PyTorch.
template <class T>
void update(const AdagradOptions& o, double rate, T* p, const T* g, T* sum, std::int64_t n) {
  const T decay = static_cast<T>(o.weight_decay), eps = static_cast<T>(o.eps), minus_rate = static_cast<T>(-rate);
  for (std::int64_t i = 0; i < n; ++i) {
    T d = o.maximize ? -g[i] : g[i];
    if (decay != 0) d = std::fma(decay, p[i], d);
    sum[i] = std::fma(d, d, sum[i]);
    p[i] += minus_rate * d / (std::sqrt(sum[i]) + eps);
  }
}

}  // namespace

void Adagrad::step() {
  update_each([](const AdagradOptions& o, const Tensor& p, const Tensor& g, AdagradState& state) {
    if (!state.sum.defined()) state.sum = full(p.shape(), o.initial_accumulator_value, p.dtype());
    prepare(state.sum, p);
    const double rate = o.lr / (1 + static_cast<double>(state.step++) * o.lr_decay);
    visit_floating(p.dtype(), [&]<class T>(T*) {
      update(o, rate, elements<T>(p), elements<T>(g), elements<T>(state.sum), p.numel());
    });
    bump_version(p);
  });
}

}  // namespace gradus::optim
