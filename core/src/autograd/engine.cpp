// The backward pass. It knows no operation by name: it collects the nodes behind the outputs, orders them, and hands
// each its gradient.
#include "autograd/record.hpp"
#include "tensor/message.hpp"

#include <algorithm>

namespace gradus {
namespace detail {
namespace {

/// The nodes behind some outputs, each before those of its inputs. What a pass notes in them is cleared at the end,
/// also when it ends in an exception; what an outer pass, one of whose hooks started this one, has noted is put back.
class Pass {
 public:
  explicit Pass(std::span<const Ref<Node>> roots) : nested_(std::exchange(active_, true)) {
    nodes_.swap(spare());
    static std::atomic<std::uint64_t> passes{0};
    number_ = passes.fetch_add(1, std::memory_order_relaxed) + 1;
    for (const Ref<Node>& root : roots) visit(root.get());
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      for (const Ref<Node>& input : nodes_[i]->inputs()) visit(input.get());
    }
    // Descending numbers are a topological order: see Node::sequence.
    std::sort(nodes_.begin(), nodes_.end(), [](const Node* a, const Node* b) { return a->sequence > b->sequence; });
  }
  ~Pass() {
    active_ = nested_;
    for (Node* node : nodes_) node->notes.gradient = Tensor();
    for (Outer& outer : outer_) outer.node->notes = std::move(outer.notes);
    nodes_.clear();
    nodes_.swap(spare());
  }
  Pass(const Pass&) = delete;
  Pass& operator=(const Pass&) = delete;

  static bool active() noexcept { return active_; }  // on this thread
  std::span<Node* const> nodes() const { return nodes_; }
  bool contains(const Node* node) const { return node && node->notes.visited_by == number_; }

 private:
  void visit(Node* node) {
    if (!node || contains(node)) return;
    if (nested_) outer_.push_back({node, std::move(node->notes)});
    node->notes.visited_by = number_;
    node->notes.needed = true;
    nodes_.push_back(node);
  }
  static std::vector<Node*>& spare() {  // capacity for the next pass
    thread_local std::vector<Node*> nodes;
    return nodes;
  }

  struct Outer {
    Node* node;
    Node::PassNotes notes;
  };
  inline static thread_local bool active_ = false;
  const bool nested_;  // a hook of another pass of this thread started this one
  std::vector<Outer> outer_;
  std::vector<Node*> nodes_;
  std::uint64_t number_;
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

void run_hooks(Extra& extra, Tensor& dy) {
  for (const auto& hook : extra.hooks) {
    Tensor replaced = (*hook)(dy);
    if (!replaced.defined()) continue;
    if (replaced.shape() != dy.shape()) {
      throw RuntimeError(
          message("hook has changed the size of value\nthe gradient was ", dy.shape(), ", got ", replaced.shape()));
    }
    if (replaced.dtype() != dy.dtype()) {
      throw RuntimeError(
          message("hook has changed the type of value (was ", dy.dtype(), " got ", replaced.dtype(), ")"));
    }
    dy = std::move(replaced);
  }
  if (extra.retains_grad) extra.retained_grad = extra.retained_grad.defined() ? extra.retained_grad + dy : dy;
}

void run_node(Node& node, const Tensor& dy, bool keep_graph) {
  if (node.freed()) {
    throw RuntimeError(
        "Trying to backward through the graph a second time (or directly access saved tensors after they have already "
        "been freed). Saved intermediate values of the graph are freed when you call .backward() or autograd.grad(). "
        "Specify retain_graph=True if you need to backward through the graph a second time or if you need to access "
        "saved tensors after calling backward.\nin gradus: backward({.retain_graph = true}) the first time");
  }
  const std::span<Ref<Node>> inputs = node.inputs();
  constexpr std::size_t usual = 4;
  std::array<Tensor, usual> few;
  std::vector<Tensor> many(inputs.size() > usual ? inputs.size() : 0);
  const std::span<Tensor> dx = many.empty() ? std::span<Tensor>(few).first(inputs.size()) : std::span<Tensor>(many);

  InputGradients gradients(dx, inputs);
  node.backward(dy, gradients);
  if (!keep_graph) node.free_saved();
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (dx[i].defined() && gradients.needs(i)) accumulate(inputs[i]->notes.gradient, std::move(dx[i]));
  }
}

/// Marks the nodes on a path to one of `targets`; the others need not run.
void mark_needed(const Pass& pass, std::span<const Ref<Node>> targets) {
  for (Node* node : pass.nodes()) node->notes.needed = false;
  for (const Ref<Node>& target : targets) target->notes.needed = true;
  const auto nodes = pass.nodes();
  for (auto node = nodes.rbegin(); node != nodes.rend(); ++node) {
    for (const Ref<Node>& input : (*node)->inputs()) (*node)->notes.needed |= input && input->notes.needed;
  }
}

void seed(const Tensor& y, const Tensor& gradient, Node& root, std::size_t position) {
  if (!gradient.defined()) {
    if (y.numel() != 1) {
      throw RuntimeError(message("grad can be implicitly created only for scalar outputs\nthis output has the shape ",
                                 y.shape(), ": reduce it, or give its gradient: backward({.gradient = …})"));
    }
    return accumulate(root.notes.gradient, ones_like(y));
  }
  if (gradient.shape() != y.shape()) {
    throw RuntimeError(message("Mismatch in shape: grad_output[", position, "] has a shape of ",
                               torch_size(gradient.shape()), " and output[", position, "] has a shape of ",
                               torch_size(y.shape()), "."));
  }
  accumulate(root.notes.gradient, gradient.to(y.dtype()));
}

std::vector<Ref<Node>> roots_of(std::span<const Tensor> outputs) {
  std::vector<Ref<Node>> roots;
  roots.reserve(outputs.size());
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    if (!outputs[i].requires_grad()) {
      throw RuntimeError(message("element ", i, " of tensors does not require grad and does not have a grad_fn"));
    }
    roots.push_back(edge(outputs[i]));
  }
  return roots;
}

void seed_all(std::span<const Tensor> outputs, const std::vector<Tensor>& gradients, std::span<const Ref<Node>> roots) {
  if (!gradients.empty() && gradients.size() != outputs.size()) {
    throw RuntimeError(message("got ", outputs.size(), " tensors and ", gradients.size(), " gradients"));
  }
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    seed(outputs[i], gradients.empty() ? Tensor() : gradients[i], *roots[i], i);
  }
}

}  // namespace

bool in_backward() noexcept { return Pass::active(); }

}  // namespace detail

using namespace detail;

void backward(const std::vector<Tensor>& outputs, const GradOptions& options) {
  const std::vector<Ref<Node>> roots = roots_of(outputs);
  const auto recording = set_recording(options.create_graph);
  const Pass pass(roots);
  seed_all(outputs, options.grad_outputs, roots);
  for (Node* node : pass.nodes()) {
    Tensor dy = std::move(node->notes.gradient);
    if (!dy.defined()) continue;
    if (node->extra) run_hooks(*node->extra, dy);
    run_node(*node, dy, options.retain_graph.value_or(options.create_graph));
  }
}

std::vector<Tensor> grad(const std::vector<Tensor>& outputs, const std::vector<Tensor>& inputs,
                         const GradOptions& options) {
  const std::vector<Ref<Node>> roots = roots_of(outputs);
  std::vector<Ref<Node>> targets;
  for (const Tensor& x : inputs) {
    if (!x.requires_grad()) throw RuntimeError("One of the differentiated Tensors does not require grad");
    targets.push_back(edge(x));
  }
  const auto recording = set_recording(options.create_graph);
  const Pass pass(roots);
  mark_needed(pass, targets);
  seed_all(outputs, options.grad_outputs, roots);

  std::vector<Tensor> results(inputs.size());
  for (Node* node : pass.nodes()) {
    Tensor dy = std::move(node->notes.gradient);
    if (!dy.defined() || !node->notes.needed) continue;
    if (node->extra) run_hooks(*node->extra, dy);
    for (std::size_t i = 0; i < targets.size(); ++i) {
      if (targets[i].get() == node) results[i] = dy;
    }
    if (!node->leaf()) run_node(*node, dy, options.retain_graph.value_or(options.create_graph));
  }
  for (const Tensor& gradient : results) {
    if (!gradient.defined() && !options.allow_unused) {
      throw RuntimeError(
          "One of the differentiated Tensors appears to not have been used in the graph. "
          "Set allow_unused=True if this is the desired behavior.");
    }
  }
  return results;
}

}  // namespace gradus
