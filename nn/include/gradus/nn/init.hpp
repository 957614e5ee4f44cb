// Initial values of parameters. All write in place, outside the graph, into the tensor behind the handle, and return
// it: `init::kaiming_normal_(layer.weight)`. Random ones draw from the default generator unless they are given one.
#pragma once

#include <gradus/core/random.hpp>

namespace gradus::nn::init {

Tensor uniform_(const Tensor& x, double from = 0, double to = 1, Generator& generator = default_generator());
Tensor normal_(const Tensor& x, double mean = 0, double std = 1, Generator& generator = default_generator());
Tensor constant_(Tensor x, Scalar value);
Tensor zeros_(const Tensor& x);
Tensor ones_(const Tensor& x);

/// The function that follows the layer.
enum class Nonlinearity { linear, sigmoid, tanh, relu, leaky_relu };

/// The factor by which weights grow to make up for a nonlinearity: 1, 1, 5/3, sqrt(2), sqrt(2 / (1 +
/// negative_slope^2)).
double calculate_gain(Nonlinearity nonlinearity, double negative_slope = 0.01);

/// How many inputs an output sums over, and how many outputs an input reaches.
struct Fans {
  std::int64_t in, out;
};
/// Of a weight (out, in, …); further dimensions count for both.
/// Throws ValueError for fewer than two dimensions, as do all below.
Fans fans(const Tensor& weight);

/// Keeps the variance of x the same through layers that are followed by tanh or sigmoid.
/// Uniform in ±gain sqrt(6 / (fan_in + fan_out)). Source: Glorot & Bengio 2010, equation 16.
Tensor xavier_uniform_(const Tensor& x, double gain = 1, Generator& generator = default_generator());
/// Normal with standard deviation gain sqrt(2 / (fan_in + fan_out)). Source: as above, equation 12.
Tensor xavier_normal_(const Tensor& x, double gain = 1, Generator& generator = default_generator());

/// Which variance stays the same through layers: of x on the way forward (fan_in) or of dy on the way back.
enum class FanMode { fan_in, fan_out };

/// Uniform in ±gain sqrt(3 / fan); `a` is the negative slope of leaky_relu. Source: He et al. 2015, equations 10,
/// 14, 15.
Tensor kaiming_uniform_(const Tensor& x, double a = 0, FanMode mode = FanMode::fan_in,
                        Nonlinearity nonlinearity = Nonlinearity::leaky_relu,
                        Generator& generator = default_generator());
/// Normal with standard deviation gain / sqrt(fan).
Tensor kaiming_normal_(const Tensor& x, double a = 0, FanMode mode = FanMode::fan_in,
                       Nonlinearity nonlinearity = Nonlinearity::leaky_relu,
                       Generator& generator = default_generator());

}  // namespace gradus::nn::init
