// The kernels of the chosen instruction set, with threads. How the work is cut never depends on the number of threads
// where it could show in the result.
#include "kernels.hpp"

#include "runtime/memory.hpp"
#include "runtime/parallel_for.hpp"
#include "table.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>

namespace gradus::kernels {
namespace {

// Below this many elements a second thread costs more than it brings.
constexpr int64_t kGrain = 1 << 16;

/// f(first, last) over parts of [0, items) of which each costs as much as `elements` elements.
template <class F>
void split(int64_t items, int64_t elements, int64_t unit, F f) {
  detail::parallel_for(0, items, std::max(unit, kGrain / std::max<int64_t>(elements, 1)), f, unit);
}

template <class Kernel, class... X>
void each(Kernel* Table::*kernel, int64_t n, float* y, const X*... x) {
  split(n, 1, 16, [=, f = table().*kernel](int64_t i, int64_t end) { f(y + i, (x + i)..., end - i); });
}
void with_scalar(Table::Scalar* Table::*kernel, int64_t n, float* y, const float* x, float s) {
  split(n, 1, 16, [=, f = table().*kernel](int64_t i, int64_t end) { f(y + i, x + i, s, end - i); });
}
void with_row(Table::Row* Table::*kernel, float* y, const float* a, const float* row, int64_t rows, int64_t cols) {
  split(rows, cols, 1,
        [=, f = table().*kernel](int64_t i, int64_t end) { f(y + i * cols, a + i * cols, row, end - i, cols); });
}

// An exponential costs as much as a dozen additions.
constexpr int64_t kExponential = 12;

template <class Kernel, class... X>
void each_row(Kernel* Table::*kernel, int64_t rows, int64_t cols, float* y, const X*... x) {
  split(rows, cols * kExponential, 16,
        [=, f = table().*kernel](int64_t i, int64_t end) { f(y + i * cols, (x + i * cols)..., end - i, cols); });
}
void each_exponential(Table::Unary* Table::*kernel, int64_t n, float* y, const float* x) {
  split(n, kExponential, 16, [=, f = table().*kernel](int64_t i, int64_t end) { f(y + i, x + i, end - i); });
}

}  // namespace

void add(float* y, const float* a, const float* b, int64_t n) { each(&Table::add, n, y, a, b); }
void sub(float* y, const float* a, const float* b, int64_t n) { each(&Table::sub, n, y, a, b); }
void mul(float* y, const float* a, const float* b, int64_t n) { each(&Table::mul, n, y, a, b); }
void div(float* y, const float* a, const float* b, int64_t n) { each(&Table::div, n, y, a, b); }
void maximum(float* y, const float* a, const float* b, int64_t n) { each(&Table::maximum, n, y, a, b); }
void minimum(float* y, const float* a, const float* b, int64_t n) { each(&Table::minimum, n, y, a, b); }

void add_scalar(float* y, const float* a, float s, int64_t n) { with_scalar(&Table::add_scalar, n, y, a, s); }
void sub_scalar(float* y, const float* a, float s, int64_t n) { with_scalar(&Table::sub_scalar, n, y, a, s); }
void mul_scalar(float* y, const float* a, float s, int64_t n) { with_scalar(&Table::mul_scalar, n, y, a, s); }
void div_scalar(float* y, const float* a, float s, int64_t n) { with_scalar(&Table::div_scalar, n, y, a, s); }
void maximum_scalar(float* y, const float* a, float s, int64_t n) { with_scalar(&Table::maximum_scalar, n, y, a, s); }
void minimum_scalar(float* y, const float* a, float s, int64_t n) { with_scalar(&Table::minimum_scalar, n, y, a, s); }
void scalar_sub(float* y, float s, const float* a, int64_t n) { with_scalar(&Table::scalar_sub, n, y, a, s); }
void scalar_div(float* y, float s, const float* a, int64_t n) { with_scalar(&Table::scalar_div, n, y, a, s); }
void leaky_relu(float* y, const float* x, float slope, int64_t n) { with_scalar(&Table::leaky_relu, n, y, x, slope); }
void axpy(float* y, float alpha, const float* x, int64_t n) { with_scalar(&Table::axpy, n, y, x, alpha); }

void add_row(float* y, const float* a, const float* row, int64_t rows, int64_t cols) {
  with_row(&Table::add_row, y, a, row, rows, cols);
}
void sub_row(float* y, const float* a, const float* row, int64_t rows, int64_t cols) {
  with_row(&Table::sub_row, y, a, row, rows, cols);
}
void mul_row(float* y, const float* a, const float* row, int64_t rows, int64_t cols) {
  with_row(&Table::mul_row, y, a, row, rows, cols);
}
void div_row(float* y, const float* a, const float* row, int64_t rows, int64_t cols) {
  with_row(&Table::div_row, y, a, row, rows, cols);
}

void fill(float* y, float value, int64_t n) {
  split(n, 1, 16, [=, f = table().fill](int64_t i, int64_t end) { f(y + i, value, end - i); });
}
void neg(float* y, const float* x, int64_t n) { each(&Table::neg, n, y, x); }
void abs(float* y, const float* x, int64_t n) { each(&Table::abs, n, y, x); }
void sqrt(float* y, const float* x, int64_t n) { each(&Table::sqrt, n, y, x); }
void rsqrt(float* y, const float* x, int64_t n) { each(&Table::rsqrt, n, y, x); }
void square(float* y, const float* x, int64_t n) { each(&Table::square, n, y, x); }
void relu(float* y, const float* x, int64_t n) { each(&Table::relu, n, y, x); }
void relu_backward(float* dx, const float* dy, const float* y, int64_t n) { each(&Table::relu_backward, n, dx, dy, y); }
void leaky_relu_backward(float* dx, const float* dy, const float* x, float slope, int64_t n) {
  split(n, 1, 16,
        [=, f = table().leaky_relu_backward](int64_t i, int64_t end) { f(dx + i, dy + i, x + i, slope, end - i); });
}
void exp(float* y, const float* x, int64_t n) { each_exponential(&Table::exp, n, y, x); }
void log(float* y, const float* x, int64_t n) { each_exponential(&Table::log, n, y, x); }
void tanh(float* y, const float* x, int64_t n) { each_exponential(&Table::tanh, n, y, x); }
void sigmoid(float* y, const float* x, int64_t n) { each_exponential(&Table::sigmoid, n, y, x); }

double sum(const float* x, int64_t n) {
  if (n <= kGrain) return table().sum(x, n);
  constexpr int64_t most = 256;
  const int64_t length = std::max(kGrain, (n + most - 1) / most), blocks = (n + length - 1) / length;
  double partial[most];
  split(blocks, length, 1, [&](int64_t first, int64_t last) {
    for (int64_t b = first; b < last; ++b) partial[b] = table().sum(x + b * length, std::min(length, n - b * length));
  });
  double total = 0;
  for (int64_t b = 0; b < blocks; ++b) total += partial[b];
  return total;
}
void column_sums(float* y, const float* x, int64_t rows, int64_t cols) {
  split(cols, rows, 16, [=](int64_t first, int64_t last) { table().column_sums(y, x, rows, cols, first, last); });
}

void softmax(float* y, const float* x, int64_t rows, int64_t cols) { each_row(&Table::softmax, rows, cols, y, x); }
void log_softmax(float* y, const float* x, int64_t rows, int64_t cols) {
  each_row(&Table::log_softmax, rows, cols, y, x);
}
void softmax_backward(float* dx, const float* dy, const float* y, int64_t rows, int64_t cols) {
  each_row(&Table::softmax_backward, rows, cols, dx, dy, y);
}
void log_softmax_backward(float* dx, const float* dy, const float* y, int64_t rows, int64_t cols) {
  each_row(&Table::log_softmax_backward, rows, cols, dx, dy, y);
}

double cross_entropy(const float* x, const Classes& classes, double* logsumexp) {
  const int64_t cols = classes.cols;
  split(classes.rows, cols * kExponential, 16,
        [=](int64_t i, int64_t end) { table().log_sum_exp(logsumexp + i, x + i * cols, end - i, cols); });
  double total = 0;
  for (int64_t i = 0; i < classes.rows; ++i) {
    const int64_t target = classes.target[i];
    if (target != classes.ignored) total += logsumexp[i] - static_cast<double>(x[i * cols + target]);
  }
  return total;
}
void cross_entropy_backward(float* dx, const float* x, const Classes& classes, const double* logsumexp, double scale) {
  const int64_t cols = classes.cols;
  split(classes.rows, cols * kExponential, 16, [&](int64_t i, int64_t end) {
    const Classes part{classes.target + i, end - i, cols, classes.ignored};
    table().cross_entropy_backward(dx + i * cols, x + i * cols, part, logsumexp + i, scale);
  });
}

void gemv(float* y, const float* w, const float* x, const float* bias, int64_t rows, int64_t cols) {
  split(rows, cols, 4, [=](int64_t i, int64_t end) {
    table().gemv(y + i, w + i * cols, x, bias ? bias + i : nullptr, end - i, cols);
  });
}

namespace {

/// Whether an output is better written past the caches: it would only push out what is read next.
bool worth_streaming(const float* y, BatchShape shape) {
  constexpr int64_t large = 3 << 20;
  const int64_t row = shape.l == 1 ? shape.c : shape.l;
  return shape.n * shape.c * shape.l > large && row % 16 == 0 && reinterpret_cast<std::uintptr_t>(y) % 64 == 0;
}

/// An element costs as much here as four in a loop that only adds.
template <class F>
void split_channels(BatchShape shape, F f) {
  split(shape.c, shape.n * shape.l * 4, shape.l == 1 ? 16 : 1, f);
}

/// Room for copies of a channel of (N, C, L) in the second-level cache; none when a channel is too large for that, or
/// the whole array so small that it lies there anyway.
class Scratch {
 public:
  Scratch(BatchShape shape, int64_t copies) {
    const int64_t channel = shape.n * shape.l * kFloat * copies;
    if (shape.l == 1 || channel > (512 << 10) || channel * shape.c <= (2 << 20)) return;
    bytes_ = static_cast<std::size_t>(channel);
    data_ = static_cast<float*>(detail::allocate(bytes_));
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch() { detail::deallocate(data_, bytes_); }
  float* data() const { return data_; }

 private:
  static constexpr int64_t kFloat = sizeof(float);
  float* data_ = nullptr;
  std::size_t bytes_ = 0;
};

}  // namespace

bool batch_norm(float* y, const float* x, BatchShape shape, const float* weight, const float* bias, double eps,
                double* mean, double* var, double* rstd) {
  const BatchNormForward pass{y, x, shape, weight, bias, eps, mean, var, rstd, worth_streaming(y, shape)};
  std::atomic<bool> finite{true};
  split_channels(shape, [&](int64_t first, int64_t last) {
    const Scratch scratch(shape, 1);
    BatchNormForward part = pass;
    part.scratch = scratch.data();
    if (!table().batch_norm(part, first, last)) finite = false;
  });
  return finite;
}
bool batch_norm_running(double* mean, double* var, double* rstd, const float* running_mean, const float* running_var,
                        int64_t c, double eps) {
  return table().batch_norm_running(mean, var, rstd, running_mean, running_var, c, eps);
}
void batch_norm_apply(float* y, const float* x, BatchShape shape, const float* weight, const float* bias,
                      const double* mean, const double* rstd) {
  const BatchNormApply pass{y, x, shape, weight, bias, mean, rstd, worth_streaming(y, shape)};
  split_channels(shape, [&](int64_t first, int64_t last) { table().batch_norm_apply(pass, first, last); });
}
namespace {

void run_backward(const BatchNormBackward& pass) {
  split_channels(pass.shape, [&](int64_t first, int64_t last) {
    const Scratch scratch(pass.shape, 2);
    BatchNormBackward part = pass;
    part.scratch = scratch.data();
    table().batch_norm_backward(part, first, last);
  });
}

}  // namespace

void batch_norm_backward(float* dx, float* dweight, float* dbias, const float* dy, const float* x, BatchShape shape,
                         const float* weight, const double* mean, const double* var, const double* rstd) {
  run_backward({dx, dweight, dbias, dy, x, shape, weight, mean, var, rstd, true, worth_streaming(dx, shape)});
}
void batch_norm_apply_backward(float* dx, float* dweight, float* dbias, const float* dy, const float* x,
                               BatchShape shape, const float* weight, const double* mean, const double* var,
                               const double* rstd) {
  run_backward({dx, dweight, dbias, dy, x, shape, weight, mean, var, rstd, false, worth_streaming(dx, shape)});
}

namespace {

template <class T>
T* advance(T* p, int64_t i) {
  return p ? p + i : nullptr;
}

}  // namespace

void sgd(float* p, const float* g, float* momentum_buffer, int64_t n, const SgdStep& step) {
  split(n, 2, 16,
        [&](int64_t i, int64_t end) { table().sgd(p + i, g + i, advance(momentum_buffer, i), end - i, step); });
}
void adam(float* p, const float* g, float* exp_avg, float* exp_avg_sq, float* max_exp_avg_sq, int64_t n,
          const AdamStep& step) {
  split(n, 4, 16, [&](int64_t i, int64_t end) {
    table().adam(p + i, g + i, exp_avg + i, exp_avg_sq + i, advance(max_exp_avg_sq, i), end - i, step);
  });
}
void rmsprop(float* p, const float* g, float* square_avg, float* grad_avg, float* momentum_buffer, int64_t n,
             const RmspropStep& step) {
  split(n, 4, 16, [&](int64_t i, int64_t end) {
    table().rmsprop(p + i, g + i, square_avg + i, advance(grad_avg, i), advance(momentum_buffer, i), end - i, step);
  });
}

}  // namespace gradus::kernels
