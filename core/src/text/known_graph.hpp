// What a graph still knows of the tensors in it.
#pragma once

#include "autograd/record.hpp"

#include <algorithm>
#include <unordered_map>

namespace gradus::detail {

/// The graph behind a tensor. Its nodes own no outputs, so a tensor is known only when it is a leaf, has a name, was
/// computed under a TraceGuard, or is saved for backward.
class KnownGraph {
 public:
  explicit KnownGraph(const Tensor& y) : root_(node_of(y)) {
    find_nodes();
    find_tensors();
    known_[root_.get()].tensor = y;
  }

  std::span<const Node* const> nodes() const { return nodes_; }  // each after those of its inputs
  std::size_t number(const Node& node) const { return known_.at(&node).number; }
  std::size_t uses(const Node& node) const { return known_.at(&node).uses; }  // as an input
  /// What `node` computed, or its leaf; undefined when it is not known.
  const Tensor& tensor(const Node& node) const { return known_.at(&node).tensor; }
  /// The node that computed a tensor saved by `node`, or that belongs to it as a leaf; null when it is not in this
  /// graph.
  const Node* origin(const Node& node, const Saved& saved) const {
    if (!saved.defined()) return nullptr;
    if (saved.is_result()) {
      const Node* output = const_cast<Node&>(node).output_node(saved.output()).get();
      return known_.contains(output) ? output : nullptr;
    }
    const Node* computed_by = saved.origin() ? saved.origin() : impl_of(saved.tensor())->accumulator;
    return known_.contains(computed_by) ? computed_by : nullptr;
  }

 private:
  struct Known {
    std::size_t number = 0;  // in nodes_
    std::size_t uses = 0;
    Tensor tensor;
  };

  void find_nodes() {
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

  void find_tensors() {
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

  Ref<Node> root_;
  std::vector<const Node*> nodes_;
  std::unordered_map<const Node*, Known> known_;
};

}  // namespace gradus::detail
