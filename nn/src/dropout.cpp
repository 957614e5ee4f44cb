#include "tensor/message.hpp"
#include "tensor/tensor_impl.hpp"

#include <gradus/core/print.hpp>
#include <gradus/nn/dropout.hpp>

namespace gradus::nn {

namespace {

void check_probability(double p) {
  if (p >= 0 && p <= 1) return;
  throw ValueError("dropout probability has to be between 0 and 1, but got " + format_number(p));
}

}  // namespace

Tensor functional::dropout(const Tensor& x, double p, bool training, Generator& generator) {
  detail::check_defined(x);
  check_probability(p);
  detail::throw_if<RuntimeError>(!is_floating(x.dtype()), "result type Float can't be cast to the desired output type ",
                                 detail::type_name(x.dtype()), "\ndropout expects floating x: x.to(float32)");
  if (p == 0 || !training || x.numel() == 0) return x;
  if (p == 1) return x * zeros({}, x.dtype());
  return x * bernoulli_(empty_like(x), 1 - p, generator).div_(1 - p);
}

Dropout::Dropout(double p, Generator& generator) : p_(p), generator_(&generator) { check_probability(p); }

std::string Dropout::extra_repr() const { return "p=" + format_number(p_) + ", inplace=False"; }

}  // namespace gradus::nn
