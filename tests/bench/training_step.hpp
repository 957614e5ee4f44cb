// The nets and training steps that are measured, as a user of gradus would write them.
#pragma once

#include "protocol.hpp"

#include <gradus/gradus.hpp>

#include <memory>

namespace bench {

using namespace gradus;

inline nn::Sequential make_net(const NetSpec& spec) {
  nn::Sequential net;
  for (std::size_t i = 0; i + 2 < spec.sizes.size(); ++i) {
    net.push_back(nn::Linear(spec.sizes[i], spec.sizes[i + 1]));
    net.push_back(nn::BatchNorm1d(spec.sizes[i + 1]));
    net.push_back(nn::ReLU());
  }
  net.push_back(nn::Linear(spec.sizes[spec.sizes.size() - 2], spec.sizes.back()));
  return net;
}

inline std::unique_ptr<optim::Optimizer> make_optimizer(const std::string& name,
                                                        const std::vector<Tensor>& parameters) {
  if (name == "adam") return std::make_unique<optim::Adam>(parameters, optim::AdamOptions{.lr = 1e-3});
  return std::make_unique<optim::SGD>(parameters, optim::SGDOptions{.lr = 0.01, .momentum = 0.9});
}

struct Step {
  Step(const NetSpec& spec, const std::string& optimizer_name)
      : net(make_net(spec)), optimizer(make_optimizer(optimizer_name, net.parameters())) {
    for (std::size_t i = 0; i < batches_in_rotation; ++i) {
      xs.push_back(randn({spec.batch, spec.sizes.front()}));
      ys.push_back(randint(spec.sizes.back(), {spec.batch}));
    }
  }
  void operator()() {
    const Tensor &x = xs[at], &y = ys[at];
    at = (at + 1) % xs.size();
    optimizer->zero_grad();
    nn::functional::cross_entropy(net(x), y).backward();
    optimizer->step();
  }
  nn::Sequential net;
  std::unique_ptr<optim::Optimizer> optimizer;
  std::vector<Tensor> xs, ys;
  std::size_t at = 0;
};

}  // namespace bench
