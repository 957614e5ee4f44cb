#include "autograd/record.hpp"

#include "autograd/engine.hpp"
#include "message.hpp"

namespace gradus {
namespace {

thread_local bool recording = true;

}  // namespace

bool grad_enabled() noexcept { return recording; }
NoGradGuard::NoGradGuard() noexcept : before_(std::exchange(recording, false)) {}
NoGradGuard::~NoGradGuard() { recording = before_; }
EnableGradGuard::EnableGradGuard() noexcept : before_(std::exchange(recording, true)) {}
EnableGradGuard::~EnableGradGuard() { recording = before_; }

namespace detail {

Saved::Saved(const Tensor& input) : tensor_(input) {
  if (input.defined()) version_ = input.version();
}

Saved Saved::result(const Tensor& y) {
  Saved saved(y.detach());
  saved.is_result_ = true;
  return saved;
}

Tensor Saved::get() const {
  if (!tensor_.defined()) return tensor_;
  const Node* node = current_node();
  const Node* origin = is_result_ ? node : impl_of(tensor_)->grad_fn.get();
  if (tensor_.version() != version_) {
    throw RuntimeError(message(
        "one of the variables needed for gradient computation has been modified by an inplace operation: [torch.",
        type_name(tensor_.dtype()), "Tensor ", tensor_.shape(), "]",
        origin ? message(", which is output 0 of ", origin->name(), ",") : "", " is at version ", tensor_.version(),
        "; expected version ", version_,
        " instead. Hint: enable anomaly detection to find the operation that failed to compute its gradient, with "
        "torch.autograd.set_detect_anomaly(True).\nChange a copy instead: clone() it before the operation that saved it (",
        node ? node->name() : "", ")"));
  }
  if (!is_result_ || !grad_enabled()) return tensor_;
  Tensor y = tensor_.detach();
  impl_of(y)->grad_fn = Ref<Node>::share(current_node());
  return y;
}

Ref<Node> edge(const Tensor& x) {
  TensorImpl& impl = *impl_of(x);
  if (impl.grad_fn) {
    if (impl.is_view && impl.storage->version != impl.seen_version) {
      throw RuntimeError(message("a view computed by ", impl.grad_fn->name(),
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

Input::Input(const Tensor& x, const Shape& shape) : node(edge_or_null(x)) {
  if (!node || x.shape() == shape) return;
  auto backward = [from = x.shape()](const Tensor& dy, Gradients& dx) { dx[0] = sum_to(dy, from); };
  node = Ref<Node>(
      new FunctionNode<decltype(backward), 1>("ExpandBackward0", std::array{std::move(node)}, std::move(backward)));
}

void set_history(const Tensor& y, Ref<Node> node) {
  TensorImpl& impl = *impl_of(y);
  impl.seen_version = impl.storage->version;
  impl.grad_fn = std::move(node);
}

}  // namespace detail
}  // namespace gradus
