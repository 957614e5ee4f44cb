// softmax of rows in long double, for what kernels give.
#pragma once

#include "kernel_support.hpp"

namespace gradus::test {

struct ExactSoftmax {
  std::vector<long double> softmax, log_softmax;
  std::vector<long double> distance;   // of each x from the largest of its row
  std::vector<long double> logsumexp;  // of each row
};

template <class T>
ExactSoftmax exact_softmax(const std::vector<T>& x, std::int64_t rows, std::int64_t cols) {
  ExactSoftmax e;
  for (std::int64_t i = 0; i < rows; ++i) {
    long double top = -INFINITY, total = 0;
    for (std::int64_t j = 0; j < cols; ++j) top = std::max<long double>(top, x[i * cols + j]);
    for (std::int64_t j = 0; j < cols; ++j) total += std::exp(static_cast<long double>(x[i * cols + j]) - top);
    e.logsumexp.push_back(top + std::log(total));
    for (std::int64_t j = 0; j < cols; ++j) {
      e.distance.push_back(top - static_cast<long double>(x[i * cols + j]));
      e.log_softmax.push_back(-e.distance.back() - std::log(total));
      e.softmax.push_back(std::exp(e.log_softmax.back()));
    }
  }
  return e;
}

constexpr std::pair<std::int64_t, std::int64_t> matrix_sizes[] = {{1, 1},   {1, 10}, {3, 2},   {16, 5},  {17, 3},
                                                                  {33, 15}, {3, 16}, {33, 17}, {5, 100}, {2, 1000}};

}  // namespace gradus::test
