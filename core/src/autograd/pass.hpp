// The nodes of one backward pass in order, and what the pass knows of each.
#pragma once

#include "autograd/node.hpp"

#include <unordered_map>

namespace gradus::detail {

/// The nodes behind some outputs, each before those of its inputs. The notes of a node lie in the node itself, unless
/// another pass is using them: one of another thread that reaches the same leaf, or one whose hook started this one.
/// They are cleared at the end, also when that is an exception.
class Pass {
 public:
  explicit Pass(std::span<const Ref<Node>> roots);
  ~Pass();
  Pass(const Pass&) = delete;
  Pass& operator=(const Pass&) = delete;

  static bool active() noexcept { return active_; }  // on this thread
  bool keeps_parts = true;                           // gradients that stand for their expansion
  std::span<Node* const> nodes() const { return nodes_; }
  bool contains(const Node& node) const { return holds(node) || (!elsewhere_.empty() && elsewhere_.contains(&node)); }
  PassNotes& notes(Node& node) { return holds(node) ? node.notes : elsewhere_.at(&node); }

  /// The gradient of one output of a node, so far.
  Tensor& gradient(Node& node, std::size_t output) {
    return output == 0 ? notes(node).gradient : outputs_of(node)[output];
  }
  /// The gradients of all outputs of a node that has several; empty when none of them but the first has come.
  std::vector<Tensor> take_outputs(const Node& node);

 private:
  bool holds(const Node& node) const { return node.pass.load(std::memory_order_relaxed) == this; }
  bool claim(Node& node) const;
  void visit(Node* node);
  std::vector<Tensor>& outputs_of(const Node& node);
  static std::vector<Node*>& spare();  // capacity for the next pass

  inline static thread_local bool active_ = false;
  const Scoped<bool> this_is_active_{active_, true};
  std::vector<Node*> nodes_;
  std::unordered_map<const Node*, PassNotes> elsewhere_;
  std::unordered_map<const Node*, std::vector<Tensor>> outputs_;
};

}  // namespace gradus::detail
