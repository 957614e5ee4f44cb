#include "autograd/saved.hpp"

#include "autograd/record.hpp"
#include "tensor/message.hpp"

namespace gradus::detail {

Saved::Saved(const Tensor& input) {
  if (!input.defined()) return;
  // A write in place may make this tensor the result of the node that saves it: that must not own itself.
  tensor_ = impl_of(input)->requires_grad ? input : input.detach();
  origin_ = impl_of(input)->grad_fn;
  version_ = input.version();
}

Saved Saved::result(const Tensor& y, std::size_t output) {
  Saved saved = by_product(y.detach());
  saved.result_ = static_cast<std::int32_t>(output);
  return saved;
}

Saved Saved::by_product(Tensor&& x) noexcept {
  Saved saved;
  saved.version_ = impl_of(x)->storage->version;
  saved.tensor_ = std::move(x);
  return saved;
}

const Tensor& Saved::get(const Node& node, Tensor& placed) const {
  if (!tensor_.defined()) return tensor_;
  if (impl_of(tensor_)->storage->version != version_) refuse_changed(node);
  if (!(origin_ || is_result()) || !grad_enabled()) return tensor_;
  placed = tensor_.detach();
  set_history(placed, is_result() ? const_cast<Node&>(node).output_node(output()) : origin_);
  return placed;
}

void Saved::refuse_changed(const Node& node) const {
  const Node* origin = is_result() ? &node : origin_.get();
  const char* written_by = impl_of(tensor_)->storage->written_by;
  throw RuntimeError(message(
      "one of the variables needed for gradient computation has been modified by an inplace operation: [torch.",
      type_name(tensor_.dtype()), "Tensor ", tensor_.shape(), "]",
      origin ? message(", which is output 0 of ", written_by && !is_result() ? written_by : origin->name(), ",") : "",
      " is at version ", tensor_.version(), "; expected version ", version_, " instead. Hint: ", node.name(),
      " needs the elements that this tensor had in the forward pass: change a copy of it, which clone() gives"));
}

}  // namespace gradus::detail
