// The loops of the optimisers, for the processor at hand and on several threads: one pass over parameter p, gradient g
// and state. Scalars are rounded to the element where they meet an array; the rounding sequence is PyTorch's, fused
// multiply-adds included. The same bits on every instruction set and with any number of threads.
#pragma once

#include <cstdint>

namespace gradus::optim::kernels {

using std::int64_t;

struct SgdStep {
  double lr, momentum = 0, dampening = 0, weight_decay = 0;
  bool nesterov = false, maximize = false;
  bool first = false;  // the momentum buffer has no value yet
};
template <class T>
void sgd(T* p, const T* g, T* momentum_buffer, int64_t n, const SgdStep& step);  // buffer null: no momentum

struct AdamStep {
  double lr, beta1, beta2, eps, weight_decay = 0;
  bool decoupled = false;  // AdamW
  bool maximize = false;
  double correction1 = 1, correction2 = 1;  // 1 - beta^t, in step t counted from 1
};
template <class T>
void adam(T* p, const T* g, T* exp_avg, T* exp_avg_sq, T* max_exp_avg_sq, int64_t n,
          const AdamStep& step);  // maximum null: no amsgrad

struct RmspropStep {
  double lr, alpha, eps, weight_decay = 0, momentum = 0;
  bool maximize = false;
};
template <class T>
void rmsprop(T* p, const T* g, T* square_avg, T* grad_avg, T* momentum_buffer, int64_t n,
             const RmspropStep& step);  // grad_avg null: not centered; buffer null: no momentum

}  // namespace gradus::optim::kernels
