// What one product does as well as the step beside it did. Source for norms: Jacob et al. 2018, section 3.2.
#pragma once

#include "frozen/program.hpp"

namespace gradus::nn::frozen {

/// Whether the norm of a row of `row` elements may become part of the product behind it.
bool folds_into(const Norm& norm, const Product& product, std::int64_t row);

void fold(const Norm& norm, Product& product);            ///< norm before product
void fold(Product& product, const Norm& norm);            ///< norm behind product, a channel for each output
void fold(const Transpose& transpose, Product& product);  ///< of the whole row, before product

}  // namespace gradus::nn::frozen
