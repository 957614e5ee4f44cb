// The loops of cross-entropy with class numbers, for the processor at hand and on several threads.
#pragma once

#include <cstdint>

namespace gradus::nn::kernels {

using std::int64_t;

/// Logits x (rows, cols) and the class of each row. Rows whose target is `ignored` take no part; every other target
/// must lie in [0, cols): the caller has checked.
template <class T>
struct Classes {
  const T* x;
  const int64_t* target;  // (rows)
  int64_t rows, cols;
  int64_t ignored = -100;
};

/// Sum over the rows of log(sum(exp(x))) - x[target]; `logsumexp` (rows) is what backward needs.
template <class T>
double cross_entropy(const Classes<T>& classes, double* logsumexp);

/// dx = (softmax(x) - onehot(target)) * scale, 0 in ignored rows.
template <class T>
void cross_entropy_backward(T* dx, const Classes<T>& classes, const double* logsumexp, double scale);

}  // namespace gradus::nn::kernels
