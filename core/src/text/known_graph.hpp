// What a graph still knows of the tensors in it.
#pragma once

#include "autograd/node.hpp"

#include <unordered_map>

namespace gradus::detail {

/// The graph behind a tensor. Its nodes own no outputs, so a tensor is known only when it is a leaf, has a name, was
/// computed under a TraceGuard, or is saved for backward.
class KnownGraph {
 public:
  explicit KnownGraph(const Tensor& y);

  std::span<const Node* const> nodes() const { return nodes_; }  // each after those of its inputs
  std::size_t number(const Node& node) const { return known_.at(&node).number; }
  std::size_t uses(const Node& node) const { return known_.at(&node).uses; }  // as an input
  /// What `node` computed, or its leaf; undefined when it is not known.
  const Tensor& tensor(const Node& node) const { return known_.at(&node).tensor; }
  /// The node that computed a tensor saved by `node`, or that belongs to it as a leaf; null when it is not in this
  /// graph.
  const Node* origin(const Node& node, const Saved& saved) const;

 private:
  struct Known {
    std::size_t number = 0;  // in nodes_
    std::size_t uses = 0;
    Tensor tensor;
  };
  void find_nodes();
  void find_tensors();

  Ref<Node> root_;
  std::vector<const Node*> nodes_;
  std::unordered_map<const Node*, Known> known_;
};

}  // namespace gradus::detail
