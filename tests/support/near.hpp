// Distances between tensors, for tests.
#pragma once

#include <gradus/core/autograd.hpp>

#include <cmath>

namespace gradus::test {

/// max |a - b| over all elements; NaN against NaN and infinity against itself count as 0, against anything else as
/// infinite.
inline double max_distance(const Tensor& a_, const Tensor& b_) {
  if (a_.shape() != b_.shape()) return INFINITY;
  const NoGradGuard no_grad;
  const Tensor a = a_.to(float64), b = b_.to(float64);
  double worst = 0;
  for (std::size_t i = 0; i < a.data<double>().size(); ++i) {
    const double p = std::as_const(a).data<double>()[i], q = std::as_const(b).data<double>()[i];
    if (p == q || (std::isnan(p) && std::isnan(q))) continue;
    worst = std::isfinite(p - q) ? std::max(worst, std::abs(p - q)) : INFINITY;
  }
  return worst;
}

/// max |a - b| relative to max |b|.
inline double relative_distance(const Tensor& a, const Tensor& b) {
  const double distance = max_distance(a, b);
  if (distance == 0 || a.numel() == 0) return distance;
  const NoGradGuard no_grad;
  const double scale = b.to(float64).abs().max().item<double>();
  return scale > 0 ? distance / scale : distance;
}

}  // namespace gradus::test
