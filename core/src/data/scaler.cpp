#include "tensor/message.hpp"

#include <gradus/core/autograd.hpp>
#include <gradus/core/create.hpp>
#include <gradus/core/ops.hpp>
#include <gradus/core/table.hpp>

namespace gradus {
namespace {

using detail::message;

void check_matrix(const char* name, const Tensor& x) {
  if (x.dim() == 2 && is_floating(x.dtype())) return;
  throw ValueError(message(name, ": expected rows and columns of floating numbers, got ", x.dtype(), " ", x.shape()));
}

}  // namespace

Scaler Scaler::fit(const Tensor& x) {
  const NoGradGuard no_grad;
  check_matrix("Scaler::fit", x);
  if (x.size(0) == 0) throw ValueError("Scaler::fit: expected at least one row, got none");
  const Tensor exact = x.to(float64);
  if (!isfinite(exact).all().item<bool>()) {
    throw ValueError("Scaler::fit: expected finite numbers, got NaN or infinity\nFill or drop missing values first.");
  }
  Scaler scaler;
  scaler.mean_ = exact.mean(0);
  const Tensor centered = exact - scaler.mean_;
  scaler.deviation_ = (centered * centered).mean(0).sqrt();
  for (double& deviation : scaler.deviation_.data<double>()) deviation = deviation == 0 ? 1 : deviation;
  return scaler;
}

Tensor Scaler::apply(const Tensor& x, bool inverse) const {
  if (!mean_.defined()) throw RuntimeError("Scaler: it was neither fitted nor loaded\nCall Scaler::fit(x) first.");
  check_matrix("Scaler", x);
  if (x.size(1) != mean_.numel()) {
    throw RuntimeError(message("Scaler: expected ", mean_.numel(), " columns as in fit(), got ", x.size(1)));
  }
  const Tensor exact = x.to(float64);
  return (inverse ? exact * deviation_ + mean_ : (exact - mean_) / deviation_).to(x.dtype());
}

Tensor Scaler::transform(const Tensor& x) const { return apply(x, false); }
Tensor Scaler::inverse(const Tensor& z) const { return apply(z, true); }

StateDict Scaler::state_dict() const {
  if (!mean_.defined()) return {};
  return {{"mean", mean_.clone()}, {"deviation", deviation_.clone()}};
}

void Scaler::load_state_dict(const StateDict& state) {
  const Tensor mean = state.at("mean").to(float64), deviation = state.at("deviation").to(float64);
  if (mean.dim() != 1 || mean.shape() != deviation.shape()) {
    throw RuntimeError(message("Scaler: expected mean and deviation of one length, got the shapes ", mean.shape(),
                               " and ", deviation.shape()));
  }
  mean_ = mean.clone();
  deviation_ = deviation.clone();
}

}  // namespace gradus
