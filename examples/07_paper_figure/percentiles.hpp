// The 15th, 50th and 85th percentiles, by which the paper shows a distribution.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

struct Percentiles {
  double p15, p50, p85;
};

/// Between two neighbours in order it interpolates, as numpy.percentile: p is at the position p / 100 (n - 1).
/// `values`, at least one and none of them NaN, are sorted.
inline Percentiles percentiles(std::vector<float>& values) {
  std::sort(values.begin(), values.end());
  const auto at = [&values](double p) {
    const double position = p / 100 * static_cast<double>(values.size() - 1);
    const auto below = static_cast<std::size_t>(position);
    const std::size_t above = std::min(below + 1, values.size() - 1);
    return std::lerp(double{values[below]}, double{values[above]}, position - static_cast<double>(below));
  };
  return {at(15), at(50), at(85)};
}
