// The windows that a pooling looks through: element i of the result comes from window i of the last dimension.
#pragma once

#include <gradus/nn/pooling.hpp>

#include <algorithm>

namespace gradus::nn {

struct Window {
  std::int64_t first, last;  // excluded
  double count;
};

struct Windows {
  std::int64_t length, places;
  std::int64_t kernel = 0, stride = 1, padding = 0, dilation = 1;  // kernel 0: adaptive
  bool count_padding = true;

  Window operator[](std::int64_t i) const {
    if (kernel == 0) {
      const std::int64_t first = i * length / places, last = ((i + 1) * length + places - 1) / places;
      return {first, last, static_cast<double>(last - first)};
    }
    const std::int64_t begin = i * stride - padding, left = length + padding - begin;
    const std::int64_t end = begin + std::min(dilation * (kernel - 1) + 1, left);
    const std::int64_t first = begin < 0 ? begin + (-begin + dilation - 1) / dilation * dilation : begin;
    const std::int64_t last = std::min(end, length);
    return {first, last, static_cast<double>(count_padding ? end - begin : last - first)};
  }
};

/// Those of a pooling over `length` elements; not more than 0 `places` when there is no room for one.
template <class Options>
Windows windows_of(std::int64_t length, std::int64_t kernel_size, const Options& options);

}  // namespace gradus::nn
