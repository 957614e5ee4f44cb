// The kernels of nn for one instruction set, and what they are handed; each runs on the calling thread, over the range
// it is given.
#pragma once

#include "kernels/isa.hpp"

#include <cstdint>

namespace gradus::nn::kernels {

using std::int64_t;

// --- BatchNorm. x, y, dy, dx are (N, C, L), L = 1 for (N, C); mean, var, rstd (C) in double; weight and bias (C) may
// be null. Statistics and sums of floats are carried in double, those of doubles compensated; every element is computed
// in double and rounded once; x - mean comes before the scale, so that an exact zero stays one.

struct BatchShape {
  int64_t n, c, l = 1;
};

template <class T>
struct BatchNormForward {
  BatchShape shape;
  T* y;
  const T *x, *weight, *bias;
  double *mean, *var, *rstd;
  double eps = 0;
  bool stream = false;    // y is too large to stay in a cache: write past them
  double* low = nullptr;  // (C), of (N, C) in double: what the means of the batch lack
};

template <class T>
struct BatchNormBackward {
  BatchShape shape;
  T *dx, *dweight, *dbias;  // each may be null; dx may be dy
  const T *dy, *x, *weight;
  const double *mean, *var, *rstd;
  bool batch_statistics;  // mean and rstd depend on x: training
  bool stream = false;
  double* sums = nullptr;  // (3, C), of (N, C): what dx needs of a channel
};

// --- LayerNorm. x, y, dy, dx are (rows, cols); mean, low (what a double cannot hold of it) and rstd (rows) in double;
// weight and bias (cols) may be null. Sums and elements are carried as those of BatchNorm.

template <class T>
struct LayerNormForward {
  int64_t cols;
  T* y;
  const T *x, *weight, *bias;
  double *mean, *low, *rstd;
  double eps;
};

template <class T>
struct LayerNormBackward {
  int64_t cols;
  T* dx;                // may be null, and may be dy
  double *sums, *lost;  // dweight and dbias (2, cols), from zeros; null, or with room for as many again
  const T *dy, *x, *weight;
  const double *mean, *low, *rstd;
};

// --- cross-entropy

/// max(x, 0) - x t + log(1 + exp(-|x|)) for p = 1: nothing overflows and nothing cancels, however sure the logit.
template <class T>
using BinaryCrossEntropy = void(T* y, const T* x, const T* t, const T* p, int64_t n);

/// Logits x (rows, cols) and the class of each row. Rows whose target is `ignored` take no part; every other target
/// must lie in [0, cols): the caller has checked.
template <class T>
struct Classes {
  const T* x;
  const int64_t* target;  // (rows)
  int64_t rows, cols;
  int64_t ignored = -100;
};

// --- sums of shifted rows: what a convolution and its two gradients are made of. Products may be fused and sums of
// row_products are cut into as many as a register has lanes, so results differ between processors by their rounding.

/// `count` rows, of which row p begins at data + begin[p]. They may overlap.
template <class T>
struct ShiftedRows {
  const T* data;
  const int64_t* begin;
  int64_t count;
};

/// y[i, l] = bias[i] + sum over p of weight[i, p] x[p, l] with y (rows, length), its rows `y_stride` apart, and weight
/// (rows, x.count). Up to `read_beyond` elements behind a row of x are read, and have no effect; denormal numbers there
/// are slow.
template <class T>
struct WeightedSums {
  T* y;
  int64_t y_stride, rows, length;
  const T *weight, *bias;
  ShiftedRows<T> x;
};
constexpr int64_t read_beyond = 96;

/// dw[i, p] += sum over r, l of dy[i, r, l] x[p, r, l] with dw (rows, x.count), for `runs` runs of `length` elements.
template <class T>
struct RowProducts {
  T* dw;
  int64_t rows;
  const T* dy;
  int64_t dy_row, dy_run;  // elements from one row, one run, to the next
  ShiftedRows<T> x;
  int64_t x_run;
  int64_t runs, length;
};

// --- the table

template <class T>
struct Kernels {
  bool (*batch_norm_running)(const BatchNormForward<T>& pass, const T* running_mean, const T* running_var);
  // Channels [first, last); `first` is a multiple of 16 when L is 1. `scratch` has room for the elements of a channel
  // of (N, C, L), backwards for two such, or is null.
  bool (*batch_norm)(const BatchNormForward<T>& pass, int64_t first, int64_t last, T* scratch);
  void (*batch_norm_apply)(const BatchNormForward<T>& pass, int64_t first, int64_t last);
  void (*batch_norm_backward)(const BatchNormBackward<T>& pass, int64_t first, int64_t last, T* scratch);
  void (*batch_norm_input_gradient)(const BatchNormBackward<T>& pass);  // of (N, C), from the sums
  // Rows [first, last).
  void (*layer_norm)(const LayerNormForward<T>& pass, int64_t first, int64_t last);
  void (*layer_norm_backward)(const LayerNormBackward<T>& pass, int64_t first, int64_t last);
  void (*cross_entropy_backward)(T* dx, const Classes<T>& classes, const double* logsumexp, double scale, int64_t first,
                                 int64_t last);
  BinaryCrossEntropy<T>* binary_cross_entropy;
  void (*weighted_sums)(const WeightedSums<T>& sums);
  void (*row_products)(const RowProducts<T>& products);
};
using Table = gradus::kernels::BothWidths<Kernels>;

using gradus::kernels::chosen;

}  // namespace gradus::nn::kernels
