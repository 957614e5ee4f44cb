// The graph. A computed tensor points to the node that computed it, a node to the nodes of its inputs; nothing points
// forwards, so a graph lives as long as its result does.
#pragma once

#include "runtime/memory.hpp"
#include "tensor/tensor_impl.hpp"

#include <gradus/core/autograd.hpp>

#include <array>
#include <new>
#include <type_traits>

namespace gradus::detail {

/// A tensor that a node keeps. It holds the elements, never the node of its own result, and knows the version of the
/// storage, so that a write in the meantime is found.
class Saved {
 public:
  Saved() = default;
  explicit Saved(const Tensor& input);
  /// An output of the node itself: kept without its place in the graph.
  static Saved result(const Tensor& y, std::size_t output = 0);
  static Saved by_product(Tensor&& x) noexcept;  // which nobody else can reach

  bool defined() const { return tensor_.defined(); }
  bool is_result() const { return result_ >= 0; }
  std::size_t output() const { return static_cast<std::size_t>(result_); }  // of a result
  const Tensor& tensor() const { return tensor_; }                          // outside the graph, but for a leaf
  const Node* origin() const { return origin_.get(); }
  const char* name() const { return name_; }  // for pictures, if it has no other; perhaps empty
  void set_name(const char* name) { name_ = name; }

  /// The tensor for the backward function of `node`, which keeps it. When that is recorded itself, the tensor is in its
  /// place of the graph again, and `placed` holds it. Throws RuntimeError when it was written to in the meantime.
  const Tensor& get(const Node& node, Tensor& placed) const;

 private:
  [[noreturn]] void refuse_changed(const Node& node) const;

  Tensor tensor_;
  Ref<Node> origin_;  // what computed it, if it is an input
  const char* name_ = "";
  std::uint32_t version_ = 0;
  std::int32_t result_ = -1;  // which output of the node itself it is, if any
};

/// What a backward function gives for one input.
struct InputGradient {
  Tensor gradient;
  Tensor* sum = nullptr;          // where it goes; null when nobody needs it
  const Shape* spread = nullptr;  // of the input, when the gradient stands for its expansion to that shape
};

/// The gradients that a backward function fills in, one per input. Those nobody needs may be left undefined.
class InputGradients {
 public:
  explicit InputGradients(std::span<InputGradient> gradients) : gradients_(gradients) {}
  bool needs(std::size_t input) const { return gradients_[input].sum != nullptr; }
  Tensor& operator[](std::size_t input) { return gradients_[input].gradient; }
  /// Gives the expansion of `part` to `shape`, which is made only where an operation needs it. The node owns the shape.
  void spread(std::size_t input, Tensor part, const Shape& shape) {
    gradients_[input].gradient = std::move(part);
    gradients_[input].spread = &shape;
  }
  std::size_t size() const { return gradients_.size(); }

 private:
  std::span<InputGradient> gradients_;
};

class Pass;

/// What a backward pass notes of a node.
struct PassNotes {
  Tensor gradient;
  const Shape* spread = nullptr;  // as of an InputGradient
  bool needed = false;
};

/// One differentiable operation that took place. It owns the nodes of its inputs and what it saved, never its output.
/// Both lists lie behind it, in the same block of memory: see make_node.
class Node : public Counted {
 public:
  explicit Node(const char* name, bool is_leaf = false, bool takes_part = false) noexcept;
  virtual ~Node();
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  /// dx[i] = (d y / d x_i)^T dy, written with differentiable operations. `dy` has the gradient of each output,
  /// undefined where nobody used it.
  virtual void backward(std::span<Tensor> dy, InputGradients& dx) = 0;
  virtual TensorImpl* leaf() const { return nullptr; }
  /// The node of the i-th output: this one, but for functions of several outputs.
  virtual Ref<Node> output_node(std::size_t) { return Ref<Node>::share(this); }

  bool is_leaf() const { return is_leaf_; }
  bool takes_part() const { return takes_part_; }  // its backward function is Elementwise, or it is a leaf
  const char* name() const { return name_; }
  std::span<Ref<Node>> inputs() const { return {inputs_, input_count_}; }
  std::span<Saved> saved() const { return {reinterpret_cast<Saved*>(inputs_ + input_count_), saved_count_}; }
  /// Frees what was saved; the node cannot run again, unless there was nothing.
  void free_saved() noexcept;
  bool freed() const { return freed_; }
  void release() noexcept;  // never recursive, however long the chain behind it is

 protected:
  /// Numbers the node: higher than its inputs, and than what this thread has numbered before.
  void number() noexcept;

 private:
  template <class T, class... Arguments>
  friend Ref<Node> make_node(std::span<Ref<Node>> inputs, std::span<Saved> saved, Arguments&&... arguments);
  void take_lists(void* block, std::size_t bytes, std::span<Ref<Node>> inputs, std::span<Saved> saved) noexcept;

  std::uint32_t bytes_ = 0;  // of the block
  std::uint32_t input_count_ = 0;
  std::uint16_t saved_count_ = 0;
  bool freed_ = false;
  const bool is_leaf_, takes_part_;
  const char* name_;
  Ref<Node>* inputs_ = nullptr;
  Node* next_dropped_ = nullptr;

 public:
  std::uint16_t outputs = 1;
  std::uint16_t output = 0;  // of its only input, whose gradient it hands on, if it stands for an output of a function
  std::uint64_t sequence = 0;     // an input always has a smaller one than what was computed from it
  Ref<TensorNotes> tensor_notes;  // of the output

  std::atomic<const Pass*> pass{nullptr};  // the pass that `notes` are of
  PassNotes notes;
};

/// A node of type T, made of `arguments`. Takes over the inputs and what was saved.
template <class T, class... Arguments>
Ref<Node> make_node(std::span<Ref<Node>> inputs, std::span<Saved> saved, Arguments&&... arguments) {
  static_assert(alignof(Saved) == alignof(Ref<Node>) && alignof(T) >= alignof(Saved));
  static_assert(std::is_nothrow_constructible_v<T, Arguments...>);
  const std::size_t bytes = sizeof(T) + inputs.size_bytes() + saved.size_bytes();
  void* block = allocate(bytes);
  auto* node = ::new (block) T(std::forward<Arguments>(arguments)...);
  node->take_lists(node + 1, bytes, inputs, saved);
  return Ref<Node>(node);
}

/// Whether a backward pass is under way on this thread.
bool in_backward() noexcept;

/// Fills grad() of a leaf; the end of every path. Graphs of several threads may end in one, which is why gradients are
/// added under the lock of the leaf. The leaf owns it, graphs count their uses; as long as there are any, it owns the
/// leaf.
class AccumulateGrad final : public Node {
 public:
  explicit AccumulateGrad(TensorImpl& leaf) noexcept;
  static void* operator new(std::size_t bytes) { return allocate(bytes); }
  static void operator delete(void* block, std::size_t bytes) noexcept { deallocate(block, bytes); }
  /// For one more use; under the lock of the leaf.
  Ref<Node> share() noexcept;
  void end_use() noexcept;
  void backward(std::span<Tensor> dy, InputGradients& dx) override;
  TensorImpl* leaf() const override { return &leaf_; }

 private:
  void add_recorded(const Tensor& dy);

  TensorImpl& leaf_;
};

/// Whether a function holds no tensor, so that what its node saves is all in the node's list.
template <class F>
inline constexpr bool captures_no_tensor = std::is_trivially_copyable_v<F>;

/// A backward function that does not mind a dy that broadcasts to the shape of the result: every dx is dy times, or
/// plus, something, and its inputs have the shape of the result.
template <class F>
struct Elementwise : F {
  explicit Elementwise(F f) : F(std::move(f)) {}
};
template <class F>
inline constexpr bool is_elementwise = false;
template <class F>
inline constexpr bool is_elementwise<Elementwise<F>> = true;

/// A node made of a function `void(const Tensor& dy, const Tensor&... saved, InputGradients& dx)`, or, with one input,
/// `Tensor(const Tensor& dy, const Tensor&... saved)`.
template <class F, std::size_t saved_count>
class FunctionNode final : public Node {
  static_assert(captures_no_tensor<F>, "tensors are saved by keep(…), not captured");

 public:
  FunctionNode(const char* name, F function) noexcept
      : Node(name, false, is_elementwise<F>), function_(std::move(function)) {}
  void backward(std::span<Tensor> dy, InputGradients& dx) override {
    [&]<std::size_t... i>(std::index_sequence<i...>) {
      [[maybe_unused]] std::array<Tensor, saved_count> placed;
      if constexpr (requires { function_(dy[0], saved()[i].get(*this, placed[i])..., dx); }) {
        function_(dy[0], saved()[i].get(*this, placed[i])..., dx);
      } else {
        dx[0] = function_(dy[0], saved()[i].get(*this, placed[i])...);
      }
    }
    (std::make_index_sequence<saved_count>());
  }

 private:
  F function_;
};

}  // namespace gradus::detail
