// BatchNorm of (N, C, L): one channel at a time, N segments of L elements that lie C L apart.
#pragma once

#include "batch_norm.hpp"

namespace gradus::body {
namespace {

/// f(offset, lanes) for the elements of a channel.
template <class F>
GRADUS_INLINE void each_in_channel(BatchShape shape, int64_t channel, F f) {
  for (int64_t i = 0; i < shape.n; ++i) {
    const int64_t start = (i * shape.c + channel) * shape.l;
    each_group(start, start + shape.l, f);
  }
}

bool channel_statistics(const BatchNormForward& pass, int64_t channel) {
  const Doubles count(static_cast<double>(pass.shape.n * pass.shape.l));
  Doubles sum(0), squares(0);
  each_in_channel(pass.shape, channel, [&](int64_t at, auto lanes) {
    const Doubles v = load_wide(pass.x + at, lanes);
    sum = sum + v;
    squares = add_product(v, v, squares);
  });
  const Doubles mean = Doubles(sum_of_lanes(sum)) / count;
  Doubles var = Doubles(sum_of_lanes(squares)) / count - mean * mean;
  if (!well_centred(mean, var)) {
    squares = Doubles(0);
    each_in_channel(pass.shape, channel, [&](int64_t at, auto lanes) {
      const Doubles d = only(load_wide(pass.x + at, lanes) - mean, lanes);
      squares = squares + d * d;
    });
    var = Doubles(sum_of_lanes(squares)) / count;
  }
  const First one{1};
  store(pass.mean + channel, mean, one);
  store(pass.var + channel, var, one);
  store(pass.rstd + channel, reciprocal_std(var, pass.eps), one);
  return finite(mean) && finite(var);
}

void normalise_channel(const BatchNormApply& pass, int64_t channel) {
  const double scale = pass.rstd[channel];
  const Affine y{Doubles(-pass.mean[channel]), Doubles(pass.weight ? scale * pass.weight[channel] : scale),
                 Doubles(pass.bias ? pass.bias[channel] : 0)};
  each_in_channel(pass.shape, channel,
                  [&](int64_t at, auto lanes) { store_narrow(pass.y + at, y(load_wide(pass.x + at, lanes)), lanes); });
}

bool batch_norm_channels(const BatchNormForward& pass, int64_t first, int64_t last) {
  bool all_finite = true;
  for (int64_t channel = first; channel < last; ++channel) {
    all_finite = channel_statistics(pass, channel) && all_finite;
    normalise_channel(application(pass), channel);
  }
  return all_finite;
}

void batch_norm_channels_backward(const BatchNormBackward& pass, int64_t first, int64_t last) {
  for (int64_t channel = first; channel < last; ++channel) {
    const Doubles mean(pass.mean[channel]), var(pass.var[channel]), rstd(pass.rstd[channel]);
    Doubles sum(0), products(0);
    each_in_channel(pass.shape, channel, [&](int64_t at, auto lanes) {
      const Doubles g = load_wide(pass.dy + at, lanes);
      sum = add_by_multiplier(g, sum);
      products = add_product(g, load_wide(pass.x + at, lanes), products);
    });
    const Doubles dbias(sum_of_lanes(sum));
    Doubles dweight = Doubles(sum_of_lanes(products)) - mean * dbias;
    if (!well_centred(mean, var)) {
      products = Doubles(0);
      each_in_channel(pass.shape, channel, [&](int64_t at, auto lanes) {
        products = products + load_wide(pass.dy + at, lanes) * (load_wide(pass.x + at, lanes) - mean);
      });
      dweight = Doubles(sum_of_lanes(products));
    }
    dweight = dweight * rstd;
    if (pass.dweight) store_narrow(pass.dweight + channel, dweight, First{1});
    if (pass.dbias) store_narrow(pass.dbias + channel, dbias, First{1});
    if (!pass.dx) continue;
    const Doubles weight(pass.weight ? pass.weight[channel] : 1);
    const InputGradient gradient(weight, mean, rstd, dweight, dbias, static_cast<double>(pass.shape.n * pass.shape.l));
    each_in_channel(pass.shape, channel, [&](int64_t at, auto lanes) {
      const Doubles g = load_wide(pass.dy + at, lanes);
      store_narrow(pass.dx + at,
                   pass.batch_statistics ? gradient(g, load_wide(pass.x + at, lanes)) : g * gradient.from_dy, lanes);
    });
  }
}

}  // namespace
}  // namespace gradus::body
