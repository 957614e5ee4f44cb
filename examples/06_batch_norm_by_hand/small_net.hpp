// A perceptron whose BatchNorm layers are differentiated by hand: around each of them the graph is cut.
#pragma once

#include "by_hand.hpp"

#include <gradus/nn/linear.hpp>

#include <vector>

namespace lesson {

/// 64 inputs; three hidden layers of 32: Linear without bias, BatchNorm by hand, ReLU; a Linear to 10 classes.
class SmallNet {
 public:
  explicit SmallNet(const Mistakes& mistakes);  // draws its weights from the default generator

  /// Leaves the gradients of the mean cross-entropy in the parameters, and returns it.
  double gradients(const Tensor& x, const Tensor& target);
  /// Each layer normalises by the statistics of all of x.
  Tensor logits(const Tensor& x) const;
  std::vector<Tensor> parameters() const;

 private:
  struct Block {
    gradus::nn::Linear linear;
    Tensor weight, bias;  // (1, C), of BatchNorm
  };
  ByHand layer_of(const Block& block) const;

  std::vector<Block> blocks_;
  gradus::nn::Linear out_;
  Mistakes mistakes_;
};

}  // namespace lesson
