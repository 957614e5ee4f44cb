#include "autograd/record.hpp"

#include "tensor/message.hpp"

#include <gradus/core/dot.hpp>

#include <mutex>

namespace gradus {
namespace {

thread_local bool recording = true;
thread_local bool tracing = false;

}  // namespace

bool grad_enabled() noexcept { return detail::records_graphs && recording; }
NoGradGuard::NoGradGuard() noexcept : recording_(recording, false) {}
EnableGradGuard::EnableGradGuard() noexcept : recording_(recording, true) {}
TraceGuard::TraceGuard() noexcept : tracing_(tracing, true) {}

namespace detail {

Scoped<bool> set_recording(bool on) noexcept { return {recording, on}; }

namespace {

/// Lets the node of y remember what to_dot shows.
void trace(Node& node, const Tensor& y, std::span<const Input> inputs) {
  node.tensor_notes = Ref<TensorNotes>(new TensorNotes);
  node.tensor_notes->retains_grad = true;
  node.tensor_notes->value = y.detach();
  node.tensor_notes->shares.resize(node.inputs().size());
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (node.inputs()[i] || !inputs[i].tensor->defined() || inputs[i].tensor->is_same(y)) continue;
    node.tensor_notes->constants.push_back(*inputs[i].tensor);
  }
}

}  // namespace

Saved Kept::saved_for(const Tensor& y) const {
  if (!tensor_->defined()) return {};
  if (tensor_->is_same(y)) return Saved::result(y);
  const bool by_product = temporary_ && impl_of(*temporary_)->unique() && !impl_of(*temporary_)->tracked();
  Saved saved = by_product ? Saved::by_product(std::move(*temporary_)) : Saved(*tensor_);
  saved.set_name(name_);
  return saved;
}

void refuse_changed_view(const TensorImpl& x) {
  fail<RuntimeError>("a view ", x.grad_fn ? message("computed by ", x.grad_fn->name(), ' ') : "",
                     "was changed in place through the tensor it is a part of, so its gradient is not known\n"
                     "clone() the view before the change, or take the view after it");
}

void check_view(const TensorImpl& x) {
  const bool changed = x.grad_fn ? x.storage->version != x.seen_version : x.lost_history();
  if (changed && grad_enabled()) refuse_changed_view(x);
}

Ref<Node> node_of(const Tensor& x) {
  TensorImpl& impl = *impl_of(x);
  if (!in_graph(x)) return {};
  if (impl.grad_fn) return impl.grad_fn;
  const std::lock_guard lock(impl.lock);
  if (!impl.accumulator) impl.accumulator = new AccumulateGrad(impl);
  return impl.accumulator->share();
}

Ref<Node> Input::node() const {
  Ref<Node> node = tensor->defined() ? node_of(*tensor) : Ref<Node>();
  if (!node || !broadcast_to || tensor->shape() == *broadcast_to) return node;
  const auto backward = [from = tensor->shape()](const Tensor& dy) { return sum_to(dy, from); };
  std::array inputs{std::move(node)};
  node = make_node<FunctionNode<decltype(backward), 0>>(inputs, {}, "ExpandBackward0", backward);
  if (tracing) trace(*node, expand(tensor->detach(), *broadcast_to), {});
  return node;
}

void set_history(const Tensor& y, Ref<Node> node) {
  TensorImpl& impl = *impl_of(y);
  const Ref<TensorNotes> before = std::move(impl.tensor_notes);
  impl.seen_version = impl.storage->version;
  impl.grad_fn = std::move(node);
  if (!before) return;
  // After a write in place: hooks belong to what the tensor was before, name and kept gradient to the tensor.
  before->value = Tensor();
  if (before->name.empty() && !before->retains_grad) return;
  TensorNotes& notes = impl.shared_notes();
  notes.name = std::move(before->name);
  notes.retains_grad |= before->retains_grad;
  before->retains_grad &= tracing;
  notes.retained_grad = std::move(before->retained_grad);
  if (!notes.name.empty()) notes.value = y.detach();
}

void set_history(const Tensor& y, Ref<Node> node, std::span<const Input> inputs) {
  set_history(y, std::move(node));
  if (!tracing) return;
  trace(*impl_of(y)->grad_fn, y, inputs);
  impl_of(y)->shared_notes();
}

bool under_trace() noexcept { return tracing; }

void trace_operand(const Tensor& y, const Tensor& x) {
  if (tracing && x.defined()) impl_of(y)->shared_notes().constants.push_back(x);
}

}  // namespace detail
}  // namespace gradus
