#include "autograd/node.hpp"

#include "autograd/record.hpp"
#include "tensor/message.hpp"

#include <gradus/core/autograd.hpp>

#include <algorithm>
#include <memory>
#include <mutex>

namespace gradus {
namespace detail {
namespace {

std::atomic<std::int64_t> alive{0};

}  // namespace

Node::Node(const char* name, bool is_leaf, bool takes_part) noexcept
    : is_leaf_(is_leaf), takes_part_(takes_part), name_(name) {
  if (!is_leaf) fetch_add(alive, 1, std::memory_order_relaxed);
}

Node::~Node() {
  std::ranges::destroy(saved());
  std::ranges::destroy(inputs());
  if (!is_leaf_) fetch_add(alive, -1, std::memory_order_relaxed);
}

void Node::take_lists(void* block, std::size_t bytes, std::span<Ref<Node>> inputs, std::span<Saved> saved) noexcept {
  bytes_ = static_cast<std::uint32_t>(bytes);
  inputs_ = static_cast<Ref<Node>*>(block);
  input_count_ = static_cast<std::uint32_t>(inputs.size());
  saved_count_ = static_cast<std::uint16_t>(saved.size());
  std::uninitialized_move(inputs.begin(), inputs.end(), inputs_);
  std::uninitialized_move(saved.begin(), saved.end(), this->saved().data());
  number();
}

void Node::number() noexcept {
  thread_local std::uint64_t last = 0;
  for (const Ref<Node>& input : inputs()) {
    if (input) last = std::max(last, input->sequence);
  }
  sequence = ++last;
}

void Node::free_saved() noexcept {
  for (Saved& x : saved()) x = Saved();
  if (saved_count_ > 0) freed_ = true;  // a leaf's node, which threads share, has nothing and is not written to
}

void Node::release() noexcept {
  if (is_leaf_) return static_cast<AccumulateGrad*>(this)->end_use();
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

AccumulateGrad::AccumulateGrad(TensorImpl& leaf) noexcept : Node("AccumulateGrad", true, true), leaf_(leaf) {
  owners = 0;
}

Ref<Node> AccumulateGrad::share() noexcept {
  const bool unused = owners.load(std::memory_order_acquire) == 0;  // and nobody else can begin to use it
  if (unused) owners.store(1, std::memory_order_relaxed);
  if (unused || fetch_add(owners, 1U, std::memory_order_acq_rel) == 0) {
    leaf_.retain();
    fetch_add(alive, 1, std::memory_order_relaxed);
    tensor_notes = leaf_.tensor_notes;
    number();
  }
  return Ref<Node>(this);
}

void AccumulateGrad::end_use() noexcept {
  TensorImpl& leaf = leaf_;  // after the last use another may begin in another thread, or this object end
  if (fetch_add(owners, -1U, std::memory_order_acq_rel) != 1) return;
  fetch_add(alive, -1, std::memory_order_relaxed);
  leaf.release();
}

void AccumulateGrad::backward(std::span<Tensor> dy_, InputGradients&) {
  const Tensor& dy = dy_[0];
  if (!leaf_.requires_grad) return;  // frozen since the forward pass
  if (leaf_.dtype != dy.dtype()) {
    fail<RuntimeError>("a leaf of the graph was ", dy.dtype(), " in the forward pass and is ", leaf_.dtype,
                       " now\nconvert modules before the forward pass, or run it again");
  }
  if (grad_enabled()) return add_recorded(dy);
  const std::lock_guard lock(leaf_.lock);
  if (leaf_.grad.defined()) {
    leaf_.grad.add_(dy);
  } else {
    leaf_.grad = dy.shape() == leaf_.shape ? own(dy) : expand(dy, leaf_.shape);
  }
}

/// grad = grad + dy as a part of the graph. Only the exchange is locked, for operations lock leaves, too.
void AccumulateGrad::add_recorded(const Tensor& dy) {
  const auto gradient = [this] {
    const std::lock_guard lock(leaf_.lock);
    return leaf_.grad;
  };
  for (;;) {
    Tensor before = gradient();
    Tensor after = before.defined() ? before + dy : own(dy);
    const std::lock_guard lock(leaf_.lock);
    if (!leaf_.grad.is_same(before)) continue;  // another thread came first
    std::swap(leaf_.grad, after);
    return;
  }
}

// --- what a node keeps

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
  fail<RuntimeError>(
      "one of the variables needed for gradient computation has been modified by an inplace operation: [torch.",
      type_name(tensor_.dtype()), "Tensor ", tensor_.shape(), "]",
      origin ? message(", which is output 0 of ", written_by && !is_result() ? written_by : origin->name(), ",") : "",
      " is at version ", tensor_.version(), "; expected version ", version_, " instead. Hint: ", node.name(),
      " needs the elements that this tensor had in the forward pass: change a copy of it, which clone() gives");
}

}  // namespace detail

std::int64_t live_nodes() noexcept { return detail::alive.load(std::memory_order_relaxed); }

}  // namespace gradus
