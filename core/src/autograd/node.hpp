// The graph. A computed tensor points to the node that computed it, a node to the nodes of its inputs; nothing points
// forwards, so a graph lives as long as its result does.
#pragma once

#include "tensor/tensor_impl.hpp"

#include <gradus/core/autograd.hpp>

#include <array>
#include <type_traits>

namespace gradus::detail {

/// The gradients that a backward function fills in, one per input. Those nobody needs may be left undefined.
class Gradients {
 public:
  Gradients(std::span<Tensor> gradients, std::span<Ref<Node>> inputs) : gradients_(gradients), inputs_(inputs) {}
  bool needs(std::size_t input) const;
  Tensor& operator[](std::size_t input) { return gradients_[input]; }
  std::size_t size() const { return gradients_.size(); }

 private:
  std::span<Tensor> gradients_;
  std::span<Ref<Node>> inputs_;
};

/// A tensor that a node keeps for backward: one of its inputs, or what it computed.
struct SavedTensor {
  Tensor tensor;
  bool is_result;
};

/// While alive, copies of `Saved` made by this thread report here.
class SavedListener {
 public:
  SavedListener() noexcept;
  static SavedListener* current() noexcept;
  std::vector<SavedTensor> heard;

 private:
  Scoped<SavedListener*> scope_;
};

/// One differentiable operation that took place. It owns the nodes of its inputs and what it saved, never its output.
class Node : public Counted {
 public:
  explicit Node(const char* name);
  virtual ~Node();
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  /// dx[i] = (d y / d x_i)^T dy, written with differentiable operations.
  virtual void backward(const Tensor& dy, Gradients& dx) = 0;
  /// Frees what was saved for backward. False when nothing had been saved: the node may then run again.
  virtual bool free_saved() { return false; }
  virtual std::vector<SavedTensor> saved() const { return {}; }
  virtual TensorImpl* leaf() const { return nullptr; }

  const char* name() const { return name_; }
  std::span<Ref<Node>> inputs() const { return inputs_; }
  void release() noexcept;  // never recursive, however long the chain behind it is

  static void* operator new(std::size_t bytes);
  static void operator delete(void* block, std::size_t bytes) noexcept;

  bool freed = false;  // what free_saved() answered
  // Nodes are numbered as they are made, so an input always has a smaller number than what was computed from it.
  const std::uint64_t sequence;
  Ref<Extra> extra;  // of the output

  /// The notes of the backward pass that is under way; a graph belongs to one thread at a time.
  struct PassNotes {
    std::uint64_t visited_by = 0;
    Tensor gradient;
    bool needed = false;
  };
  PassNotes notes;

 protected:
  void set_inputs(std::span<Ref<Node>> inputs) { inputs_ = inputs; }

 private:
  const char* name_;
  std::span<Ref<Node>> inputs_;
  Node* next_dropped_ = nullptr;
};

inline bool Gradients::needs(std::size_t input) const {
  const Node* node = inputs_[input].get();
  return node && node->notes.needed;
}

/// Fills grad() of a leaf; the end of every path.
class AccumulateGrad final : public Node {
 public:
  explicit AccumulateGrad(const Tensor& leaf);
  ~AccumulateGrad() override;
  void backward(const Tensor& dy, Gradients& dx) override;
  TensorImpl* leaf() const override { return impl_of(leaf_); }

 private:
  Tensor leaf_;
};

/// The node whose backward function runs on this thread, or null.
Node* current_node() noexcept;

/// A node made of a function `void(const Tensor& dy, Gradients& dx)` whose captures are what it saves. A function that
/// captures only plain numbers and shapes has nothing to free and may run again at any time.
template <class F, std::size_t N>
class FunctionNode final : public Node {
 public:
  FunctionNode(const char* name, std::array<Ref<Node>, N> inputs, F function)
      : Node(name), edges_(std::move(inputs)), function_(std::move(function)) {
    set_inputs(edges_);
  }
  ~FunctionNode() override {
    if (!freed) function_.~F();
  }
  void backward(const Tensor& dy, Gradients& dx) override { function_(dy, dx); }
  bool free_saved() override {
    if constexpr (!std::is_trivially_copyable_v<F>) function_.~F();
    return !std::is_trivially_copyable_v<F>;
  }
  /// Nobody can look into a function, but a copy of it copies what it captured.
  std::vector<SavedTensor> saved() const override {
    SavedListener listener;
    if (!freed) static_cast<void>(F(function_));
    return std::move(listener.heard);
  }

 private:
  std::array<Ref<Node>, N> edges_;
  union {
    F function_;
  };
};

/// The same with any number of inputs, for functions that save no tensors: there is nothing to free and to show.
template <class F>
class VariadicNode final : public Node {
 public:
  VariadicNode(const char* name, std::vector<Ref<Node>> inputs, F function)
      : Node(name), edges_(std::move(inputs)), function_(std::move(function)) {
    set_inputs(edges_);
  }
  void backward(const Tensor& dy, Gradients& dx) override { function_(dy, dx); }

 private:
  std::vector<Ref<Node>> edges_;
  F function_;
};

}  // namespace gradus::detail
