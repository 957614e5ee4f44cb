#include "kernels/cross_entropy.hpp"

#include "kernels/nn_table.hpp"
#include "kernels/split.hpp"

namespace gradus::nn::kernels {

using gradus::kernels::exponential;
using gradus::kernels::split;

template <class T>
double cross_entropy(const Classes<T>& classes, double* logsumexp) {
  const int64_t cols = classes.cols;
  split(classes.rows, cols * exponential, 16,
        [&](int64_t first, int64_t last) { chosen<T>().log_sum_exp(logsumexp, classes, first, last); });
  double total = 0;
  for (int64_t i = 0; i < classes.rows; ++i) {
    const int64_t target = classes.target[i];
    if (target != classes.ignored) total += logsumexp[i] - static_cast<double>(classes.x[i * cols + target]);
  }
  return total;
}

template <class T>
void cross_entropy_backward(T* dx, const Classes<T>& classes, const double* logsumexp, double scale) {
  split(classes.rows, classes.cols * exponential, 16, [&](int64_t first, int64_t last) {
    chosen<T>().cross_entropy_backward(dx, classes, logsumexp, scale, first, last);
  });
}

template double cross_entropy(const Classes<float>&, double*);
template double cross_entropy(const Classes<double>&, double*);
template void cross_entropy_backward(float*, const Classes<float>&, const double*, double);
template void cross_entropy_backward(double*, const Classes<double>&, const double*, double);

}  // namespace gradus::nn::kernels
