#include "frozen/fold.hpp"

#include <cmath>

namespace gradus::nn::frozen {

/// Where means are far from 0 for their deviations, x - mean has digits that the sum of the folded product would lose.
bool folds_into(const Norm& norm, const Product& product, std::int64_t row) {
  const std::int64_t channels = static_cast<std::int64_t>(norm.mean.size());
  const bool whole_row = product.rows == 1 && product.inputs == row;
  const bool same_in_every_row = norm.each == 1 && product.stride % channels == 0;
  if (product.groups > 1 || !(whole_row || same_in_every_row)) return false;
  double squares = 0;
  for (std::size_t c = 0; c < norm.mean.size(); ++c) squares += std::pow(norm.mean[c] * norm.scale[c], 2);
  return squares <= static_cast<double>(channels);
}

void fold(const Norm& norm, Product& product) {
  const auto inputs = static_cast<std::size_t>(product.inputs), each = static_cast<std::size_t>(norm.each);
  for (std::size_t o = 0; o < product.bias.size(); ++o) {
    for (std::size_t i = 0; i < inputs; ++i) {
      const std::size_t c = i / each % norm.mean.size();
      double& w = product.weight[o * inputs + i];
      product.bias[o] += w * (norm.shift[c] - norm.mean[c] * norm.scale[c]);
      w *= norm.scale[c];
    }
  }
}

void fold(Product& product, const Norm& norm) {
  const auto inputs = static_cast<std::size_t>(product.inputs);
  for (std::size_t o = 0; o < product.bias.size(); ++o) {
    for (std::size_t i = 0; i < inputs; ++i) product.weight[o * inputs + i] *= norm.scale[o];
    product.bias[o] = (product.bias[o] - norm.mean[o]) * norm.scale[o] + norm.shift[o];
  }
}

void fold(const Transpose& t, Product& product) {
  const std::vector<double> before = product.weight;
  const auto rows = static_cast<std::size_t>(t.rows), columns = static_cast<std::size_t>(t.columns);
  for (std::size_t o = 0; o < product.bias.size(); ++o) {
    const std::size_t first = o * rows * columns;
    for (std::size_t i = 0; i < rows; ++i) {
      for (std::size_t j = 0; j < columns; ++j) {
        product.weight[first + i * columns + j] = before[first + j * rows + i];
      }
    }
  }
}

}  // namespace gradus::nn::frozen
