// A perceptron whose BatchNorm layers are differentiated by hand.
#pragma once

#include "by_hand.hpp"

#include <gradus/nn/sequential.hpp>

namespace lesson {

/// The layer by hand as a module. It has no running statistics: evaluation, too, normalises by those of x.
class LayerByHand : public gradus::nn::Module {
 public:
  LayerByHand(std::int64_t units, const Mistakes& mistakes);
  void state(gradus::nn::StateList& list) override { list("weight", weight_)("bias", bias_); }
  Tensor forward(const Tensor& x) const override;

 private:
  gradus::nn::Parameter weight_, bias_;  // (1, C)
  Mistakes mistakes_;
};

/// 64 inputs; three hidden layers of 32: Linear without bias, LayerByHand, ReLU; a Linear to 10 classes. Draws its
/// weights from the default generator.
gradus::nn::Sequential small_net(const Mistakes& mistakes);

}  // namespace lesson
