// The exercise: what backward.cpp computes.
#pragma once

#include "../06_batch_norm_by_hand/by_hand.hpp"

namespace exercise {

using lesson::Derivatives, lesson::Nodes, lesson::Tensor;

/// Fills in d, the derivative of the loss by every node of the forward pass, from dy (N, C), the derivative by y.
/// `node` holds the values of the forward pass, weight is (1, C).
void backward(const Tensor& dy, const Nodes& node, const Tensor& weight, Derivatives& d);

}  // namespace exercise
