// The backward pass. It knows no operation by name: it collects the nodes behind the outputs, orders them, and hands
// each its gradient.
#include "autograd/record.hpp"
#include "tensor/message.hpp"

#include <algorithm>
#include <functional>
#include <unordered_map>

namespace gradus {
namespace detail {

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
  std::vector<Tensor> take_outputs(const Node& node) {
    return outputs_.contains(&node) ? std::move(outputs_.at(&node)) : std::vector<Tensor>();
  }

 private:
  bool holds(const Node& node) const { return node.pass.load(std::memory_order_relaxed) == this; }
  bool claim(Node& node) const {
    const Pass* nobody = nullptr;
    if (node.is_leaf() && !one_thread())
      return node.pass.compare_exchange_strong(nobody, this, std::memory_order_acquire);
    if (node.pass.load(std::memory_order_relaxed)) return false;  // the rest of a graph is one thread's
    node.pass.store(this, std::memory_order_relaxed);
    return true;
  }
  void visit(Node* node) {
    if (!node || contains(*node)) return;
    nodes_.push_back(node);
    (claim(*node) ? node->notes : elsewhere_[node]).needed = true;
  }
  std::vector<Tensor>& outputs_of(const Node& node) {
    std::vector<Tensor>& gradients = outputs_[&node];
    gradients.resize(node.outputs);
    return gradients;
  }
  /// Capacity for the next pass.
  static std::vector<Node*>& spare() {
    thread_local std::vector<Node*> nodes;
    return nodes;
  }

  inline static thread_local bool active_ = false;
  const Scoped<bool> this_is_active_{active_, true};
  std::vector<Node*> nodes_;
  std::unordered_map<const Node*, PassNotes> elsewhere_;
  std::unordered_map<const Node*, std::vector<Tensor>> outputs_;
};

Pass::Pass(std::span<const Ref<Node>> roots) {
  nodes_.swap(spare());
  for (const Ref<Node>& root : roots) visit(root.get());
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    const std::span<Ref<Node>> inputs = nodes_[i]->inputs();  // the last ones were numbered last
    for (auto input = inputs.rbegin(); input != inputs.rend(); ++input) visit(input->get());
  }
  // Descending numbers are a topological order: see Node::sequence. The nodes of a chain are in it already.
  const auto number = [](const Node* node) { return node->sequence; };
  if (!std::ranges::is_sorted(nodes_, std::greater(), number)) std::ranges::sort(nodes_, std::greater(), number);
}

Pass::~Pass() {
  for (Node* node : nodes_) {
    if (!holds(*node)) continue;
    node->notes.gradient = Tensor();
    node->notes.spread = nullptr;
    node->pass.store(nullptr, std::memory_order_release);
  }
  nodes_.clear();
  nodes_.swap(spare());
}

namespace {

/// A list that needs no memory of the heap when it is short.
template <class T>
class Few {
 public:
  explicit Few(std::size_t size) : many_(size > std::size(few_) ? size : 0), size_(size) {}
  std::span<T> all() { return many_.empty() ? std::span(few_).first(size_) : std::span(many_); }

 private:
  T few_[3];
  std::vector<T> many_;
  std::size_t size_;
};

void accumulate(Tensor& sum, Tensor&& part) {
  if (!sum.defined()) {
    sum = std::move(part);
  } else if (!grad_enabled() && owned_alone(sum)) {
    sum.add_(part);
  } else {
    sum = sum + part;
  }
}

void add_to(Tensor& sum, const Tensor& part) { sum = sum.defined() ? sum + part : part.clone(); }

/// Hooks are given a gradient of their own each time, for they may keep it and write to it.
void run_hooks(TensorNotes& notes, Tensor& dy) {
  for (const auto& hook : notes.hooks) {
    dy = own(dy);
    Tensor replaced = (*hook)(dy);
    if (!replaced.defined()) continue;
    throw_if<RuntimeError>(replaced.shape() != dy.shape(), "hook has changed the size of value\nthe gradient was ",
                           dy.shape(), ", got ", replaced.shape());
    throw_if<RuntimeError>(replaced.dtype() != dy.dtype(), "hook has changed the type of value (was ", dy.dtype(),
                           " got ", replaced.dtype(), ")");
    dy = std::move(replaced);
  }
  if (!notes.hooks.empty()) dy = own(dy);
  if (notes.retains_grad) add_to(notes.retained_grad, dy);
}

/// For to_dot: what each input gets from this node.
void note_shares(TensorNotes& notes, std::span<const InputGradient> given) {
  for (std::size_t i = 0; i < notes.shares.size(); ++i) {
    if (!given[i].gradient.defined() || !given[i].sum) continue;
    const Tensor share = given[i].gradient.detach();
    add_to(notes.shares[i], given[i].spread ? expand(share, *given[i].spread) : share);
  }
}

/// Adds a gradient where it, or what is there, stands for its expansion. Neither is expanded unless the node needs it.
void accumulate_part(Pass& pass, Node& node, std::size_t output, InputGradient& dx) {
  Tensor& sum = *dx.sum;
  const Shape*& spread = pass.notes(node).spread;
  if (output == 0 && spread) {
    if (dx.spread) {
      sum = sum + dx.gradient;
      if (sum.shape() == *spread) spread = nullptr;
      return;
    }
    std::swap(sum, dx.gradient);
    spread = nullptr;
  } else if (dx.spread && !sum.defined()) {
    if (output == 0 && node.takes_part() && pass.keeps_parts && !grad_enabled()) {
      sum = std::move(dx.gradient);
      spread = dx.spread;
      return;
    }
    dx.gradient = expand(dx.gradient, *dx.spread);
  }  // else added as it is: addition broadcasts
  accumulate(sum, std::move(dx.gradient));
}

/// `spread`: of dy, as of an InputGradient.
void run_node(Pass& pass, Node& node, std::span<Tensor> dy, const Shape* spread, bool keep_graph) {
  throw_if<RuntimeError>(
      node.freed(),
      "Trying to backward through the graph a second time (or directly access saved tensors after they have already "
      "been freed). Saved intermediate values of the graph are freed when you call .backward() or autograd.grad(). "
      "Specify retain_graph=True if you need to backward through the graph a second time or if you need to access "
      "saved tensors after calling backward.\nin gradus: backward({.retain_graph = true}) the first time");
  if (node.is_leaf()) {
    InputGradients none({});
    return node.backward(dy, none);
  }
  const std::span<Ref<Node>> inputs = node.inputs();
  Few<InputGradient> few(inputs.size());
  const std::span<InputGradient> given = few.all();
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    Node* input = inputs[i].get();
    if (input && pass.notes(*input).needed) given[i].sum = &pass.gradient(*input, node.output);
  }

  InputGradients gradients(given);
  node.backward(dy, gradients);
  if (!keep_graph) node.free_saved();
  if (node.tensor_notes) note_shares(*node.tensor_notes, given);
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    InputGradient& dx = given[i];
    if (!dx.gradient.defined() || !dx.sum) continue;
    if (spread && dx.gradient.shape() != *spread) dx.spread = spread;
    const bool simple = node.output == 0 && !dx.spread && !pass.notes(*inputs[i]).spread;
    simple ? accumulate(*dx.sum, std::move(dx.gradient)) : accumulate_part(pass, *inputs[i], node.output, dx);
  }
}

/// Hands every node that is needed its gradients. `take(node, dy)` is asked first, and says whether the node is to run.
template <class F>
void run(Pass& pass, bool keep_graph, F take) {
  for (Node* node : pass.nodes()) {
    PassNotes& notes = pass.notes(*node);
    if (!notes.needed) continue;
    Tensor dy = std::move(notes.gradient);
    const Shape* spread = std::exchange(notes.spread, nullptr);
    std::vector<Tensor> of_outputs;
    if (node->outputs > 1) of_outputs = pass.take_outputs(*node);
    if (!dy.defined() && of_outputs.empty()) continue;
    if (spread && node->tensor_notes) dy = expand(dy, *std::exchange(spread, nullptr));
    if (dy.defined() && node->tensor_notes) run_hooks(*node->tensor_notes, dy);
    if (!take(*node, dy)) continue;
    if (node->outputs == 1) {
      run_node(pass, *node, {&dy, 1}, spread, keep_graph);
    } else {
      of_outputs.resize(node->outputs);
      of_outputs[0] = std::move(dy);
      run_node(pass, *node, of_outputs, nullptr, keep_graph);
    }
  }
}

/// Marks the nodes on a path to one of `targets`; the others need not run.
void mark_needed(Pass& pass, std::span<const Ref<Node>> targets) {
  for (Node* node : pass.nodes()) pass.notes(*node).needed = false;
  for (const Ref<Node>& target : targets) {
    if (pass.contains(*target)) pass.notes(*target).needed = true;
  }
  const auto nodes = pass.nodes();
  for (auto node = nodes.rbegin(); node != nodes.rend(); ++node) {
    bool& needed = pass.notes(**node).needed;
    for (const Ref<Node>& input : (*node)->inputs()) needed |= input && pass.notes(*input).needed;
  }
}

Few<Ref<Node>> roots_of(std::span<const Tensor> outputs, const char* op = __builtin_FUNCTION()) {
  throw_if<NotImplementedError>(!records_graphs, op,
                                ": this gradus was built without gradients\nBuild it with -DGRADUS_AUTOGRAD=ON.");
  check_defined(outputs, "outputs", op);
  Few<Ref<Node>> roots(outputs.size());
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    throw_if<RuntimeError>(!outputs[i].requires_grad(), "element ", i,
                           " of tensors does not require grad and does not have a grad_fn");
    roots.all()[i] = node_of(outputs[i]);
  }
  return roots;
}

/// Gives each output its gradient: 1, if it is undefined.
void seed(Pass& pass, std::span<const Tensor> outputs, std::span<const Tensor> gradients,
          std::span<const Ref<Node>> roots) {
  throw_if<RuntimeError>(!gradients.empty() && gradients.size() != outputs.size(), "got ", outputs.size(),
                         " tensors and ", gradients.size(), " gradients");
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const Tensor& y = outputs[i];
    const Tensor gradient = gradients.empty() ? Tensor() : gradients[i];
    throw_if<RuntimeError>(!gradient.defined() && y.numel() != 1,
                           "grad can be implicitly created only for scalar outputs\nthis output has the shape ",
                           y.shape(), ": reduce it, or give its gradient: backward({.gradient = …})");
    if (gradient.defined() && gradient.shape() != y.shape()) {
      fail<RuntimeError>("Mismatch in shape: grad_output[", i, "] has a shape of ", torch_size(gradient.shape()),
                         " and output[", i, "] has a shape of ", torch_size(y.shape()), ".");
    }
    accumulate(pass.notes(*roots[i]).gradient, gradient.defined() ? gradient.to(y.dtype()) : ones_like(y));
  }
}

}  // namespace

bool in_backward() noexcept { return Pass::active(); }

}  // namespace detail

using namespace detail;

void detail::backward(std::span<const Tensor> outputs, std::span<const Tensor> gradients,
                      std::optional<bool> retain_graph, bool create_graph) {
  Few<Ref<Node>> roots = roots_of(outputs);
  const auto recording = set_recording(create_graph);
  Pass pass(roots.all());
  seed(pass, outputs, gradients, roots.all());
  run(pass, retain_graph.value_or(create_graph), [](Node&, const Tensor&) { return true; });
}

void backward(const std::vector<Tensor>& outputs, const GradOptions& options) {
  detail::backward(outputs, options.grad_outputs, options.retain_graph, options.create_graph);
}

std::vector<Tensor> grad(const std::vector<Tensor>& outputs, const std::vector<Tensor>& inputs,
                         const GradOptions& options) {
  Few<Ref<Node>> roots = roots_of(outputs);
  check_defined(inputs, "inputs");
  std::vector<Ref<Node>> targets;
  for (const Tensor& x : inputs) {
    throw_if<RuntimeError>(!x.requires_grad(), "One of the differentiated Tensors does not require grad");
    targets.push_back(node_of(x));
  }
  const auto recording = set_recording(options.create_graph);
  Pass pass(roots.all());
  pass.keeps_parts = false;
  mark_needed(pass, targets);
  seed(pass, outputs, options.grad_outputs, roots.all());

  std::vector<Tensor> results(inputs.size());
  run(pass, options.retain_graph.value_or(options.create_graph), [&](Node& node, const Tensor& dy) {
    for (std::size_t i = 0; i < targets.size(); ++i) {
      if (targets[i].get() == &node) results[i] = dy;
    }
    return std::ranges::any_of(node.inputs(), [&](const Ref<Node>& x) { return x && pass.notes(*x).needed; });
  });
  for (Tensor& gradient : results) {
    throw_if<RuntimeError>(!gradient.defined() && !options.allow_unused,
                           "One of the differentiated Tensors appears to not have been used in the graph. "
                           "Set allow_unused=True if this is the desired behavior.");
    if (gradient.defined()) gradient = own(gradient);
  }
  return results;
}

}  // namespace gradus
