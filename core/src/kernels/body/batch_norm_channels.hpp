// BatchNorm of (N, C, L): one channel at a time, N segments of L elements that lie C L apart. That distance is often a
// power of two, which leaves a cache few places for a channel; so the first pass copies it into one piece, if it is
// small enough for that to pay, and the second one reads the copy.
#pragma once

#include "batch_norm.hpp"

namespace gradus::body {
namespace {

/// The segments of a channel: where it starts and how far apart they are.
template <class T>
struct Channel {
  T* data;
  int64_t stride;
};
template <class T>
GRADUS_INLINE Channel<T> channel_of(T* x, BatchShape shape, int64_t channel) {
  return {x + channel * shape.l, shape.c * shape.l};
}

/// f(segment, position in it, lanes) for groups of the elements of a channel.
template <class Whole = All, class F>
GRADUS_INLINE void each_in_channel(BatchShape shape, F f) {
  for (int64_t i = 0; i < shape.n; ++i) each_group<Whole>(0, shape.l, [&](int64_t k, auto lanes) { f(i, k, lanes); });
}

/// Reads one array, copying it into `copy` where there is one.
struct Reader {
  Channel<const float> from;
  float* copy;
  int64_t l;
  template <class Lanes>
  GRADUS_INLINE Doubles operator()(int64_t segment, int64_t position, Lanes lanes) const {
    const float* x = from.data + segment * from.stride + position;
    if (copy) {
      __builtin_prefetch(x + l, 0, 2);  // the next channel
      store(copy + segment * l + position, load(x, lanes), lanes);
    }
    return load_wide(x, lanes);
  }
  /// What to read from now on.
  Channel<const float> again() const { return copy ? Channel<const float>{copy, l} : from; }
};

template <class Lanes>
GRADUS_INLINE Doubles read(Channel<const float> x, int64_t segment, int64_t position, Lanes lanes) {
  return load_wide(x.data + segment * x.stride + position, lanes);
}

bool channel_statistics(const BatchNormForward& pass, int64_t channel, const Reader& x) {
  const Doubles count(static_cast<double>(pass.shape.n * pass.shape.l));
  Doubles sum(0), squares(0);
  each_in_channel(pass.shape, [&](int64_t i, int64_t k, auto lanes) {
    const Doubles v = x(i, k, lanes);
    sum = sum + v;
    squares = add_product(v, v, squares);
  });
  const Doubles mean = Doubles(sum_of_lanes(sum)) / count;
  Doubles var = Doubles(sum_of_lanes(squares)) / count - mean * mean;
  if (!well_centered(mean, var)) {
    squares = Doubles(0);
    each_in_channel(pass.shape, [&, again = x.again()](int64_t i, int64_t k, auto lanes) {
      const Doubles d = only(read(again, i, k, lanes) - mean, lanes);
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

template <class Whole>
void normalise_channel(const BatchNormApply& pass, int64_t channel, Channel<const float> x) {
  const double scale = pass.rstd[channel];
  const Affine normalised{Doubles(-pass.mean[channel]), Doubles(pass.weight ? scale * pass.weight[channel] : scale),
                          Doubles(pass.bias ? pass.bias[channel] : 0)};
  const Channel<float> y = channel_of(pass.y, pass.shape, channel);
  each_in_channel<Whole>(pass.shape, [&](int64_t i, int64_t k, auto lanes) {
    store_narrow(y.data + i * y.stride + k, normalised(read(x, i, k, lanes)), lanes);
  });
}
void normalise_channel(const BatchNormApply& pass, int64_t channel, Channel<const float> x) {
  return pass.stream ? normalise_channel<Stream>(pass, channel, x) : normalise_channel<All>(pass, channel, x);
}

bool batch_norm_channels(const BatchNormForward& pass, int64_t first, int64_t last) {
  bool all_finite = true;
  for (int64_t channel = first; channel < last; ++channel) {
    const Reader x{channel_of(pass.x, pass.shape, channel), pass.scratch, pass.shape.l};
    all_finite = channel_statistics(pass, channel, x) && all_finite;
    normalise_channel(application(pass), channel, x.again());
  }
  return all_finite;
}

/// dweight and dbias of a channel, both before they are rounded.
struct ParameterGradient {
  Doubles dweight, dbias;
};
ParameterGradient parameter_gradient(const BatchNormBackward& pass, int64_t channel, const Reader& x,
                                     const Reader& dy) {
  const Doubles mean(pass.mean[channel]), var(pass.var[channel]), rstd(pass.rstd[channel]);
  Doubles sum(0), products(0);
  each_in_channel(pass.shape, [&](int64_t i, int64_t k, auto lanes) {
    const Doubles g = dy(i, k, lanes);
    sum = add_by_multiplier(g, sum);
    products = add_product(g, x(i, k, lanes), products);
  });
  const Doubles dbias(sum_of_lanes(sum));
  Doubles deviations = Doubles(sum_of_lanes(products)) - mean * dbias;
  if (!well_centered(mean, var)) {
    products = Doubles(0);
    each_in_channel(pass.shape, [&, x2 = x.again(), dy2 = dy.again()](int64_t i, int64_t k, auto lanes) {
      products = products + read(dy2, i, k, lanes) * (read(x2, i, k, lanes) - mean);
    });
    deviations = Doubles(sum_of_lanes(products));
  }
  return {deviations * rstd, dbias};
}

template <class Whole>
void input_gradient_channel(const BatchNormBackward& pass, int64_t channel, const InputGradient& gradient,
                            Channel<const float> x, Channel<const float> dy) {
  const Channel<float> dx = channel_of(pass.dx, pass.shape, channel);
  if (pass.batch_statistics) {
    each_in_channel<Whole>(pass.shape, [&](int64_t i, int64_t k, auto lanes) {
      store_narrow(dx.data + i * dx.stride + k, gradient(read(dy, i, k, lanes), read(x, i, k, lanes)), lanes);
    });
  } else {
    each_in_channel<Whole>(pass.shape, [&](int64_t i, int64_t k, auto lanes) {
      store_narrow(dx.data + i * dx.stride + k, read(dy, i, k, lanes) * gradient.from_dy, lanes);
    });
  }
}

void batch_norm_channels_backward(const BatchNormBackward& pass, int64_t first, int64_t last) {
  const int64_t count = pass.shape.n * pass.shape.l;
  for (int64_t channel = first; channel < last; ++channel) {
    const Reader x{channel_of(pass.x, pass.shape, channel), pass.scratch, pass.shape.l};
    const Reader dy{channel_of(pass.dy, pass.shape, channel), pass.scratch ? pass.scratch + count : nullptr,
                    pass.shape.l};
    const auto [dweight, dbias] = parameter_gradient(pass, channel, x, dy);
    if (pass.dweight) store_narrow(pass.dweight + channel, dweight, First{1});
    if (pass.dbias) store_narrow(pass.dbias + channel, dbias, First{1});
    if (!pass.dx) continue;
    const InputGradient gradient(Doubles(pass.weight ? pass.weight[channel] : 1), Doubles(pass.mean[channel]),
                                 Doubles(pass.rstd[channel]), dweight, dbias, static_cast<double>(count));
    pass.stream ? input_gradient_channel<Stream>(pass, channel, gradient, x.again(), dy.again())
                : input_gradient_channel<All>(pass, channel, gradient, x.again(), dy.again());
  }
}

}  // namespace
}  // namespace gradus::body
