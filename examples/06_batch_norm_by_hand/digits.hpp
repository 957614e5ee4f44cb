// Training on the handwritten digits that come with gradus, short and always the same.
#pragma once

#include "images.hpp"

#include <gradus/gradus.hpp>

#include <functional>
#include <vector>

namespace lesson {

using gradus::Tensor;

/// 1437 images for training, 360 for testing: x (N, 64), float64.
ImageSet load_digits();

/// The mean cross-entropy of a batch; adds its gradients to those that the parameters hold.
double loss_with_gradients(const gradus::nn::Module& net, const Tensor& x, const Tensor& y);

/// Ten epochs of SGD in batches of 60; the mean loss of each. `gradients`, by default the above, leaves the gradients
/// of a batch in the parameters and returns its loss.
std::vector<double> train(const gradus::nn::Module& net, const Images& images, double lr = 0.1,
                          const std::function<double(const Tensor& x, const Tensor& y)>& gradients = {});

/// 64 inputs; three hidden layers of 32: Linear, what `normalise` makes, ReLU; a Linear to 10 classes. In float64.
template <class F>
gradus::nn::Sequential small_net(F normalise) {
  gradus::nn::Linear out(32, 10, {.dtype = gradus::float64});
  gradus::nn::Sequential net;
  for (const std::int64_t inputs : {64, 32, 32}) {
    net.push_back(gradus::nn::Linear(inputs, 32, {.bias = false, .dtype = gradus::float64}));
    net.push_back(normalise());
    net.push_back(gradus::nn::ReLU());
  }
  net.push_back(std::move(out));
  return net;
}

/// f(x, weight, bias) as a module, weight and bias (1, C). It has no running statistics: evaluation, too, normalises by
/// those of x.
template <class F>
class OwnBatchNorm : public gradus::nn::Module {
 public:
  OwnBatchNorm(std::int64_t units, F f)
      : weight_(gradus::ones({1, units}, gradus::float64)), bias_(gradus::zeros({1, units}, gradus::float64)), f_(f) {}
  void state(gradus::nn::StateList& list) override { list("weight", weight_)("bias", bias_); }
  Tensor forward(const Tensor& x) const override { return f_(x, weight_, bias_); }

 private:
  gradus::nn::Parameter weight_, bias_;
  F f_;
};

}  // namespace lesson
