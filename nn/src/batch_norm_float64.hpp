// The BatchNorm kernels for float64: the plain twins of those in kernels/kernels.hpp, sums in long double.
#pragma once

#include "kernels/kernels.hpp"

namespace gradus::kernels {

bool batch_norm(double* y, const double* x, BatchShape shape, const double* weight, const double* bias, double eps,
                double* mean, double* var, double* rstd);
bool batch_norm_running(double* mean, double* var, double* rstd, const double* running_mean, const double* running_var,
                        int64_t c, double eps);
void batch_norm_apply(double* y, const double* x, BatchShape shape, const double* weight, const double* bias,
                      const double* mean, const double* rstd);
void batch_norm_backward(double* dx, double* dweight, double* dbias, const double* dy, const double* x,
                         BatchShape shape, const double* weight, const double* mean, const double* var,
                         const double* rstd);
void batch_norm_apply_backward(double* dx, double* dweight, double* dbias, const double* dy, const double* x,
                               BatchShape shape, const double* weight, const double* mean, const double* var,
                               const double* rstd);

}  // namespace gradus::kernels
