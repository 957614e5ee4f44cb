// BatchNorm of (N, C, L): one channel at a time, N segments of L elements that lie C L apart. That distance is often a
// power of two, which leaves a cache few places for a channel; so the first pass copies it into one piece, if it is
// small enough for that to pay, and the second one reads the copy.
#pragma once

#include "kernels/batch_norm_body.hpp"
#include "kernels/body/sums.hpp"

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
  for (int64_t i = 0; i < shape.n; ++i)
    each_group<Whole>(0, shape.l, [&](int64_t k, auto lanes) GRADUS_INLINED { f(i, k, lanes); });
}

/// Reads one array, copying it into `copy` where there is one.
template <class T>
struct Reader {
  Channel<const T> from;
  T* copy;
  int64_t l;
  template <class Lanes>
  GRADUS_INLINE Doubles operator()(int64_t segment, int64_t position, Lanes lanes) const {
    const T* x = from.data + segment * from.stride + position;
    if (copy) {
      __builtin_prefetch(x + l, 0, 2);  // the next channel
      store(copy + segment * l + position, load(x, lanes), lanes);
    }
    return load_wide(x, lanes);
  }
  /// What to read from now on.
  Channel<const T> again() const { return copy ? Channel<const T>{copy, l} : from; }
};

template <class T, class Lanes>
GRADUS_INLINE Doubles read(Channel<const T> x, int64_t segment, int64_t position, Lanes lanes) {
  return load_wide(x.data + segment * x.stride + position, lanes);
}

template <class Sum>
GRADUS_INLINE Doubles in_every_lane(const Sum& sum) {
  return Doubles(value_of(total_of(sum)));
}

/// From the sums of deviations from `near` and of their squares.
template <class T>
Statistics statistics_about(Doubles near, const BatchNormForward<T>& pass, Channel<const T> x, Doubles count) {
  Sum<T> deviations, squares;
  each_in_channel(pass.shape, [&](int64_t i, int64_t k, auto lanes) GRADUS_INLINED {
    const Doubles d = only(read(x, i, k, lanes) - near, lanes);
    deviations.add(d);
    squares.add(d * d);
  });
  return statistics_about(near, in_every_lane(deviations), in_every_lane(squares), count);
}

inline Statistics statistics_of_channel(const BatchNormForward<float>& pass, const Reader<float>& x, Doubles count) {
  Doubles sum(0), squares(0);
  each_in_channel(pass.shape, [&](int64_t i, int64_t k, auto lanes) GRADUS_INLINED {
    const Doubles v = x(i, k, lanes);
    sum = sum + v;
    squares = multiply_add(v, v, squares);
  });
  const Doubles mean = Doubles(sum_of_lanes(sum)) / count;
  const Doubles var = Doubles(sum_of_lanes(squares)) / count - mean * mean;
  if (well_centered(mean, var)) return {mean, Doubles(0), var};
  return {mean, Doubles(0), statistics_about(mean, pass, x.again(), count).var};
}
inline Statistics statistics_of_channel(const BatchNormForward<double>& pass, const Reader<double>& x, Doubles count) {
  CompensatedSum sum;
  each_in_channel(pass.shape, [&](int64_t i, int64_t k, auto lanes) GRADUS_INLINED { sum.add(x(i, k, lanes)); });
  return statistics_about(in_every_lane(sum) / count, pass, x.again(), count);
}

template <class Whole, class T>
void normalise_channel(const BatchNormForward<T>& pass, Doubles low, int64_t channel, Channel<const T> x) {
  const auto number = [channel](const T* of, double otherwise)
                          GRADUS_INLINED { return Doubles(of ? static_cast<double>(of[channel]) : otherwise); };
  const Affine<T> normalised{Doubles(pass.mean[channel]), low, Doubles(pass.rstd[channel]), number(pass.weight, 1),
                             number(pass.bias, 0)};
  const Channel<T> y = channel_of(pass.y, pass.shape, channel);
  each_in_channel<Whole>(pass.shape, [&](int64_t i, int64_t k, auto lanes) GRADUS_INLINED {
    store_narrow(y.data + i * y.stride + k, normalised(read(x, i, k, lanes)), lanes);
  });
}
template <class T>
void normalise_channel(const BatchNormForward<T>& pass, Doubles low, int64_t channel, Channel<const T> x) {
  return pass.stream ? normalise_channel<StreamOf<T>>(pass, low, channel, x)
                     : normalise_channel<All>(pass, low, channel, x);
}
template <class T>
void normalise_channels(const BatchNormForward<T>& pass, int64_t first, int64_t last) {
  for (int64_t channel = first; channel < last; ++channel) {
    normalise_channel(pass, Doubles(0), channel, channel_of(pass.x, pass.shape, channel));
  }
}

template <class T>
bool batch_norm_channels(const BatchNormForward<T>& pass, int64_t first, int64_t last, T* scratch) {
  const Doubles count(static_cast<double>(pass.shape.n * pass.shape.l));
  bool all_finite = true;
  for (int64_t channel = first; channel < last; ++channel) {
    const Reader<T> x{channel_of(pass.x, pass.shape, channel), scratch, pass.shape.l};
    const Statistics s = statistics_of_channel(pass, x, count);
    all_finite = store_statistics(pass, channel, s.mean, s.var, First{1}) && all_finite;
    normalise_channel(pass, s.low, channel, x.again());
  }
  return all_finite;
}

/// Sums of dy and of dy (x - mean - low), in every lane; `low` is what the mean of doubles lacks.
struct GradientSums {
  Doubles dy, products, low{0.0};
};
template <class T>
Doubles products_about(Doubles mean, Doubles low, const BatchNormBackward<T>& pass, Channel<const T> x,
                       Channel<const T> dy) {
  Sum<T> products;
  each_in_channel(pass.shape, [&](int64_t i, int64_t k, auto lanes) GRADUS_INLINED {
    products.add(read(dy, i, k, lanes) * ((read(x, i, k, lanes) - mean) - low));
  });
  return in_every_lane(products);
}
inline GradientSums gradient_sums(const BatchNormBackward<float>& pass, int64_t channel, const Reader<float>& x,
                                  const Reader<float>& dy) {
  const Doubles mean(pass.mean[channel]), var(pass.var[channel]);
  Doubles sum(0), products(0);
  each_in_channel(pass.shape, [&](int64_t i, int64_t k, auto lanes) GRADUS_INLINED {
    const Doubles g = dy(i, k, lanes);
    sum = add_by_multiplier(g, sum);
    products = multiply_add(g, x(i, k, lanes), products);
  });
  const Doubles dbias(sum_of_lanes(sum));
  if (well_centered(mean, var)) return {dbias, Doubles(sum_of_lanes(products)) - mean * dbias};
  return {dbias, products_about(mean, Doubles(0), pass, x.again(), dy.again())};
}
inline GradientSums gradient_sums(const BatchNormBackward<double>& pass, int64_t channel, const Reader<double>& x,
                                  const Reader<double>& dy) {
  const Doubles mean(pass.mean[channel]), count(static_cast<double>(pass.shape.n * pass.shape.l));
  CompensatedSum sum, deviations;
  each_in_channel(pass.shape, [&](int64_t i, int64_t k, auto lanes) GRADUS_INLINED {
    sum.add(dy(i, k, lanes));
    deviations.add(only(x(i, k, lanes) - mean, lanes));
  });
  const Doubles low = pass.batch_statistics ? in_every_lane(deviations) / count : Doubles(0);
  return {in_every_lane(sum), products_about(mean, low, pass, x.again(), dy.again()), low};
}

template <class Whole, class T>
void input_gradient_channel(const BatchNormBackward<T>& pass, int64_t channel, Doubles scale,
                            const InputGradient<T>& gradient, Channel<const T> x, Channel<const T> dy) {
  const Channel<T> dx = channel_of(pass.dx, pass.shape, channel);
  if (pass.batch_statistics) {
    each_in_channel<Whole>(pass.shape, [&](int64_t i, int64_t k, auto lanes) GRADUS_INLINED {
      store_narrow(dx.data + i * dx.stride + k, gradient(read(dy, i, k, lanes), read(x, i, k, lanes)), lanes);
    });
  } else {
    each_in_channel<Whole>(pass.shape, [&](int64_t i, int64_t k, auto lanes) GRADUS_INLINED {
      store_narrow(dx.data + i * dx.stride + k, read(dy, i, k, lanes) * scale, lanes);
    });
  }
}

template <class T>
void batch_norm_channels_backward(const BatchNormBackward<T>& pass, int64_t first, int64_t last, T* scratch) {
  const int64_t size = pass.shape.n * pass.shape.l;
  const Doubles count(static_cast<double>(size));
  for (int64_t channel = first; channel < last; ++channel) {
    const Reader<T> x{channel_of(pass.x, pass.shape, channel), scratch, pass.shape.l};
    const Reader<T> dy{channel_of(pass.dy, pass.shape, channel), scratch ? scratch + size : nullptr, pass.shape.l};
    const Doubles rstd(pass.rstd[channel]), weight(pass.weight ? static_cast<double>(pass.weight[channel]) : 1);
    const GradientSums sums = gradient_sums(pass, channel, x, dy);
    const Doubles dweight = sums.products * rstd;
    if (pass.dweight) store_narrow(pass.dweight + channel, dweight, First{1});
    if (pass.dbias) store_narrow(pass.dbias + channel, sums.dy, First{1});
    if (!pass.dx) continue;
    const InputGradient<T> gradient{
        weight * rstd, sums.dy / count, dweight / count, Doubles(pass.mean[channel]), sums.low, rstd};
    pass.stream ? input_gradient_channel<StreamOf<T>>(pass, channel, weight * rstd, gradient, x.again(), dy.again())
                : input_gradient_channel<All>(pass, channel, weight * rstd, gradient, x.again(), dy.again());
  }
}

}  // namespace
}  // namespace gradus::body
