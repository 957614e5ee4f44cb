#include "autograd/node.hpp"

#include "runtime/memory.hpp"
#include "tensor/message.hpp"

#include <gradus/core/autograd.hpp>

namespace gradus {
namespace detail {
namespace {

std::atomic<std::uint64_t> next_sequence{1};
std::atomic<std::int64_t> alive{0};
thread_local SavedListener* listener = nullptr;

}  // namespace

SavedListener::SavedListener() noexcept : scope_(listener, this) {}
SavedListener* SavedListener::current() noexcept { return listener; }

Node::Node(const char* name) : sequence(next_sequence.fetch_add(1, std::memory_order_relaxed)), name_(name) {
  alive.fetch_add(1, std::memory_order_relaxed);
}

Node::~Node() { alive.fetch_sub(1, std::memory_order_relaxed); }

void* Node::operator new(std::size_t bytes) { return allocate(bytes); }
void Node::operator delete(void* block, std::size_t bytes) noexcept { deallocate(block, bytes); }

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
    delete node;
  }
  deleting = false;
}

AccumulateGrad::AccumulateGrad(const Tensor& leaf) : Node("AccumulateGrad"), leaf_(leaf) {
  extra = impl_of(leaf)->extra;
}

AccumulateGrad::~AccumulateGrad() { impl_of(leaf_)->accumulator = nullptr; }

void AccumulateGrad::backward(const Tensor& dy, Gradients&) {
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
