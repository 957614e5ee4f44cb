// What both layouts of BatchNorm share: from sums over a channel to the numbers that normalise it. Sixteen channels of
// (N, C) lie side by side in the lanes; a channel of (N, C, L) fills all lanes, and its numbers are the same in each.
#pragma once

#include "../lanes.hpp"

namespace gradus::body {
namespace {

/// Sums of x and x^2 are taken in one pass; the variance is their difference, sum(x^2) / M - mean^2. In double that
/// costs a factor of 1 + mean^2 / var in rounding, harmless up to this limit; beyond it, or when the variance is 0,
/// deviations from the mean are summed in another pass.
constexpr double kLargestMean2OverVar = 256;

GRADUS_INLINE bool well_centered(Doubles mean, Doubles var) {
  return all_at_most(mean * mean, Doubles(kLargestMean2OverVar) * var);
}

GRADUS_INLINE Doubles reciprocal_std(Doubles var, double eps) {
  const Doubles shifted = var + Doubles(eps);
  return where_greater(shifted, Doubles(0), Doubles(1) / square_root(shifted), Doubles(0));
}

GRADUS_INLINE bool finite(Doubles a) { return all_at_most(magnitude(a), Doubles(__DBL_MAX__)); }

bool batch_norm_running(double* mean, double* var, double* rstd, const float* running_mean, const float* running_var,
                        int64_t c, double eps) {
  bool numbers = true;
  each_group(0, c, [&](int64_t j, auto lanes) {
    const Doubles v = load_wide(running_var + j, lanes), r = Doubles(1) / square_root(v + Doubles(eps));
    store(mean + j, load_wide(running_mean + j, lanes), lanes);
    store(var + j, v, lanes);
    store(rstd + j, r, lanes);
    numbers = numbers && all_at_most(Doubles(0), only(r, lanes));
  });
  return numbers;
}

GRADUS_INLINE BatchNormApply application(const BatchNormForward& pass) {
  return {pass.y, pass.x, pass.shape, pass.weight, pass.bias, pass.mean, pass.rstd, pass.stream};
}

/// y = (x - mean) scale + shift
struct Affine {
  Doubles minus_mean, scale, shift;
  GRADUS_INLINE Doubles operator()(Doubles x) const {
    return add_by_multiplier(add_by_multiplier(x, minus_mean) * scale, shift);
  }
};

template <class Lanes>
GRADUS_INLINE Affine affine_of(const BatchNormApply& pass, int64_t channel, Lanes lanes) {
  const Doubles rstd = load(pass.rstd + channel, lanes);
  return {Doubles(0) - load(pass.mean + channel, lanes),
          pass.weight ? rstd * load_wide(pass.weight + channel, lanes) : rstd,
          pass.bias ? load_wide(pass.bias + channel, lanes) : Doubles(0)};
}

/// dx = weight rstd (dy - dbias / M - (x - mean) rstd dweight / M), regrouped as dy from_dy + (x from_x + constant)
struct InputGradient {
  Doubles from_dy, from_x, constant;
  GRADUS_INLINE InputGradient(Doubles dy, Doubles x, Doubles rest) : from_dy(dy), from_x(x), constant(rest) {}
  GRADUS_INLINE InputGradient(Doubles weight, Doubles mean, Doubles rstd, Doubles dweight, Doubles dbias,
                              double count) {
    from_dy = weight * rstd;
    from_x = from_dy * rstd * dweight / Doubles(-count);
    constant = from_dy * dbias / Doubles(-count) - mean * from_x;
  }
  GRADUS_INLINE Doubles operator()(Doubles dy, Doubles x) const {
    return add_by_multiplier(dy * from_dy, x * from_x + constant);
  }
};

}  // namespace
}  // namespace gradus::body
