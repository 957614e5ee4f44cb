#include "tensor/message.hpp"

#include <gradus/nn/init.hpp>
#include <gradus/nn/linear.hpp>

#include <cmath>

namespace gradus::nn {

Linear::Linear(std::int64_t in_features, std::int64_t out_features, const LinearOptions& options, Generator& generator)
    : weight(empty({out_features, in_features}, options.dtype)) {
  if (options.bias) bias = Parameter(zeros({out_features}, options.dtype));
  if (in_features == 0) return;
  init::kaiming_uniform_(weight, std::sqrt(5.0), init::FanMode::fan_in, init::Nonlinearity::leaky_relu, generator);
  const double bound = 1 / std::sqrt(static_cast<double>(in_features));
  if (options.bias) init::uniform_(bias, -bound, bound, generator);
}

Tensor Linear::forward(const Tensor& x) const {
  if (rows_only_ && x.dim() != 2) {  // an undefined x is refused below
    detail::fail<ValueError>("expected 2D input (got ", x.dim(), "D input)\nthis Linear holds the BatchNorm1d ",
                             "behind it, which is possible for x (N, C) alone: use the net as it was for ", x.shape());
  }
  return linear(x, weight, bias);
}

std::string Linear::extra_repr() const {
  return detail::message("in_features=", in_features(), ", out_features=", out_features(),
                         ", bias=", bias.defined() ? "True" : "False");
}

}  // namespace gradus::nn
