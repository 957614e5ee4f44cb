#include "autograd/record.hpp"

#include "tensor/message.hpp"

#include <gradus/core/dot.hpp>

namespace gradus {
namespace {

thread_local bool recording = true;
thread_local bool tracing = false;

}  // namespace

bool grad_enabled() noexcept { return recording; }
NoGradGuard::NoGradGuard() noexcept : recording_(recording, false) {}
EnableGradGuard::EnableGradGuard() noexcept : recording_(recording, true) {}
TraceGuard::TraceGuard() noexcept : tracing_(tracing, true) {}

namespace detail {

Scoped<bool> set_recording(bool on) noexcept { return {recording, on}; }

namespace {

/// Lets the node of y remember what to_dot shows.
void trace(Node& node, const Tensor& y, std::span<const Input> inputs) {
  node.extra = Ref<Extra>(new Extra);
  node.extra->retains_grad = true;
  node.extra->value = y.detach();
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (!node.inputs()[i] && inputs[i].tensor->defined()) node.extra->constants.push_back(*inputs[i].tensor);
  }
}

}  // namespace

Saved::Saved(const Tensor& input) {
  if (!input.defined()) return;
  // A write in place may make this tensor the result of the node that saves it: that must not own itself.
  tensor_ = impl_of(input)->requires_grad ? input : input.detach();
  origin_ = impl_of(input)->grad_fn;
  version_ = input.version();
}

Saved::Saved(const Saved& other)
    : tensor_(other.tensor_), origin_(other.origin_), version_(other.version_), is_result_(other.is_result_) {
  if (SavedListener* listener = SavedListener::current(); listener && tensor_.defined()) {
    listener->heard.push_back({in_graph(origin_), is_result_});
  }
}

Saved Saved::result(const Tensor& y) {
  Saved saved = by_product(y.detach());
  saved.is_result_ = true;
  return saved;
}

Saved Saved::by_product(Tensor x) {
  Saved saved;
  saved.version_ = x.version();
  saved.tensor_ = std::move(x);
  return saved;
}

Tensor Saved::in_graph(const Ref<Node>& node) const {
  if (!node) return tensor_;
  Tensor x = tensor_.detach();
  set_history(x, node);
  return x;
}

Tensor Saved::get() const {
  if (!tensor_.defined()) return tensor_;
  const Node* node = current_node();
  if (tensor_.version() != version_) {
    const Node* origin = is_result_ ? node : origin_.get();
    const char* written_by = impl_of(tensor_)->storage->written_by;
    throw RuntimeError(message(
        "one of the variables needed for gradient computation has been modified by an inplace operation: [torch.",
        type_name(tensor_.dtype()), "Tensor ", tensor_.shape(), "]",
        origin ? message(", which is output 0 of ", written_by && !is_result_ ? written_by : origin->name(), ",") : "",
        " is at version ", tensor_.version(), "; expected version ", version_,
        " instead. Hint: enable anomaly detection to find the operation that failed to compute its gradient, with "
        "torch.autograd.set_detect_anomaly(True).\nChange a copy instead: clone() it before the operation that saved "
        "it (",
        node ? node->name() : "", ")"));
  }
  if (!grad_enabled()) return tensor_;
  return in_graph(is_result_ ? Ref<Node>::share(current_node()) : origin_);
}

Ref<Node> edge(const Tensor& x) {
  TensorImpl& impl = *impl_of(x);
  if (impl.grad_fn) {
    if (impl.is_view && impl.storage->version != impl.seen_version) {
      throw RuntimeError(
          message("a view computed by ", impl.grad_fn->name(),
                  " was changed in place through the tensor it is a part of, so its gradient is not known\n"
                  "clone() the view before the change, or take the view after it"));
    }
    return impl.grad_fn;
  }
  if (!impl.requires_grad) return {};
  if (impl.accumulator) return Ref<Node>::share(impl.accumulator);
  Ref<Node> node(new AccumulateGrad(x));
  impl.accumulator = node.get();
  return node;
}

Input::Input(const Tensor& x, const Shape& shape) : tensor(&x), node(edge_or_null(x)) {
  if (!node || x.shape() == shape) return;
  auto backward = [from = x.shape()](const Tensor& dy, Gradients& dx) { dx[0] = sum_to(dy, from); };
  node = Ref<Node>(
      new FunctionNode<decltype(backward), 1>("ExpandBackward0", std::array{std::move(node)}, std::move(backward)));
  if (tracing) trace(*node, expand(x.detach(), shape), {});
}

void set_history(const Tensor& y, Ref<Node> node, std::span<const Input> inputs) {
  set_history(y, std::move(node));
  if (!tracing) return;
  trace(*impl_of(y)->grad_fn, y, inputs);
  impl_of(y)->shared_extra();
}

void trace_operand(const Tensor& y, const Tensor& x) {
  if (tracing && x.defined()) impl_of(y)->shared_extra().constants.push_back(x);
}

}  // namespace detail
}  // namespace gradus
