#include "autograd/record.hpp"
#include "tensor/message.hpp"

#include <gradus/core/function.hpp>

#include <algorithm>
#include <mutex>

namespace gradus {
namespace detail {

/// The node of one call of a Function. It stands for the first result; each further one has an OutputNode.
class UserNode final : public Node {
 public:
  struct Like {  // of an argument or a result
    explicit Like(const Tensor& x) : defined(x.defined()) {
      if (defined) shape = x.shape(), dtype = x.dtype();
    }
    bool defined;
    Shape shape;
    Dtype dtype = float32;
  };
  /// `likes`: of the arguments, then of the results.
  UserNode(const FunctionInfo& info, Context&& context, std::vector<Like>&& likes, std::size_t results) noexcept
      : Node(info.name), info_(info), context_(std::move(context)), likes_(std::move(likes)) {
    outputs = static_cast<std::uint16_t>(results);
  }

  void backward(std::span<Tensor> dy, InputGradients& dx) override;
  Ref<Node> output_node(std::size_t i) override;
  void forget(const Node& port) { std::ranges::replace(ports_, &port, nullptr); }

 private:
  void check(const Gradients& gradients, const InputGradients& dx) const;
  Tensor forbid_derivative(const Tensor& gradient, std::span<const Tensor> dy);

  const FunctionInfo& info_;
  Context context_;
  std::vector<Like> likes_;
  std::vector<Node*> ports_;  // of the results after the first, where they are alive; not owned
};

namespace {

/// Stands for a further result of a function, and hands its gradient on to the function's node.
class OutputNode final : public Node {
 public:
  OutputNode(const char* name, std::size_t index) noexcept : Node(name) { output = static_cast<std::uint16_t>(index); }
  ~OutputNode() override { static_cast<UserNode&>(*inputs()[0]).forget(*this); }
  void backward(std::span<Tensor> dy, InputGradients& dx) override { dx[0] = dy[0]; }
};

/// Stands where a gradient was computed by a function that is not differentiable twice.
class TwiceNode final : public Node {
 public:
  explicit TwiceNode(const char* function) noexcept : Node("DelayedError"), function_(function) {}
  void backward(std::span<Tensor>, InputGradients&) override {
    fail<RuntimeError>("trying to differentiate twice a function that was marked with @once_differentiable\n",
                       function_, " is not made of differentiable operations");
  }

 private:
  const char* function_;
};

std::uint64_t versions_of(std::span<const Tensor* const> inputs) {
  std::uint64_t sum = 0;
  for (const Tensor* x : inputs) {
    if (x->defined() && impl_of(*x)->tracked()) sum += impl_of(*x)->storage->version;
  }
  return sum;
}

/// A result that is an argument, or one that was returned before, or is in a graph of its own, becomes a tensor of its
/// own.
void make_separate(std::span<const Tensor* const> inputs, std::span<Tensor* const> outputs) {
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    Tensor& y = *outputs[i];
    if (!y.defined()) continue;
    const auto same = [&](const Tensor* other) { return other->is_same(y); };
    const bool is_input = std::ranges::any_of(inputs, same);
    if (!is_input && !std::ranges::any_of(outputs.first(i), same) && !impl_of(y)->tracked()) continue;
    y = y.detach();
    impl_of(y)->is_view = is_input;  // a write to it would change the argument
  }
}

}  // namespace

void UserNode::backward(std::span<Tensor> dy, InputGradients& dx) {
  const std::size_t arguments = inputs().size();
  std::uint64_t needed = 0;
  for (std::size_t i = 0; i < arguments; ++i) needed |= std::uint64_t{dx.needs(i)} << i;
  for (std::size_t i = 0; i < dy.size(); ++i) {
    const Like& y = likes_[arguments + i];
    if (y.defined) dy[i] = dy[i].defined() ? own(dy[i]) : zeros(y.shape, y.dtype);
  }
  context_.needed_ = needed;
  context_.node_ = this;
  Gradients gradients;
  {
    const auto recording = set_recording(grad_enabled() && !info_.once_differentiable);
    gradients = info_.backward(context_, dy);
  }
  check(gradients, dx);
  for (std::size_t i = 0; i < arguments; ++i) {
    if (!dx.needs(i) || !gradients[i].defined()) continue;
    dx[i] = grad_enabled()                 ? std::move(gradients[i])
            : gradients[i].requires_grad() ? gradients[i].detach()
                                           : std::move(gradients[i]);
    if (info_.once_differentiable && grad_enabled()) dx[i] = forbid_derivative(dx[i], dy);
  }
}

void UserNode::check(const Gradients& gradients, const InputGradients& dx) const {
  const std::size_t arguments = dx.size();
  if (gradients.size() != arguments) {
    fail<RuntimeError>("function ", name(), " returned an incorrect number of gradients (expected ", arguments,
                       ", got ", gradients.size(),
                       ")\none for each Tensor argument of forward, undefined where "
                       "there is none");
  }
  for (std::size_t i = 0; i < arguments; ++i) {
    const Like& x = likes_[i];
    if (!dx.needs(i) || !gradients[i].defined()) continue;
    const Tensor& g = gradients[i];
    if (g.shape() == x.shape && g.dtype() == x.dtype) continue;
    fail<RuntimeError>("Function ", name(), " returned an invalid gradient at index ", i, " - got ", g.shape(),
                       " but expected shape compatible with ", x.shape, "\nthe gradient is ", g.dtype(),
                       ", the argument ", x.dtype, "; both shape and dtype have to be the argument's");
  }
}

Tensor UserNode::forbid_derivative(const Tensor& gradient, std::span<const Tensor> dy) {
  std::vector<Ref<Node>> behind(inputs().begin(), inputs().end());
  for (const Tensor& d : dy) behind.push_back(node_of(d));
  Tensor separate = gradient.detach();
  set_history(separate, make_node<TwiceNode>(behind, {}, name()));
  return separate;
}

Ref<Node> UserNode::output_node(std::size_t i) {
  if (i == 0) return Ref<Node>::share(this);
  ports_.resize(outputs);
  if (ports_[i]) return Ref<Node>::share(ports_[i]);
  std::array input{Ref<Node>::share(static_cast<Node*>(this))};
  Ref<Node> port = make_node<OutputNode>(input, {}, name(), i);
  ports_[i] = port.get();
  return port;
}

const char* backward_name(const std::type_info& type) {
  static auto& names =
      *new std::vector<std::unique_ptr<const std::string>>;  // nodes may outlive what is destroyed at exit
  static std::mutex mutex;
  const std::lock_guard lock(mutex);
  return names.emplace_back(std::make_unique<const std::string>(type_name_of(type) + "Backward"))->c_str();
}

FunctionCall::FunctionCall(const FunctionInfo& info, std::span<const Tensor* const> inputs, Context& context)
    : info_(info), inputs_(inputs), context_(context) {
  if (!grad_enabled()) return;
  for (std::size_t i = 0; i < inputs.size(); ++i) context.needed_ |= std::uint64_t{tracks(*inputs[i])} << i;
  tracked_ = context.needed_ != 0;
  versions_ = tracked_ ? versions_of(inputs) : 0;
}

void FunctionCall::finish(std::span<Tensor* const> outputs) {
  if (!tracked_) return;
  throw_if<RuntimeError>(versions_of(inputs_) != versions_, info_.name,
                         ": forward wrote to an argument that is in a graph, so its gradient is not known\n"
                         "compute a new tensor, or write to a clone()");
  const std::vector<Tensor> to_save = std::exchange(context_.to_save_, {});
  const auto position = [](const Tensor& x, const auto& tensors) {
    return std::ranges::find_if(tensors, [&](const Tensor* other) { return other->is_same(x); }) - tensors.begin();
  };
  std::vector<Saved> saved;
  saved.reserve(to_save.size());
  for (const Tensor& x : to_save) {
    const auto result = position(x, outputs);
    const bool computed = x.defined() && result < std::ssize(outputs) && position(x, inputs_) == std::ssize(inputs_);
    saved.push_back(computed ? Saved::result(x, static_cast<std::size_t>(result)) : Saved(x));
  }

  std::vector<UserNode::Like> likes;
  likes.reserve(inputs_.size() + outputs.size());
  std::vector<Input> inputs;
  std::vector<Ref<Node>> nodes;
  inputs.reserve(inputs_.size());
  nodes.reserve(inputs_.size());
  for (const Tensor* x : inputs_) {
    likes.emplace_back(*x);
    nodes.push_back(inputs.emplace_back(*x).node());
  }
  std::vector<bool> differentiable;
  for (const Tensor* y : outputs) {
    likes.emplace_back(*y);
    const auto is_y = [y](const Tensor& constant) { return constant.is_same(*y); };
    differentiable.push_back(y->defined() && is_floating(y->dtype()) && std::ranges::none_of(context_.constant_, is_y));
  }
  make_separate(inputs_, outputs);
  const Ref<Node> node =
      make_node<UserNode>(nodes, saved, info_, std::move(context_), std::move(likes), outputs.size());
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    if (differentiable[i]) set_history(*outputs[i], node->output_node(i), inputs);
  }
}

}  // namespace detail

using namespace detail;

std::vector<Tensor> Context::saved() const {
  std::vector<Tensor> tensors(node_ ? node_->saved().size() : to_save_.size());
  unpack(tensors);
  return tensors;
}

void Context::unpack(std::span<Tensor> tensors) const {
  const std::size_t count = node_ ? node_->saved().size() : to_save_.size();
  if (count != tensors.size()) {
    fail<RuntimeError>(node_ ? node_->name() : "Context", ": saved<", tensors.size(), ">() of ", count,
                       " tensors that save_for_backward was given");
  }
  for (std::size_t i = 0; i < count; ++i) {
    if (!node_) {
      tensors[i] = to_save_[i];
      continue;
    }
    Tensor placed;
    tensors[i] = node_->saved()[i].get(*node_, placed);
  }
}

void Context::refuse_kept() const {
  fail<RuntimeError>(node_ ? node_->name() : "Context",
                     kept_ ? ": keep was given another type than kept<T>() asks for" : ": keep was given nothing");
}

}  // namespace gradus
