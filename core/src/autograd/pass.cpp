#include "autograd/pass.hpp"

#include <algorithm>

namespace gradus::detail {

Pass::Pass(std::span<const Ref<Node>> roots) {
  nodes_.swap(spare());
  for (const Ref<Node>& root : roots) visit(root.get());
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    for (const Ref<Node>& input : nodes_[i]->inputs()) visit(input.get());
  }
  // Descending numbers are a topological order: see Node::sequence.
  std::sort(nodes_.begin(), nodes_.end(), [](const Node* a, const Node* b) { return a->sequence > b->sequence; });
}

Pass::~Pass() {
  for (Node* node : nodes_) {
    if (!holds(*node)) continue;
    node->notes.gradient = Tensor();
    node->notes.spread = nullptr;
    node->pass.store(nullptr, std::memory_order_release);
  }
  nodes_.clear();
  nodes_.swap(spare());
}

bool Pass::claim(Node& node) const {
  const Pass* nobody = nullptr;
  if (node.is_leaf()) return node.pass.compare_exchange_strong(nobody, this, std::memory_order_acquire);
  if (node.pass.load(std::memory_order_relaxed)) return false;  // the rest of a graph is one thread's
  node.pass.store(this, std::memory_order_relaxed);
  return true;
}

void Pass::visit(Node* node) {
  if (!node || contains(*node)) return;
  nodes_.push_back(node);
  (claim(*node) ? node->notes : elsewhere_[node]).needed = true;
}

std::vector<Tensor>& Pass::outputs_of(const Node& node) {
  std::vector<Tensor>& gradients = outputs_[&node];
  gradients.resize(node.outputs);
  return gradients;
}

std::vector<Tensor> Pass::take_outputs(const Node& node) {
  if (node.outputs == 1 || !outputs_.contains(&node)) return {};
  return std::move(outputs_.at(&node));
}

std::vector<Node*>& Pass::spare() {
  thread_local std::vector<Node*> nodes;
  return nodes;
}

}  // namespace gradus::detail
