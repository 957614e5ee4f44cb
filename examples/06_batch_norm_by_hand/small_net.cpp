#include "small_net.hpp"

#include <gradus/core/autograd.hpp>
#include <gradus/nn/functional.hpp>

using namespace gradus;

namespace lesson {

SmallNet::SmallNet(const Mistakes& mistakes) : out_(32, 10, {.dtype = float64}), mistakes_(mistakes) {
  for (const std::int64_t inputs : {64, 32, 32}) {
    blocks_.push_back({nn::Linear(inputs, 32, {.bias = false, .dtype = float64}),
                       ones({1, 32}, float64).requires_grad_(), zeros({1, 32}, float64).requires_grad_()});
  }
}

ByHand SmallNet::layer_of(const Block& block) const {
  return {block.weight.detach(), block.bias.detach(), 1e-5, mistakes_};
}

double SmallNet::gradients(const Tensor& x, const Tensor& target) {
  struct Cut {
    Block& block;
    Tensor before;  // the graph ends here …
    Nodes node;
    Tensor after;  // … and goes on here
  };
  std::vector<Cut> cuts;
  Tensor h = x;
  for (Block& block : blocks_) {
    const Tensor before = linear(h, block.linear.weight, {});
    const Nodes node = layer_of(block).forward(before.detach());
    const Tensor after = node.y.detach().requires_grad_();
    cuts.push_back({block, before, node, after});
    h = relu(after);
  }
  const Tensor loss = nn::functional::cross_entropy(linear(h, out_.weight, out_.bias), target);
  loss.backward();
  for (; !cuts.empty(); cuts.pop_back()) {
    auto& [block, before, node, after] = cuts.back();
    const Derivatives d = layer_of(block).backward(after.grad(), node);
    block.weight.set_grad(d.weight);
    block.bias.set_grad(d.bias);
    before.backward({.gradient = d.x});
  }
  return loss.item();
}

Tensor SmallNet::logits(const Tensor& x) const {
  const NoGradGuard no_grad;
  Tensor h = x;
  for (const Block& block : blocks_) {
    h = relu(layer_of(block).forward(linear(h, block.linear.weight, {})).y);
  }
  return linear(h, out_.weight, out_.bias);
}

std::vector<Tensor> SmallNet::parameters() const {
  std::vector<Tensor> all = out_.parameters();
  for (const Block& block : blocks_) {
    for (const Tensor& p : {Tensor(block.linear.weight), block.weight, block.bias}) all.push_back(p);
  }
  return all;
}

}  // namespace lesson
