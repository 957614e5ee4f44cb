#include "kernels.hpp"

#include <cmath>

namespace gradus::kernels {
namespace {

template <class F, class... P>
void map(float* y, int64_t n, F f, const P*... x) {
  for (int64_t i = 0; i < n; ++i) y[i] = f(x[i]...);
}
template <class F>
void map_row(float* y, const float* a, const float* row, int64_t rows, int64_t cols, F f) {
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = 0; j < cols; ++j) y[i * cols + j] = f(a[i * cols + j], row[j]);
}
float larger(float a, float b) { return a > b || a != a ? a : b; }
float smaller(float a, float b) { return a < b || a != a ? a : b; }

}  // namespace

#define GRADUS_BINARY(name, expression)                                                                   \
  void name(float* y, const float* a, const float* b, int64_t n) {                                        \
    map(y, n, [](float u, float v) { return expression; }, a, b);                                         \
  }                                                                                                       \
  void name##_scalar(float* y, const float* a, float s, int64_t n) {                                      \
    map(y, n, [v = s](float u) { return expression; }, a);                                                \
  }
GRADUS_BINARY(add, u + v)
GRADUS_BINARY(sub, u - v)
GRADUS_BINARY(mul, u* v)
GRADUS_BINARY(div, u / v)
GRADUS_BINARY(maximum, larger(u, v))
GRADUS_BINARY(minimum, smaller(u, v))
#undef GRADUS_BINARY
void scalar_sub(float* y, float s, const float* a, int64_t n) {
  map(y, n, [s](float u) { return s - u; }, a);
}
void scalar_div(float* y, float s, const float* a, int64_t n) {
  map(y, n, [s](float u) { return s / u; }, a);
}
void add_row(float* y, const float* a, const float* row, int64_t rows, int64_t cols) {
  map_row(y, a, row, rows, cols, [](float u, float v) { return u + v; });
}
void sub_row(float* y, const float* a, const float* row, int64_t rows, int64_t cols) {
  map_row(y, a, row, rows, cols, [](float u, float v) { return u - v; });
}
void mul_row(float* y, const float* a, const float* row, int64_t rows, int64_t cols) {
  map_row(y, a, row, rows, cols, [](float u, float v) { return u * v; });
}
void div_row(float* y, const float* a, const float* row, int64_t rows, int64_t cols) {
  map_row(y, a, row, rows, cols, [](float u, float v) { return u / v; });
}
void axpy(float* y, float alpha, const float* x, int64_t n) {
  map(y, n, [alpha](float u, float v) { return u + alpha * v; }, y, x);
}
void fill(float* y, float value, int64_t n) {
  for (int64_t i = 0; i < n; ++i) y[i] = value;
}
void neg(float* y, const float* x, int64_t n) {
  map(y, n, [](float v) { return -v; }, x);
}
void abs(float* y, const float* x, int64_t n) {
  map(y, n, [](float v) { return std::fabs(v); }, x);
}
void sqrt(float* y, const float* x, int64_t n) {
  map(y, n, [](float v) { return std::sqrt(v); }, x);
}
void rsqrt(float* y, const float* x, int64_t n) {
  map(y, n, [](float v) { return 1.0f / std::sqrt(v); }, x);
}
void square(float* y, const float* x, int64_t n) {
  map(y, n, [](float v) { return v * v; }, x);
}
void relu(float* y, const float* x, int64_t n) {
  map(y, n, [](float v) { return v <= 0 ? 0.0f : v; }, x);
}
void leaky_relu(float* y, const float* x, float slope, int64_t n) {
  map(y, n, [slope](float v) { return v > 0 ? v : v * slope; }, x);
}
void relu_backward(float* dx, const float* dy, const float* y, int64_t n) {
  map(dx, n, [](float g, float v) { return v > 0 ? g : 0.0f; }, dy, y);
}
void leaky_relu_backward(float* dx, const float* dy, const float* x, float slope, int64_t n) {
  map(dx, n, [slope](float g, float v) { return v > 0 ? g : g * slope; }, dy, x);
}
void exp(float* y, const float* x, int64_t n) {
  map(y, n, [](float v) { return static_cast<float>(std::exp(double(v))); }, x);
}
void log(float* y, const float* x, int64_t n) {
  map(y, n, [](float v) { return static_cast<float>(std::log(double(v))); }, x);
}
void tanh(float* y, const float* x, int64_t n) {
  map(y, n, [](float v) { return static_cast<float>(std::tanh(double(v))); }, x);
}
void sigmoid(float* y, const float* x, int64_t n) {
  map(y, n, [](float v) { return static_cast<float>(1 / (1 + std::exp(-double(v)))); }, x);
}

double sum(const float* x, int64_t n) {
  double total = 0;
  for (int64_t i = 0; i < n; ++i) total += x[i];
  return total;
}
void column_sums(float* y, const float* x, int64_t rows, int64_t cols) {
  for (int64_t j = 0; j < cols; ++j) {
    double total = 0;
    for (int64_t i = 0; i < rows; ++i) total += x[i * cols + j];
    y[j] = static_cast<float>(total);
  }
}

namespace {
double log_sum_exp(const float* x, int64_t n) {
  float top = x[0];
  for (int64_t j = 1; j < n; ++j) top = larger(x[j], top);
  if (std::isinf(top)) return top;
  double total = 0;
  for (int64_t j = 0; j < n; ++j) total += std::exp(double(x[j]) - top);
  return top + std::log(total);
}
}  // namespace

void softmax(float* y, const float* x, int64_t rows, int64_t cols) {
  for (int64_t i = 0; i < rows; ++i, x += cols, y += cols) {
    const double lse = log_sum_exp(x, cols);
    map(y, cols, [lse](float v) { return static_cast<float>(std::exp(v - lse)); }, x);
  }
}
void log_softmax(float* y, const float* x, int64_t rows, int64_t cols) {
  for (int64_t i = 0; i < rows; ++i, x += cols, y += cols) {
    const double lse = log_sum_exp(x, cols);
    map(y, cols, [lse](float v) { return static_cast<float>(v - lse); }, x);
  }
}
void softmax_backward(float* dx, const float* dy, const float* y, int64_t rows, int64_t cols) {
  for (int64_t i = 0; i < rows; ++i, dx += cols, dy += cols, y += cols) {
    double dot = 0;
    for (int64_t j = 0; j < cols; ++j) dot += double(dy[j]) * y[j];
    map(dx, cols, [dot](float g, float p) { return static_cast<float>((g - dot) * p); }, dy, y);
  }
}
void log_softmax_backward(float* dx, const float* dy, const float* y, int64_t rows, int64_t cols) {
  for (int64_t i = 0; i < rows; ++i, dx += cols, dy += cols, y += cols) {
    const double total = sum(dy, cols);
    map(dx, cols, [total](float g, float v) { return static_cast<float>(g - std::exp(double(v)) * total); }, dy, y);
  }
}
double cross_entropy(const float* x, const Classes& classes, double* logsumexp) {
  double total = 0;
  for (int64_t i = 0; i < classes.rows; ++i, x += classes.cols) {
    logsumexp[i] = log_sum_exp(x, classes.cols);
    if (classes.target[i] != classes.ignored) total += logsumexp[i] - x[classes.target[i]];
  }
  return total;
}
void cross_entropy_backward(float* dx, const float* x, const Classes& classes, const double* logsumexp, double scale) {
  for (int64_t i = 0; i < classes.rows; ++i, x += classes.cols, dx += classes.cols) {
    for (int64_t j = 0; j < classes.cols; ++j) {
      const double p = std::exp(x[j] - logsumexp[i]) - (j == classes.target[i] ? 1 : 0);
      dx[j] = classes.target[i] == classes.ignored ? 0.0f : static_cast<float>(p * scale);
    }
  }
}
void gemv(float* y, const float* w, const float* x, const float* bias, int64_t rows, int64_t cols) {
  for (int64_t i = 0; i < rows; ++i, w += cols) {
    float dot = 0;
    for (int64_t j = 0; j < cols; ++j) dot += w[j] * x[j];
    y[i] = bias ? dot + bias[i] : dot;
  }
}

namespace {
template <class F>
void each_of_channel(BatchShape s, int64_t channel, F f) {
  for (int64_t i = 0; i < s.n; ++i)
    for (int64_t k = 0; k < s.l; ++k) f((i * s.c + channel) * s.l + k);
}
}  // namespace

bool batch_norm(float* y, const float* x, BatchShape shape, const float* weight, const float* bias, double eps,
                double* mean, double* var, double* rstd) {
  const double count = double(shape.n * shape.l);
  bool finite = true;
  for (int64_t c = 0; c < shape.c; ++c) {
    double s = 0, q = 0;
    each_of_channel(shape, c, [&](int64_t at) { s += x[at]; });
    mean[c] = s / count;
    each_of_channel(shape, c, [&](int64_t at) { q += (x[at] - mean[c]) * (x[at] - mean[c]); });
    var[c] = q / count;
    rstd[c] = var[c] + eps == 0 ? 0 : 1 / std::sqrt(var[c] + eps);
    finite = finite && std::isfinite(var[c]);
  }
  if (finite) batch_norm_apply(y, x, shape, weight, bias, mean, rstd);
  return finite;
}
void batch_norm_apply(float* y, const float* x, BatchShape shape, const float* weight, const float* bias,
                      const double* mean, const double* rstd) {
  for (int64_t c = 0; c < shape.c; ++c) {
    const double scale = rstd[c] * (weight ? weight[c] : 1.0f), shift = bias ? bias[c] : 0.0f;
    each_of_channel(shape, c, [&](int64_t at) { y[at] = static_cast<float>((x[at] - mean[c]) * scale + shift); });
  }
}
namespace {
void backward(float* dx, float* dweight, float* dbias, const float* dy, const float* x, BatchShape shape,
              const float* weight, const double* mean, const double* rstd, bool batch_statistics) {
  const double count = double(shape.n * shape.l);
  for (int64_t c = 0; c < shape.c; ++c) {
    double s = 0, p = 0;
    each_of_channel(shape, c, [&](int64_t at) {
      s += dy[at];
      p += dy[at] * ((x[at] - mean[c]) * rstd[c]);
    });
    if (dbias) dbias[c] = static_cast<float>(s);
    if (dweight) dweight[c] = static_cast<float>(p);
    if (!dx) continue;
    const double scale = rstd[c] * (weight ? weight[c] : 1.0f);
    const double a = batch_statistics ? s / count : 0, b = batch_statistics ? p / count * rstd[c] : 0;
    each_of_channel(shape, c, [&](int64_t at) {
      dx[at] = static_cast<float>(scale * (dy[at] - a - (x[at] - mean[c]) * b));
    });
  }
}
}  // namespace
void batch_norm_backward(float* dx, float* dweight, float* dbias, const float* dy, const float* x, BatchShape shape,
                         const float* weight, const double* mean, const double* rstd) {
  backward(dx, dweight, dbias, dy, x, shape, weight, mean, rstd, true);
}
void batch_norm_apply_backward(float* dx, float* dweight, float* dbias, const float* dy, const float* x,
                               BatchShape shape, const float* weight, const double* mean, const double* rstd) {
  backward(dx, dweight, dbias, dy, x, shape, weight, mean, rstd, false);
}

void sgd(float* p, const float* g, float* momentum_buffer, int64_t n, const SgdStep& step) {
  const float lr = static_cast<float>(-step.lr), mu = static_cast<float>(step.momentum);
  const float undamped = static_cast<float>(1 - step.dampening), decay = static_cast<float>(step.weight_decay);
  for (int64_t i = 0; i < n; ++i) {
    float d = step.maximize ? -g[i] : g[i];
    if (step.weight_decay != 0) d = std::fma(decay, p[i], d);
    if (momentum_buffer) {
      float& b = momentum_buffer[i];
      b = step.first ? d : std::fma(undamped, d, mu * b);
      d = step.nesterov ? std::fma(mu, b, d) : b;
    }
    p[i] = std::fma(lr, d, p[i]);
  }
}
void adam(float* p, const float* g, float* exp_avg, float* exp_avg_sq, float* max_exp_avg_sq, int64_t n,
          const AdamStep& step) {
  const double t = double(step.step), c1 = 1 - std::pow(step.beta1, t), c2 = 1 - std::pow(step.beta2, t);
  const float root = static_cast<float>(std::sqrt(c2)), rate = static_cast<float>(-(step.lr / c1));
  const float b1 = static_cast<float>(step.beta1), b2 = static_cast<float>(step.beta2);
  const float a1 = static_cast<float>(1 - step.beta1), a2 = static_cast<float>(1 - step.beta2);
  const float eps = static_cast<float>(step.eps), decay = static_cast<float>(step.weight_decay);
  const float shrink = static_cast<float>(1 - step.lr * step.weight_decay);
  for (int64_t i = 0; i < n; ++i) {
    float d = step.maximize ? -g[i] : g[i];
    if (step.weight_decay != 0) {
      if (step.decoupled) p[i] *= shrink;
      else d = std::fma(decay, p[i], d);
    }
    exp_avg[i] = std::fma(a1, d, b1 * exp_avg[i]);
    exp_avg_sq[i] = std::fma(a2 * d, d, b2 * exp_avg_sq[i]);
    float s = exp_avg_sq[i];
    if (max_exp_avg_sq) s = max_exp_avg_sq[i] = larger(max_exp_avg_sq[i], s);
    p[i] += rate * exp_avg[i] / (std::sqrt(s) / root + eps);
  }
}
void rmsprop(float* p, const float* g, float* square_avg, float* grad_avg, float* momentum_buffer, int64_t n,
             const RmspropStep& step) {
  const float alpha = static_cast<float>(step.alpha), beta = static_cast<float>(1 - step.alpha);
  const float lr = static_cast<float>(-step.lr), eps = static_cast<float>(step.eps);
  const float decay = static_cast<float>(step.weight_decay), mu = static_cast<float>(step.momentum);
  for (int64_t i = 0; i < n; ++i) {
    float d = step.maximize ? -g[i] : g[i];
    if (step.weight_decay != 0) d = std::fma(decay, p[i], d);
    square_avg[i] = std::fma(beta * d, d, alpha * square_avg[i]);
    float s = square_avg[i];
    if (grad_avg) {
      grad_avg[i] = std::fma(beta, d, alpha * grad_avg[i]);
      s = std::fma(-grad_avg[i], grad_avg[i], s);
    }
    const float root = std::sqrt(s) + eps;
    if (momentum_buffer) {
      momentum_buffer[i] = mu * momentum_buffer[i] + d / root;
      p[i] = std::fma(lr, momentum_buffer[i], p[i]);
    } else {
      p[i] += lr * d / root;
    }
  }
}

}  // namespace gradus::kernels
