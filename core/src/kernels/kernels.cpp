// The kernels of the chosen instruction set, with threads.
#include "kernels/kernels.hpp"

#include "kernels/split.hpp"
#include "kernels/table.hpp"
#include "kernels/targets.hpp"

#include <functional>

namespace gradus::kernels {

template <class T>
void convert(OtherWidth<T>* y, const T* x, int64_t n) {
  split(n, 1, 16, [=](int64_t i, int64_t end) { chosen<&Kernels<T>::convert>()(y + i, x + i, end - i); });
}

template <class T>
void clamp(T* y, const T* x, T low, T high, int64_t n) {
  split(n, 1, 16, [=](int64_t i, int64_t end) { chosen<&Kernels<T>::clamp>()(y + i, x + i, low, high, end - i); });
}

template <class T>
void elu(T* y, const T* x, double alpha, int64_t n) {
  split(n, exponential, 16, [=](int64_t i, int64_t end) { chosen<&Kernels<T>::elu>()(y + i, x + i, alpha, end - i); });
}
template <class T>
void elu_backward(T* dx, const T* dy, const T* x, double alpha, int64_t n) {
  split(n, exponential, 16,
        [=](int64_t i, int64_t end) { chosen<&Kernels<T>::elu_backward>()(dx + i, dy + i, x + i, alpha, end - i); });
}

template <class T>
void where(T* y, const bool* which, const T* a, int64_t step_a, const T* b, int64_t step_b, int64_t n) {
  split(n, 1, 16, [=](int64_t i, int64_t end) {
    chosen<&Kernels<T>::where>()(y + i, which + i, a + i * step_a, step_a, b + i * step_b, step_b, end - i);
  });
}

template <class T>
void fill(T* y, T value, int64_t n) {
  split(n, 1, 64, [=](int64_t i, int64_t end) { run_vectorised([=] { std::fill(y + i, y + end, value); }); });
}
template void fill(bool*, bool, int64_t);
template void fill(int64_t*, int64_t, int64_t);
template void fill(float*, float, int64_t);
template void fill(double*, double, int64_t);

template <class T>
void transpose(T* y, int64_t y_stride, const T* x, int64_t x_stride, int64_t rows, int64_t cols) {
  split(cols, rows, 16, [=](int64_t j, int64_t end) {
    chosen<&Kernels<T>::transpose>()(y + j * y_stride, y_stride, x + j, x_stride, rows, end - j);
  });
}

namespace {

/// What f(x, n) gives for blocks of x, on several threads, put together by join(a, b) in their order.
template <class T, class F, class Join>
auto reduced(const T* x, int64_t n, F f, Join join) {
  if (n <= grain) return f(x, n);
  constexpr int64_t most = 256;
  const int64_t length = std::max(grain, (n + most - 1) / most), blocks = (n + length - 1) / length;
  decltype(f(x, n)) partial[most] = {};
  split(blocks, length, 1, [&](int64_t b, int64_t last) {
    for (; b < last; ++b) partial[b] = f(x + b * length, std::min(length, n - b * length));
  });
  for (int64_t b = 1; b < blocks; ++b) partial[0] = join(partial[0], partial[b]);
  return partial[0];
}

Total together(const Total& a, const Total& b) {
  const double next = a.sum + b.sum, seen = next - a.sum;
  return {next, a.lost + ((a.sum - (next - seen)) + (b.sum - seen) + b.lost)};
}

/// The place of an extremum by `kernel`, which takes at least 16 numbers; `beats` compares two of them.
template <class T, class Beats>
int64_t extremum(int64_t (*kernel)(const T*, int64_t), const T* x, int64_t n, Beats beats) {
  const auto place = [=](const T* from, int64_t count) {
    const T* const begin = std::min(from, x + n - 16);
    return begin - x + kernel(begin, std::max<int64_t>(count, 16));
  };
  return reduced(x, n, place, [=](int64_t a, int64_t b) {
    const bool a_is_nan = x[a] != x[a], b_is_nan = x[b] != x[b];
    return !a_is_nan && (b_is_nan || beats(x[b], x[a])) ? b : a;
  });
}

}  // namespace

template <class T>
int64_t argmax(const T* x, int64_t n) {
  return extremum(chosen<&Kernels<T>::argmax>(), x, n, std::greater());
}
template <class T>
int64_t argmin(const T* x, int64_t n) {
  return extremum(chosen<&Kernels<T>::argmin>(), x, n, std::less());
}

template <class T>
Total sum(const T* x, int64_t n, int64_t runs, int64_t apart) {
  const auto kernel = chosen<&Kernels<T>::sum>();
  if (runs != 1) return kernel(x, n, runs, apart);
  return reduced(
      x, n, [kernel](const T* from, int64_t count) { return kernel(from, count, 1, 0); }, together);
}
template <class T>
Deviations deviations(const T* x, int64_t n, double mean) {
  return reduced(
      x, n, [mean](const T* from, int64_t count) { return chosen<&Kernels<T>::deviations>()(from, count, mean); },
      [](const Deviations& a, const Deviations& b) {
        return Deviations{together(a.sum, b.sum), together(a.squares, b.squares)};
      });
}

template <class T>
double product(const T* x, int64_t n) {
  return reduced(x, n, chosen<&Kernels<T>::product>(), [](double a, double b) { return a * b; });
}
template <class T>
double sum_of_squares(const T* x, int64_t n) {
  return reduced(x, n, chosen<&Kernels<T>::sum_of_squares>(), [](double a, double b) { return a + b; });
}

template <class T>
void row_sums(T* y, const T* x, int64_t rows, int64_t cols, double divisor) {
  split(rows, cols, 1,
        [=](int64_t i, int64_t end) { chosen<&Kernels<T>::row_sums>()(y + i, x + i * cols, end - i, cols, divisor); });
}

template <class T>
void column_sums(T* y, const T* x, int64_t rows, int64_t cols, double divisor) {
  split(cols, rows, 16, [=](int64_t first, int64_t last) {
    chosen<&Kernels<T>::column_sums>()(y, x, rows, cols, first, last, divisor);
  });
}

namespace {

template <class T>
void normalise_rows(typename Kernels<T>::Rows* kernel, T* y, const T* x, int64_t rows, int64_t cols) {
  split(rows, cols * exponential, 16, [=](int64_t i, int64_t end) {
    const Scratch<double> scratch(cols);
    kernel(y + i * cols, x + i * cols, end - i, cols, scratch.data());
  });
}
template <class T>
void rows_backward(typename Kernels<T>::RowsBackward* kernel, T* dx, const T* dy, const T* y, int64_t rows,
                   int64_t cols, int64_t cost) {
  split(rows, cols * cost, 16,
        [=](int64_t i, int64_t end) { kernel(dx + i * cols, dy + i * cols, y + i * cols, end - i, cols); });
}

}  // namespace

template <class T>
void softmax(T* y, const T* x, int64_t rows, int64_t cols) {
  normalise_rows<T>(chosen<&Kernels<T>::softmax>(), y, x, rows, cols);
}
template <class T>
void log_softmax(T* y, const T* x, int64_t rows, int64_t cols) {
  normalise_rows<T>(chosen<&Kernels<T>::log_softmax>(), y, x, rows, cols);
}
template <class T>
void log_sum_exp(double* y, const T* x, int64_t rows, int64_t cols) {
  split(rows, cols * exponential, 16,
        [=](int64_t i, int64_t end) { chosen<&Kernels<T>::log_sum_exp>()(y + i, x + i * cols, end - i, cols); });
}
template <class T>
void softmax_backward(T* dx, const T* dy, const T* y, int64_t rows, int64_t cols) {
  rows_backward<T>(chosen<&Kernels<T>::softmax_backward>(), dx, dy, y, rows, cols, 2);
}
template <class T>
void log_softmax_backward(T* dx, const T* dy, const T* y, int64_t rows, int64_t cols) {
  rows_backward<T>(chosen<&Kernels<T>::log_softmax_backward>(), dx, dy, y, rows, cols, exponential);
}

template <class T>
void matmul(const MatrixProduct<T>& product) {
  chosen<&Kernels<T>::matmul>()(product);
}

template <class T>
void gemv(T* y, const T* w, const T* x, const T* bias, int64_t rows, int64_t cols) {
  split(rows, cols, 4, [=](int64_t i, int64_t end) {
    chosen<&Kernels<T>::gemv>()(y + i, w + i * cols, x, bias ? bias + i : nullptr, end - i, cols);
  });
}

#define GRADUS_KERNELS_OF(T)                                                           \
  template void convert(OtherWidth<T>*, const T*, int64_t);                            \
  template void clamp(T*, const T*, T, T, int64_t);                                    \
  template void elu(T*, const T*, double, int64_t);                                    \
  template void elu_backward(T*, const T*, const T*, double, int64_t);                 \
  template void where(T*, const bool*, const T*, int64_t, const T*, int64_t, int64_t); \
  template void transpose(T*, int64_t, const T*, int64_t, int64_t, int64_t);           \
  template int64_t argmax(const T*, int64_t);                                          \
  template int64_t argmin(const T*, int64_t);                                          \
  template Total sum(const T*, int64_t, int64_t, int64_t);                             \
  template Deviations deviations(const T*, int64_t, double);                           \
  template double product(const T*, int64_t);                                          \
  template double sum_of_squares(const T*, int64_t);                                   \
  template void row_sums(T*, const T*, int64_t, int64_t, double);                      \
  template void column_sums(T*, const T*, int64_t, int64_t, double);                   \
  template void softmax(T*, const T*, int64_t, int64_t);                               \
  template void log_softmax(T*, const T*, int64_t, int64_t);                           \
  template void log_sum_exp(double*, const T*, int64_t, int64_t);                      \
  template void softmax_backward(T*, const T*, const T*, int64_t, int64_t);            \
  template void log_softmax_backward(T*, const T*, const T*, int64_t, int64_t);        \
  template void matmul(const MatrixProduct<T>&);                                       \
  template void gemv(T*, const T*, const T*, const T*, int64_t, int64_t);
GRADUS_KERNELS_OF(float)
GRADUS_KERNELS_OF(double)
#undef GRADUS_KERNELS_OF

}  // namespace gradus::kernels
