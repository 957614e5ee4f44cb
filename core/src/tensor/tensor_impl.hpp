// What a Tensor handle points to.
#pragma once

#include "runtime/shared_by_threads.hpp"

#include <gradus/core/tensor.hpp>

#include <atomic>
#include <string>
#include <thread>

namespace gradus::detail {

class AccumulateGrad;

/// Counts owners; `release` of a derived type deletes at zero.
struct Counted {
  std::atomic<std::uint32_t> owners{1};
  bool release_is_last() noexcept { return unique() || fetch_add(owners, -1U, std::memory_order_acq_rel) == 1; }
  void retain() noexcept { fetch_add(owners, 1U, std::memory_order_relaxed); }
  bool unique() const noexcept { return owners.load(std::memory_order_acquire) == 1; }
};

/// A lock of one byte, for the few lines in which threads that share a leaf change it.
class Lock {
 public:
  void lock() noexcept {
    while (exchange(taken_, true, std::memory_order_acquire)) std::this_thread::yield();
  }
  void unlock() noexcept { taken_.store(false, std::memory_order_release); }

 private:
  std::atomic<bool> taken_{false};
};

/// A block of memory that several tensors may share: this header, the elements, and a place for the TensorImpl that is
/// made with it. `version` counts in-place writes.
struct alignas(64) Storage : Counted {
  static constexpr std::uint32_t several_families = UINT32_MAX;
  std::uint32_t version = 0;
  std::size_t bytes = 0;             // of the elements
  const char* written_by = nullptr;  // the operation of a graph that wrote in place last,
  std::uint32_t written_at = 0;      // the version that it made,
  std::uint32_t written_family = 0;  // and the family of the tensor it wrote to, or several_families
  const char* copied_by = nullptr;   // the operation that made this copy where PyTorch has a view: not to be written to
  void* elements() noexcept { return this + 1; }
  void* place_of_tensor() noexcept;

  static Storage* create(std::size_t bytes);
  void release() noexcept;
};

/// Parts that few tensors have: hooks, a kept gradient, a name. Shared by a tensor and the node that computed it, so
/// that the node need not own its output.
struct TensorNotes : Counted {
  std::vector<std::unique_ptr<Hook<const Tensor&>>> hooks;
  bool retains_grad = false;
  Tensor retained_grad;
  // For to_dot:
  std::string name;
  Tensor value;                   // of a computed tensor, outside the graph
  std::vector<Tensor> constants;  // what it was computed from outside the graph
  std::vector<Tensor> shares;     // under a TraceGuard: the gradient that each input got from here
  void release() noexcept {
    if (release_is_last()) delete this;
  }
};

/// Owning pointer to something with retain() and release().
template <class T>
class Ref {
 public:
  Ref() = default;
  explicit Ref(T* owned) : pointer_(owned) {}  // takes over one count
  Ref(const Ref& other) noexcept : pointer_(other.pointer_) {
    if (pointer_) pointer_->retain();
  }
  Ref(Ref&& other) noexcept : pointer_(std::exchange(other.pointer_, nullptr)) {}
  Ref& operator=(Ref other) noexcept {
    std::swap(pointer_, other.pointer_);
    return *this;
  }
  ~Ref() {
    if (pointer_) pointer_->release();
  }
  static Ref share(T* pointer) {
    if (pointer) pointer->retain();
    return Ref(pointer);
  }
  T* get() const noexcept { return pointer_; }
  T* operator->() const noexcept { return pointer_; }
  T& operator*() const noexcept { return *pointer_; }
  explicit operator bool() const noexcept { return pointer_ != nullptr; }

 private:
  T* pointer_ = nullptr;
};

struct TensorImpl : TensorHead, Counted {
  bool requires_grad = false;      // of a leaf; a computed tensor has grad_fn
  bool lies_in_storage = false;    // in the block of the storage that it was made with
  bool is_view = false;            // shares another tensor's storage on purpose of the user
  std::uint32_t family = 0;        // a tensor and its views; what detach() returns begins another in the same storage
  std::uint32_t seen_version = 0;  // of the storage when a view was made or joined the graph
  void* elements;
  Ref<Storage> storage;
  Ref<Node> grad_fn;
  Lock lock;  // of a leaf: for the next two, which backward passes of several threads change
  AccumulateGrad* accumulator = nullptr;  // the node that fills `grad`; made at need
  Tensor grad;
  Ref<TensorNotes> tensor_notes;

  Ref<Storage> home;  // that block, where `storage` has become another: its old elements stay as long as this tensor

  /// A tensor of its own in `storage`, which is new.
  static TensorImpl* create(Ref<Storage> storage, const Shape& shape, std::int64_t numel, Dtype dtype);
  TensorImpl(Ref<Storage> block, void* first, const Shape& extents, std::int64_t count, Dtype type);
  ~TensorImpl();
  void release() noexcept;
  TensorImpl(const TensorImpl&) = delete;
  TensorImpl& operator=(const TensorImpl&) = delete;

  bool tracked() const noexcept { return requires_grad || grad_fn; }
  /// Whether an operation of a graph has written to the tensor that this view, taken outside the graph, is a part of.
  bool lost_history() const noexcept {
    const bool of_family = family == storage->written_family || storage->written_family == Storage::several_families;
    return is_view && !grad_fn && seen_version < storage->written_at && of_family;
  }
  TensorNotes& shared_notes();  // makes it at need; the node's is the same one
  static void* operator new(std::size_t bytes);
  static void operator delete(void* block, std::size_t bytes) noexcept;
};

}  // namespace gradus::detail

namespace gradus {

inline detail::TensorImpl* impl_of(const Tensor& x) noexcept { return static_cast<detail::TensorImpl*>(x.impl_); }
inline Tensor adopt(detail::TensorImpl* impl) noexcept {  // takes over one count
  Tensor x;
  x.impl_ = impl;
  return x;
}

namespace detail {

/// Refuses an undefined tensor in the name of the function that calls this, or of `op`.
inline void check_defined(const Tensor& x, const char* op = __builtin_FUNCTION()) {
  if (!x.defined()) refuse_undefined(op);
}
inline void check_defined(const Tensor& a, const Tensor& b, const char* op = __builtin_FUNCTION()) {
  if (!a.defined() || !b.defined()) refuse_undefined(op, a.defined() ? 2 : 1);
}
inline void check_defined(const Tensor& a, const Tensor& b, const Tensor& c, const char* op = __builtin_FUNCTION()) {
  if (!a.defined() || !b.defined() || !c.defined()) refuse_undefined(op, !a.defined() ? 1 : b.defined() ? 3 : 2);
}
inline void check_defined(std::span<const Tensor> tensors, const char* list = "arguments",
                          const char* op = __builtin_FUNCTION()) {
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    if (!tensors[i].defined()) refuse_undefined(op, static_cast<int>(i) + 1, list);
  }
}

/// "writer to what op returned: …": for a copy that is marked so.
[[noreturn]] void refuse_lost_write(const std::string& writer, const char* op, const char* remedy = "");

/// Throws RuntimeError for a view that was written to through the tensor it is a part of, so that its place in the
/// graph is not known.
[[noreturn]] void refuse_changed_view(const TensorImpl& x);
/// Refuses such a view where a graph is recorded.
void check_view(const TensorImpl& x);
/// The number of a new family.
std::uint32_t new_family() noexcept;

/// A new tensor whose elements are not set.
Tensor make_tensor(const Shape& shape, Dtype dtype);
/// A tensor of `shape` over the storage of `base`, starting `offset` elements into it. Outside the graph.
Tensor make_view(const Tensor& base, const Shape& shape, std::int64_t offset);
/// True when no other tensor or graph can see a write to x.
bool owned_alone(const Tensor& x) noexcept;
/// x, or a copy when others can see it.
Tensor own(const Tensor& x);
void bump_version(const Tensor& x) noexcept;
/// Gives x the elements and dtype of `source`, a tensor of the same shape. All handles of x see it.
void replace_elements(const Tensor& x, const Tensor& source);

template <class T>
T* elements(const Tensor& x) noexcept {
  return static_cast<T*>(impl_of(x)->elements);
}
/// Null for an undefined tensor.
template <class T>
T* elements_or_null(const Tensor& x) noexcept {
  return x.defined() ? elements<T>(x) : nullptr;
}

}  // namespace detail
}  // namespace gradus
