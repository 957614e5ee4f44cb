#include "batch_norm_float64.hpp"

#include <cmath>

namespace gradus::kernels {
namespace {

/// Calls f(i) for every place of channel c in an array (N, C, L).
template <class F>
void for_channel(BatchShape shape, int64_t c, F f) {
  for (int64_t n = 0; n < shape.n; ++n) {
    const int64_t first = (n * shape.c + c) * shape.l;
    for (int64_t i = first; i < first + shape.l; ++i) f(i);
  }
}

double factor(const double* weight, int64_t c) { return weight ? weight[c] : 1; }

struct Sums {
  long double dy = 0, dy_xhat = 0;
};

Sums sums(const double* dy, const double* x, BatchShape shape, int64_t c, long double mean, double rstd) {
  Sums sum;
  for_channel(shape, c, [&](int64_t i) {
    sum.dy += dy[i];
    sum.dy_xhat += dy[i] * ((x[i] - mean) * rstd);
  });
  return sum;
}

/// The mean of channel c with the digits that were lost when it was rounded to `mean`.
long double center_of(const double* x, BatchShape shape, int64_t c, double mean) {
  long double deviations = 0;
  for_channel(shape, c, [&](int64_t i) { deviations += static_cast<long double>(x[i]) - mean; });
  return mean + deviations / static_cast<long double>(shape.n * shape.l);
}

}  // namespace

bool batch_norm(double* y, const double* x, BatchShape shape, const double* weight, const double* bias, double eps,
                double* mean, double* var, double* rstd) {
  const auto m = static_cast<long double>(shape.n * shape.l);
  bool finite = true;
  for (int64_t c = 0; c < shape.c; ++c) {
    long double sum = 0, squares = 0, deviations = 0;
    for_channel(shape, c, [&](int64_t i) { sum += x[i]; });
    const long double near_mean = sum / m;
    for_channel(shape, c, [&](int64_t i) {
      const long double d = x[i] - near_mean;
      deviations += d;
      squares += d * d;
    });
    // What the first sum lost, and what rounding takes off the mean below, is not lost to the variance and y.
    const long double center = near_mean + deviations / m, spread = squares - deviations * deviations / m;
    mean[c] = static_cast<double>(center);
    var[c] = spread < 0 ? 0 : static_cast<double>(spread / m);
    rstd[c] = var[c] == 0 && eps == 0 ? 0 : 1 / std::sqrt(var[c] + eps);
    finite = finite && std::isfinite(mean[c]) && std::isfinite(var[c]);
    const double scale = factor(weight, c), shift = bias ? bias[c] : 0;
    for_channel(shape, c, [&](int64_t i) { y[i] = static_cast<double>(x[i] - center) * rstd[c] * scale + shift; });
  }
  return finite;
}

bool batch_norm_running(double* mean, double* var, double* rstd, const double* running_mean, const double* running_var,
                        int64_t c, double eps) {
  bool numbers = true;
  for (int64_t i = 0; i < c; ++i) {
    mean[i] = running_mean[i];
    var[i] = running_var[i];
    rstd[i] = 1 / std::sqrt(var[i] + eps);
    numbers = numbers && !std::isnan(rstd[i]);
  }
  return numbers;
}

void batch_norm_apply(double* y, const double* x, BatchShape shape, const double* weight, const double* bias,
                      const double* mean, const double* rstd) {
  for (int64_t c = 0; c < shape.c; ++c) {
    const double scale = factor(weight, c), shift = bias ? bias[c] : 0;
    for_channel(shape, c, [&](int64_t i) { y[i] = (x[i] - mean[c]) * rstd[c] * scale + shift; });
  }
}

void batch_norm_backward(double* dx, double* dweight, double* dbias, const double* dy, const double* x,
                         BatchShape shape, const double* weight, const double* mean, const double* /*var*/,
                         const double* rstd) {
  const auto m = static_cast<double>(shape.n * shape.l);
  for (int64_t c = 0; c < shape.c; ++c) {
    const long double center = center_of(x, shape, c, mean[c]);
    const Sums sum = sums(dy, x, shape, c, center, rstd[c]);
    const auto sum_dy = static_cast<double>(sum.dy), sum_dy_xhat = static_cast<double>(sum.dy_xhat);
    if (dweight) dweight[c] = sum_dy_xhat;
    if (dbias) dbias[c] = sum_dy;
    if (!dx) continue;
    const double scale = factor(weight, c) * rstd[c];
    for_channel(shape, c, [&](int64_t i) {
      const double xhat = static_cast<double>(x[i] - center) * rstd[c];
      dx[i] = scale * (dy[i] - sum_dy / m - xhat * (sum_dy_xhat / m));
    });
  }
}

void batch_norm_apply_backward(double* dx, double* dweight, double* dbias, const double* dy, const double* x,
                               BatchShape shape, const double* weight, const double* mean, const double* /*var*/,
                               const double* rstd) {
  for (int64_t c = 0; c < shape.c; ++c) {
    const Sums sum = sums(dy, x, shape, c, mean[c], rstd[c]);
    if (dweight) dweight[c] = static_cast<double>(sum.dy_xhat);
    if (dbias) dbias[c] = static_cast<double>(sum.dy);
    const double scale = factor(weight, c) * rstd[c];
    if (dx) for_channel(shape, c, [&](int64_t i) { dx[i] = scale * dy[i]; });
  }
}

}  // namespace gradus::kernels
