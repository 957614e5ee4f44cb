// What a node keeps for its backward function.
#pragma once

#include "tensor/tensor_impl.hpp"

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

}  // namespace gradus::detail
