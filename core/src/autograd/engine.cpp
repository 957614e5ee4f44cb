// The backward pass. It knows no operation by name: it collects the nodes behind the outputs, orders them, and hands
// each its gradient.
#include "autograd/pass.hpp"
#include "autograd/record.hpp"
#include "tensor/message.hpp"

namespace gradus {
namespace detail {
namespace {

void accumulate(Tensor& sum, Tensor&& part) {
  if (!sum.defined()) {
    sum = std::move(part);
  } else if (!grad_enabled() && owned_alone(sum)) {
    sum.add_(part);
  } else {
    sum = sum + part;
  }
}

/// Hooks are given a gradient of their own each time, for they may keep it and write to it.
void run_hooks(TensorNotes& notes, Tensor& dy) {
  for (const auto& hook : notes.hooks) {
    dy = own(dy);
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
  if (!notes.hooks.empty()) dy = own(dy);
  if (notes.retains_grad) notes.retained_grad = notes.retained_grad.defined() ? notes.retained_grad + dy : dy.clone();
}

void run_node(Pass& pass, Node& node, std::span<Tensor> dy, bool keep_graph) {
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
  std::array<Tensor*, usual> few_sums;
  std::vector<Tensor> many(inputs.size() > usual ? inputs.size() : 0);
  std::vector<Tensor*> many_sums(many.size());
  const std::span<Tensor> dx = many.empty() ? std::span(few).first(inputs.size()) : std::span(many);
  const std::span<Tensor*> sums = many.empty() ? std::span(few_sums).first(inputs.size()) : std::span(many_sums);
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    Node* input = inputs[i].get();
    sums[i] = input && pass.notes(*input).needed ? &pass.gradient(*input, node.output) : nullptr;
  }

  InputGradients gradients(dx, sums);
  node.backward(dy, gradients);
  if (!keep_graph) node.free_saved();
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (dx[i].defined() && sums[i]) accumulate(*sums[i], std::move(dx[i]));
  }
}

/// Hands every node that is needed its gradients. `take(node, dy)` is asked first, and says whether the node is to run.
template <class F>
void run(Pass& pass, bool keep_graph, F take) {
  for (Node* node : pass.nodes()) {
    PassNotes& notes = pass.notes(*node);
    if (!notes.needed) continue;
    Tensor dy = std::move(notes.gradient);
    std::vector<Tensor> of_outputs = pass.take_outputs(*node);
    if (!dy.defined() && of_outputs.empty()) continue;
    if (dy.defined() && node->tensor_notes) run_hooks(*node->tensor_notes, dy);
    if (!take(*node, dy)) continue;
    if (of_outputs.empty()) {
      run_node(pass, *node, {&dy, 1}, keep_graph);
    } else {
      of_outputs[0] = std::move(dy);
      run_node(pass, *node, of_outputs, keep_graph);
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

void seed(const Tensor& y, const Tensor& gradient, Tensor& sum, std::size_t position) {
  if (!gradient.defined()) {
    if (y.numel() != 1) {
      throw RuntimeError(message("grad can be implicitly created only for scalar outputs\nthis output has the shape ",
                                 y.shape(), ": reduce it, or give its gradient: backward({.gradient = …})"));
    }
    return accumulate(sum, ones_like(y));
  }
  if (gradient.shape() != y.shape()) {
    throw RuntimeError(message("Mismatch in shape: grad_output[", position, "] has a shape of ",
                               torch_size(gradient.shape()), " and output[", position, "] has a shape of ",
                               torch_size(y.shape()), "."));
  }
  accumulate(sum, gradient.to(y.dtype()));
}

std::vector<Ref<Node>> roots_of(std::span<const Tensor> outputs, const char* op = __builtin_FUNCTION()) {
  check_defined(outputs, "outputs", op);
  std::vector<Ref<Node>> roots;
  roots.reserve(outputs.size());
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    if (!outputs[i].requires_grad()) {
      throw RuntimeError(message("element ", i, " of tensors does not require grad and does not have a grad_fn"));
    }
    roots.push_back(node_of(outputs[i]));
  }
  return roots;
}

void seed_all(Pass& pass, std::span<const Tensor> outputs, const std::vector<Tensor>& gradients,
              std::span<const Ref<Node>> roots) {
  if (!gradients.empty() && gradients.size() != outputs.size()) {
    throw RuntimeError(message("got ", outputs.size(), " tensors and ", gradients.size(), " gradients"));
  }
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    seed(outputs[i], gradients.empty() ? Tensor() : gradients[i], pass.notes(*roots[i]).gradient, i);
  }
}

}  // namespace

bool in_backward() noexcept { return Pass::active(); }

}  // namespace detail

using namespace detail;

void backward(const std::vector<Tensor>& outputs, const GradOptions& options) {
  const std::vector<Ref<Node>> roots = roots_of(outputs);
  const auto recording = set_recording(options.create_graph);
  Pass pass(roots);
  seed_all(pass, outputs, options.grad_outputs, roots);
  run(pass, options.retain_graph.value_or(options.create_graph), [](Node&, const Tensor&) { return true; });
}

std::vector<Tensor> grad(const std::vector<Tensor>& outputs, const std::vector<Tensor>& inputs,
                         const GradOptions& options) {
  const std::vector<Ref<Node>> roots = roots_of(outputs);
  check_defined(inputs, "inputs");
  std::vector<Ref<Node>> targets;
  for (const Tensor& x : inputs) {
    if (!x.requires_grad()) throw RuntimeError("One of the differentiated Tensors does not require grad");
    targets.push_back(node_of(x));
  }
  const auto recording = set_recording(options.create_graph);
  Pass pass(roots);
  mark_needed(pass, targets);
  seed_all(pass, outputs, options.grad_outputs, roots);

  std::vector<Tensor> results(inputs.size());
  run(pass, options.retain_graph.value_or(options.create_graph), [&](const Node& node, const Tensor& dy) {
    for (std::size_t i = 0; i < targets.size(); ++i) {
      if (targets[i].get() == &node) results[i] = dy;
    }
    return !node.is_leaf();
  });
  for (Tensor& gradient : results) {
    if (gradient.defined()) {
      gradient = own(gradient);
    } else if (!options.allow_unused) {
      throw RuntimeError(
          "One of the differentiated Tensors appears to not have been used in the graph. "
          "Set allow_unused=True if this is the desired behavior.");
    }
  }
  return results;
}

}  // namespace gradus
