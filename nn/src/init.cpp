#include "tensor/message.hpp"
#include "tensor/tensor_impl.hpp"

#include <gradus/core/autograd.hpp>
#include <gradus/nn/init.hpp>

#include <cmath>

// Numbers are computed in the same order of operations as PyTorch's, in double, so that the bounds agree to the last
// bit.
namespace gradus::nn::init {

using gradus::detail::check_defined, gradus::detail::throw_if;

Tensor uniform_(const Tensor& x, double from, double to, Generator& generator) {
  const NoGradGuard no_grad;
  return gradus::uniform_(x, from, to, generator);
}

Tensor normal_(const Tensor& x, double mean, double std, Generator& generator) {
  const NoGradGuard no_grad;
  return gradus::normal_(x, mean, std, generator);
}

Tensor constant_(Tensor x, Scalar value) {
  check_defined(x);
  const NoGradGuard no_grad;
  return x.fill_(value);
}

Tensor zeros_(const Tensor& x) {
  check_defined(x);
  return constant_(x, 0);
}

Tensor ones_(const Tensor& x) {
  check_defined(x);
  return constant_(x, 1);
}

double calculate_gain(Nonlinearity nonlinearity, double negative_slope) {
  switch (nonlinearity) {
    case Nonlinearity::linear:
    case Nonlinearity::sigmoid: return 1;
    case Nonlinearity::tanh: return 5.0 / 3;
    case Nonlinearity::relu: return std::sqrt(2.0);
    case Nonlinearity::leaky_relu: break;
  }
  return std::sqrt(2 / (1 + negative_slope * negative_slope));
}

Fans fans(const Tensor& weight) {
  check_defined(weight);
  throw_if<ValueError>(weight.dim() < 2,
                       "Fan in and fan out can not be computed for tensor with fewer than 2 dimensions");
  std::int64_t rest = 1;
  for (int d = 2; d < weight.dim(); ++d) rest *= weight.size(d);
  return {.in = weight.size(1) * rest, .out = weight.size(0) * rest};
}

namespace {

double xavier_std(const Tensor& x, double gain, const char* op = __builtin_FUNCTION()) {
  check_defined(x, op);
  const auto [in, out] = fans(x);
  return gain * std::sqrt(2 / static_cast<double>(in + out));
}

double kaiming_std(const Tensor& x, double a, FanMode mode, Nonlinearity nonlinearity,
                   const char* op = __builtin_FUNCTION()) {
  check_defined(x, op);
  const auto [in, out] = fans(x);
  return calculate_gain(nonlinearity, a) / std::sqrt(static_cast<double>(mode == FanMode::fan_in ? in : out));
}

/// Uniform with this standard deviation around 0. Without elements the deviation is no number, and nothing is drawn.
Tensor spread_evenly(const Tensor& x, double std, Generator& generator) {
  const double bound = std::sqrt(3.0) * std;
  return x.numel() == 0 ? x : init::uniform_(x, -bound, bound, generator);
}

Tensor spread_normally(const Tensor& x, double std, Generator& generator) {
  return x.numel() == 0 ? x : init::normal_(x, 0, std, generator);
}

}  // namespace

Tensor xavier_uniform_(const Tensor& x, double gain, Generator& generator) {
  return spread_evenly(x, xavier_std(x, gain), generator);
}

Tensor xavier_normal_(const Tensor& x, double gain, Generator& generator) {
  return spread_normally(x, xavier_std(x, gain), generator);
}

Tensor kaiming_uniform_(const Tensor& x, double a, FanMode mode, Nonlinearity nonlinearity, Generator& generator) {
  return spread_evenly(x, kaiming_std(x, a, mode, nonlinearity), generator);
}

Tensor kaiming_normal_(const Tensor& x, double a, FanMode mode, Nonlinearity nonlinearity, Generator& generator) {
  return spread_normally(x, kaiming_std(x, a, mode, nonlinearity), generator);
}

}  // namespace gradus::nn::init
