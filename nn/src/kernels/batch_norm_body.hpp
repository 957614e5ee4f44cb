// What both layouts of BatchNorm share: from sums over a channel to the numbers that normalise it. Sixteen channels of
// (N, C) lie side by side in the lanes; a channel of (N, C, L) fills all lanes, and its numbers are the same in each.
#pragma once

#include "kernels/lane_sums.hpp"
#include "kernels/nn_table.hpp"

namespace gradus::body {

using nn::kernels::BatchNormBackward;
using nn::kernels::BatchNormForward;
using nn::kernels::BatchShape;

namespace {

/// Of floats, sums of x and x^2 are taken in one pass; the variance is their difference, sum(x^2) / M - mean^2. In
/// double that costs a factor of 1 + mean^2 / var in rounding, harmless up to this limit; beyond it, when the variance
/// is 0, and for doubles always, deviations from the mean are summed in another pass.
constexpr double largest_mean2_over_var = 256;

GRADUS_INLINE bool well_centered(Doubles mean, Doubles var) {
  return all_at_most(mean * mean, Doubles(largest_mean2_over_var) * var);
}

GRADUS_INLINE Doubles reciprocal_std(Doubles var, double eps) {
  const Doubles shifted = var + Doubles(eps);
  return where_greater(shifted, Doubles(0), Doubles(1) / square_root(shifted), Doubles(0));
}

GRADUS_INLINE bool finite(Doubles a) { return all_at_most(magnitude(a), Doubles(__DBL_MAX__)); }

/// A mean in two parts, the second of which is what a double cannot hold, and the variance.
struct Statistics {
  Doubles mean, low, var;
};

/// From the sums of x - near and (x - near)^2 for a number near the mean: what rounding took off `near` is lost neither
/// to the mean nor to the variance (Chan, Golub, LeVeque 1983, equation 1.7).
GRADUS_INLINE Statistics statistics_about(Doubles near, Doubles deviations, Doubles squares, Doubles count) {
  const Doubles shift = deviations / count, mean = near + shift;
  const Doubles spread = squares - deviations * shift;
  return {mean, (near - mean) + shift, where_greater(Doubles(0), spread, Doubles(0), spread) / count};
}

template <class T, class Lanes>
GRADUS_INLINE bool store_statistics(const BatchNormForward<T>& pass, int64_t channel, Doubles mean, Doubles var,
                                    Lanes lanes) {
  store(pass.mean + channel, mean, lanes);
  store(pass.var + channel, var, lanes);
  store(pass.rstd + channel, reciprocal_std(var, pass.eps), lanes);
  return finite(mean) && finite(var);
}

template <class T>
bool batch_norm_running(const BatchNormForward<T>& pass, const T* running_mean, const T* running_var) {
  bool numbers = true;
  each_group(0, pass.shape.c, [&](int64_t j, auto lanes) GRADUS_INLINED {
    const Doubles v = load_wide(running_var + j, lanes), r = Doubles(1) / square_root(v + Doubles(pass.eps));
    store(pass.mean + j, load_wide(running_mean + j, lanes), lanes);
    store(pass.var + j, v, lanes);
    store(pass.rstd + j, r, lanes);
    numbers = numbers && all_at_most(Doubles(0), only(r, lanes));
  });
  return numbers;
}

/// y = (x - mean) rstd weight + bias; of doubles in this order, of floats with rstd weight in one.
template <class T>
struct Affine {
  Doubles mean, low, rstd, weight, bias;
  GRADUS_INLINE Doubles operator()(Doubles x) const { return ((x - mean) - low) * rstd * weight + bias; }
};
template <>
struct Affine<float> {
  Doubles minus_mean, scale, shift;
  GRADUS_INLINE Affine(Doubles mean, Doubles, Doubles rstd, Doubles weight, Doubles bias)
      : minus_mean(Doubles(0) - mean), scale(rstd * weight), shift(bias) {}
  GRADUS_INLINE Doubles operator()(Doubles x) const {
    return add_by_multiplier(add_by_multiplier(x, minus_mean) * scale, shift);
  }
};

/// dx = weight rstd (dy - dbias / M - (x - mean) rstd dweight / M); of floats regrouped as dy a + (x b + c). `low` is
/// what the mean of doubles lacks.
template <class T>
struct InputGradient {
  Doubles scale, mean_dy, mean_dy_xhat, mean, low, rstd;
  GRADUS_INLINE Doubles operator()(Doubles dy, Doubles x) const {
    return scale * (dy - mean_dy - ((x - mean) - low) * rstd * mean_dy_xhat);
  }
};
template <>
struct InputGradient<float> {
  Doubles from_dy, from_x, constant;
  GRADUS_INLINE InputGradient(Doubles scale, Doubles mean_dy, Doubles mean_dy_xhat, Doubles mean, Doubles, Doubles rstd)
      : from_dy(scale), from_x(Doubles(0) - scale * rstd * mean_dy_xhat) {
    constant = Doubles(0) - scale * mean_dy - mean * from_x;
  }
  GRADUS_INLINE Doubles operator()(Doubles dy, Doubles x) const {
    return add_by_multiplier(dy * from_dy, x * from_x + constant);
  }
};

}  // namespace
}  // namespace gradus::body
