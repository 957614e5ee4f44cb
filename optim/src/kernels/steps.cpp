#include "kernels/steps.hpp"

#include "kernels/split.hpp"
#include "kernels/steps_table.hpp"

namespace gradus::optim::kernels {

using gradus::kernels::split;

namespace {

template <class T>
const Kernels<T>& chosen() {
  return gradus::kernels::table<Table>().of<T>();
}

template <class T>
T* advance(T* p, int64_t i) {
  return p ? p + i : nullptr;
}

}  // namespace

template <class T>
void sgd(T* p, const T* g, T* momentum_buffer, int64_t n, const SgdStep& step) {
  split(n, 2, 16,
        [&](int64_t i, int64_t end) { chosen<T>().sgd(p + i, g + i, advance(momentum_buffer, i), end - i, step); });
}
template <class T>
void adam(T* p, const T* g, T* exp_avg, T* exp_avg_sq, T* max_exp_avg_sq, int64_t n, const AdamStep& step) {
  split(n, 4, 16, [&](int64_t i, int64_t end) {
    chosen<T>().adam(p + i, g + i, exp_avg + i, exp_avg_sq + i, advance(max_exp_avg_sq, i), end - i, step);
  });
}
template <class T>
void rmsprop(T* p, const T* g, T* square_avg, T* grad_avg, T* momentum_buffer, int64_t n, const RmspropStep& step) {
  split(n, 4, 16, [&](int64_t i, int64_t end) {
    chosen<T>().rmsprop(p + i, g + i, square_avg + i, advance(grad_avg, i), advance(momentum_buffer, i), end - i, step);
  });
}

template void sgd(float*, const float*, float*, int64_t, const SgdStep&);
template void sgd(double*, const double*, double*, int64_t, const SgdStep&);
template void adam(float*, const float*, float*, float*, float*, int64_t, const AdamStep&);
template void adam(double*, const double*, double*, double*, double*, int64_t, const AdamStep&);
template void rmsprop(float*, const float*, float*, float*, float*, int64_t, const RmspropStep&);
template void rmsprop(double*, const double*, double*, double*, double*, int64_t, const RmspropStep&);

}  // namespace gradus::optim::kernels
