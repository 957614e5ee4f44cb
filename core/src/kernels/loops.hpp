// One function on every element: the loops of kernels.hpp, each of which a program gets only if it names it.
#pragma once

#include "kernels/split.hpp"
#include "kernels/table.hpp"

namespace gradus::kernels {

/// y[i] = f(x[i])
template <Unary f, class T>
void map(T* y, const T* x, int64_t n) {
  const auto kernel = chosen<UnaryPlace<T, f>{}>();
  split(n, f >= Unary::gelu ? exponential : 1, 16, [=](int64_t i, int64_t end) { kernel(y + i, x + i, end - i); });
}

/// y (rows, n) = f(a, b)
template <Binary f, class T>
void zip(T* y, Operand<T> a, Operand<T> b, int64_t rows, int64_t n) {
  constexpr int64_t cost = f >= Binary::softplus_backward ? exponential : 1;
  const auto kernel = chosen<BinaryPlace<T, f>{}>();
  if (rows == 1) {
    split(n, cost, 16, [=](int64_t i, int64_t end) { kernel(y + i, a.advanced(0, i), b.advanced(0, i), 1, end - i); });
  } else {
    split(rows, n * cost, 1,
          [=](int64_t i, int64_t end) { kernel(y + i * n, a.advanced(i, 0), b.advanced(i, 0), end - i, n); });
  }
}

/// map<f> and zip<f> as values: for floats and for doubles, or none.
struct UnaryLoop {
  void (*floats)(float* y, const float* x, int64_t n) = nullptr;
  void (*doubles)(double* y, const double* x, int64_t n) = nullptr;

  explicit operator bool() const { return floats; }
  void operator()(float* y, const float* x, int64_t n) const { floats(y, x, n); }
  void operator()(double* y, const double* x, int64_t n) const { doubles(y, x, n); }
};
struct BinaryLoop {
  using Floats = Operand<float>;
  using Doubles = Operand<double>;
  void (*floats)(float* y, Floats a, Floats b, int64_t rows, int64_t n) = nullptr;
  void (*doubles)(double* y, Doubles a, Doubles b, int64_t rows, int64_t n) = nullptr;

  explicit operator bool() const { return floats; }
  void operator()(float* y, Floats a, Floats b, int64_t rows, int64_t n) const { floats(y, a, b, rows, n); }
  void operator()(double* y, Doubles a, Doubles b, int64_t rows, int64_t n) const { doubles(y, a, b, rows, n); }
};

/// loop<Unary::exp>, loop<Binary::add>
template <auto f>
inline constexpr auto loop = [] {
  if constexpr (std::is_same_v<decltype(f), Unary>) {
    return UnaryLoop{map<f, float>, map<f, double>};
  } else {
    return BinaryLoop{zip<f, float>, zip<f, double>};
  }
}();

}  // namespace gradus::kernels
