#include "text/known_graph.hpp"

#include "autograd/record.hpp"

#include <algorithm>

namespace gradus::detail {

KnownGraph::KnownGraph(const Tensor& y) : root_(node_of(y)) {
  find_nodes();
  find_tensors();
  known_[root_.get()].tensor = y;
}

void KnownGraph::find_nodes() {
  const auto add = [this](const Node* node) {
    if (node && known_.try_emplace(node).second) nodes_.push_back(node);
  };
  add(root_.get());
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    for (const Ref<Node>& input : nodes_[i]->inputs()) {
      add(input.get());
      if (input) ++known_[input.get()].uses;
    }
  }
  std::ranges::sort(nodes_, {}, [](const Node* node) { return node->sequence; });
  for (std::size_t i = 0; i < nodes_.size(); ++i) known_[nodes_[i]].number = i;
}

void KnownGraph::find_tensors() {
  for (const Node* node : nodes_) {
    Known& known = known_[node];
    for (const Saved& saved : node->saved()) {
      if (const Node* computed_by = origin(*node, saved)) known_[computed_by].tensor = saved.tensor();
    }
    if (TensorImpl* leaf = node->leaf()) {
      leaf->retain();
      known.tensor = adopt(leaf);
    }
    if (node->tensor_notes && node->tensor_notes->value.defined()) known.tensor = node->tensor_notes->value;
  }
}

const Node* KnownGraph::origin(const Node& node, const Saved& saved) const {
  if (!saved.defined()) return nullptr;
  if (saved.is_result()) {
    const Node* output = const_cast<Node&>(node).output_node(saved.output()).get();
    return known_.contains(output) ? output : nullptr;
  }
  const Node* computed_by = saved.origin() ? saved.origin() : impl_of(saved.tensor())->accumulator;
  return known_.contains(computed_by) ? computed_by : nullptr;
}

}  // namespace gradus::detail
