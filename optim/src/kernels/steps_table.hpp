// The kernels of optim for one instruction set; each runs on the calling thread.
#pragma once

#include "kernels/isa.hpp"
#include "kernels/steps.hpp"

namespace gradus::optim::kernels {

template <class T>
struct Kernels {
  void (*sgd)(T* p, const T* g, T* momentum_buffer, int64_t n, const SgdStep& step);
  void (*adam)(T* p, const T* g, T* exp_avg, T* exp_avg_sq, T* max_exp_avg_sq, int64_t n, const AdamStep& step);
  void (*rmsprop)(T* p, const T* g, T* square_avg, T* grad_avg, T* momentum_buffer, int64_t n, const RmspropStep& step);
};
using Table = gradus::kernels::BothWidths<Kernels>;

}  // namespace gradus::optim::kernels
