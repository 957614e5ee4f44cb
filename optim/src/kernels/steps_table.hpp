// The kernels of optim for one instruction set, and what they are handed; each runs on the calling thread.
#pragma once

#include "kernels/isa.hpp"

#include <cstdint>

namespace gradus::optim::kernels {

using std::int64_t;

struct SgdStep {
  double lr, momentum = 0, dampening = 0, weight_decay = 0;
  bool nesterov = false, maximize = false;
  bool first = false;  // the momentum buffer has no value yet
};

struct AdamStep {
  double lr, beta1, beta2, eps, weight_decay = 0;
  bool decoupled = false;  // AdamW
  bool maximize = false;
  double correction1 = 1, correction2 = 1;  // 1 - beta^t, in step t counted from 1
};

struct RmspropStep {
  double lr, alpha, eps, weight_decay = 0, momentum = 0;
  bool maximize = false;
};

template <class T>
struct Kernels {
  void (*sgd)(T* p, const T* g, T* momentum_buffer, int64_t n, const SgdStep& step);
  void (*adam)(T* p, const T* g, T* exp_avg, T* exp_avg_sq, T* max_exp_avg_sq, int64_t n, const AdamStep& step);
  void (*rmsprop)(T* p, const T* g, T* square_avg, T* grad_avg, T* momentum_buffer, int64_t n, const RmspropStep& step);
};
using Table = gradus::kernels::BothWidths<Kernels>;

using gradus::kernels::chosen;

}  // namespace gradus::optim::kernels
