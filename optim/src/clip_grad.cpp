#include "common.hpp"
#include "kernels/kernels.hpp"

#include <gradus/optim/clip_grad.hpp>

#include <algorithm>

namespace gradus::optim {

namespace {

double norm_of(const std::vector<Tensor>& gradients, double p) {
  double total = 0;
  for (const Tensor& g : gradients) {
    visit_floating(g.dtype(), [&]<class T>(T*) {
      const T* x = elements<T>(g);
      const std::int64_t n = g.numel();
      if (std::isinf(p)) {
        for (std::int64_t i = 0; i < n && !std::isnan(total); ++i) {
          const double size = std::abs(static_cast<double>(x[i]));
          if (!(size <= total)) total = size;  // NaN wins
        }
      } else if (p == 2) {
        total += gradus::kernels::sum_of_squares(x, n);
      } else {
        for (std::int64_t i = 0; i < n; ++i) total += std::pow(std::abs(static_cast<double>(x[i])), p);
      }
    });
    if (std::isnan(total)) break;
  }
  if (std::isinf(p)) return total;
  return p == 2 ? std::sqrt(total) : std::pow(total, 1 / p);
}

}  // namespace

double clip_grad_norm_(const std::vector<Tensor>& parameters, double max_norm, double norm_type,
                       bool error_if_nonfinite) {
  gradus::detail::check_defined(parameters, "parameters");
  throw_if<ValueError>(!(max_norm >= 0), "clip_grad_norm_: expected max_norm >= 0, got ", PythonFloat{max_norm});
  throw_if<ValueError>(!(norm_type > 0), "clip_grad_norm_: expected norm_type > 0, got ", PythonFloat{norm_type});
  std::vector<Tensor> gradients;
  for (const Tensor& p : parameters) {
    if (Tensor gradient = p.grad(); gradient.defined()) gradients.push_back(std::move(gradient));
  }
  const double norm = norm_of(gradients, norm_type);
  throw_if<RuntimeError>(
      error_if_nonfinite && !std::isfinite(norm), "The total norm of order ", PythonFloat{norm_type},
      " for gradients from `parameters` is non-finite, so it cannot be clipped. To disable this error and "
      "scale the gradients by the non-finite norm anyway, set `error_if_nonfinite=False`");
  const double scale = max_norm / (norm + 1e-6);
  if (scale >= 1) return norm;
  for (const Tensor& g : gradients) {
    visit_floating(g.dtype(), [&]<class T>(T*) {
      const T factor = static_cast<T>(scale);
      T* x = elements<T>(g);
      std::transform(x, x + g.numel(), x, [factor](T v) { return static_cast<T>(v * factor); });
    });
    bump_version(g);
  }
  return norm;
}

}  // namespace gradus::optim
