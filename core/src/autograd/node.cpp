#include "autograd/node.hpp"

#include "tensor/message.hpp"

#include <gradus/core/autograd.hpp>

#include <memory>

namespace gradus {
namespace detail {
namespace {

std::atomic<std::uint64_t> next_sequence{1};
std::atomic<std::int64_t> alive{0};

}  // namespace

Node::Node(const char* name) noexcept : sequence(next_sequence.fetch_add(1, std::memory_order_relaxed)), name_(name) {
  alive.fetch_add(1, std::memory_order_relaxed);
}

Node::~Node() {
  std::ranges::destroy(saved());
  std::ranges::destroy(inputs());
  alive.fetch_sub(1, std::memory_order_relaxed);
}

void Node::take_lists(void* block, std::size_t bytes, std::span<Ref<Node>> inputs, std::span<Saved> saved) noexcept {
  bytes_ = bytes;
  inputs_ = static_cast<Ref<Node>*>(block);
  input_count_ = static_cast<std::uint32_t>(inputs.size());
  saved_count_ = static_cast<std::uint32_t>(saved.size());
  std::uninitialized_move(inputs.begin(), inputs.end(), inputs_);
  std::uninitialized_move(saved.begin(), saved.end(), this->saved().data());
}

void Node::free_saved() noexcept {
  for (Saved& x : saved()) x = Saved();
  freed_ = saved_count_ > 0;
}

void Node::release() noexcept {
  if (!release_is_last()) return;
  // Deleting a node drops the nodes behind it, which come back here: they queue up instead of nesting.
  thread_local Node* queue = nullptr;
  thread_local bool deleting = false;
  next_dropped_ = queue;
  queue = this;
  if (deleting) return;
  deleting = true;
  while (queue) {
    Node* node = queue;
    queue = node->next_dropped_;
    const std::size_t bytes = node->bytes_;
    node->~Node();
    deallocate(node, bytes);
  }
  deleting = false;
}

AccumulateGrad::AccumulateGrad(const Tensor& leaf) noexcept : Node("AccumulateGrad"), leaf_(leaf) {
  extra = impl_of(leaf)->extra;
}

AccumulateGrad::~AccumulateGrad() { impl_of(leaf_)->accumulator = nullptr; }

void AccumulateGrad::backward(const Tensor& dy, InputGradients&) {
  if (!impl_of(leaf_)->requires_grad) return;  // frozen since the forward pass
  if (leaf_.dtype() != dy.dtype()) {
    throw RuntimeError(message("a leaf of the graph was ", dy.dtype(), " in the forward pass and is ", leaf_.dtype(),
                               " now\nconvert modules before the forward pass, or run it again"));
  }
  Tensor& grad = impl_of(leaf_)->grad;
  if (!grad.defined()) {
    // The engine holds one handle; a second owner is the user's, whose tensor must not change when the gradient grows.
    grad = grad_enabled() || owned_alone(dy) ? dy : dy.clone();
  } else if (grad_enabled()) {
    grad = grad + dy;
  } else {
    grad.add_(dy);
  }
}

}  // namespace detail

std::int64_t live_nodes() noexcept { return detail::alive.load(std::memory_order_relaxed); }

}  // namespace gradus
