// What products of matrices and of batches of matrices share.
#pragma once

#include "tensor/tensor_impl.hpp"

namespace gradus::detail {

/// Throws RuntimeError unless both have one floating dtype.
void check_product_dtypes(const Tensor& a, const Tensor& b, const char* op);

/// matmul where one operand has more than two dimensions; dtypes are checked.
Tensor batch_matmul(const Tensor& a, const Tensor& b);

}  // namespace gradus::detail
