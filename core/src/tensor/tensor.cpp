#include "autograd/record.hpp"
#include "runtime/memory.hpp"
#include "tensor/message.hpp"

#include <gradus/core/autograd.hpp>

#include <algorithm>
#include <cstdint>
#include <mutex>
#include <new>

namespace gradus {
namespace detail {

namespace {

/// Where the place of a tensor begins, behind the header and the elements.
std::size_t end_of_elements(std::size_t bytes) {
  constexpr std::size_t unit = alignof(TensorImpl);
  return sizeof(Storage) + (bytes + unit - 1) / unit * unit;
}
std::size_t block_bytes(std::size_t bytes) { return end_of_elements(bytes) + sizeof(TensorImpl); }

}  // namespace

Storage* Storage::create(std::size_t bytes) {
  auto* storage = new (allocate(block_bytes(bytes))) Storage;
  storage->bytes = bytes;
  return storage;
}

void* Storage::place_of_tensor() noexcept { return reinterpret_cast<std::byte*>(this) + end_of_elements(bytes); }

void Storage::release() noexcept {
  if (!release_is_last()) return;
  const std::size_t total = block_bytes(bytes);
  this->~Storage();
  deallocate(this, total);
}

TensorImpl* TensorImpl::create(Ref<Storage> storage, const Shape& shape, std::int64_t numel, Dtype dtype) {
  Storage& block = *storage;
  auto* impl = ::new (block.place_of_tensor()) TensorImpl(std::move(storage), block.elements(), shape, numel, dtype);
  impl->lies_in_storage = true;
  return impl;
}

TensorImpl::TensorImpl(Ref<Storage> block, void* first, const Shape& extents, std::int64_t count, Dtype type)
    : TensorHead{type, count, extents}, elements(first), storage(std::move(block)) {}
TensorImpl::~TensorImpl() {
  if (records_graphs) delete accumulator;
}

void TensorImpl::release() noexcept {
  if (!release_is_last()) return;
  if (!lies_in_storage) {
    delete this;
    return;
  }
  const Ref<Storage> block = std::move(home ? home : storage);  // goes last
  this->~TensorImpl();
}

TensorNotes& TensorImpl::shared_notes() {
  const std::lock_guard guard(lock);
  Node* node = grad_fn ? grad_fn.get() : accumulator;
  if (node && node->tensor_notes) tensor_notes = node->tensor_notes;
  if (!tensor_notes) tensor_notes = Ref<TensorNotes>(new TensorNotes);
  if (node) node->tensor_notes = tensor_notes;
  return *tensor_notes;
}

void* TensorImpl::operator new(std::size_t bytes) { return allocate(bytes); }
void TensorImpl::operator delete(void* block, std::size_t bytes) noexcept { deallocate(block, bytes); }

void retain(TensorHead* impl) noexcept {
  if (impl) static_cast<TensorImpl*>(impl)->retain();
}
void release(TensorHead* impl) noexcept { static_cast<TensorImpl*>(impl)->release(); }

Tensor make_tensor(const Shape& shape, Dtype dtype) {
  const std::int64_t count = numel(shape);
  // Beyond any machine, below any overflow; half of what there are addresses for, where those have 32 bits.
  constexpr std::int64_t most_bytes = std::min<std::int64_t>(std::int64_t{1} << 46, PTRDIFF_MAX);
  try {
    const auto item = static_cast<std::int64_t>(item_size(dtype));
    const bool large = count > most_bytes / 8;  // no division for others
    if (large && count > most_bytes / item) throw std::bad_alloc();
    Ref<Storage> storage(Storage::create(static_cast<std::size_t>(count * item)));
    return adopt(TensorImpl::create(std::move(storage), shape, count, dtype));
  } catch (const std::bad_alloc&) {
    fail<RuntimeError>("a tensor of shape ", shape, " and dtype ", dtype, " does not fit in memory");
  }
}

Tensor make_view(const Tensor& base, const Shape& shape, std::int64_t offset) {
  const TensorImpl& impl = *impl_of(base);
  auto* first = static_cast<std::byte*>(impl.elements) + static_cast<std::size_t>(offset) * item_size(impl.dtype);
  const std::int64_t count = &shape == &impl.shape ? impl.numel : numel(shape);
  return adopt(new TensorImpl(impl.storage, first, shape, count, impl.dtype));
}

std::uint32_t new_family() noexcept {
  constexpr std::uint32_t block = 1024;  // that a thread takes at once
  static std::atomic<std::uint32_t> blocks{0};
  thread_local std::uint32_t last = 0;
  if (last % block == 0) last = block * blocks.fetch_add(1, std::memory_order_relaxed);
  return ++last;
}

bool owned_alone(const Tensor& x) noexcept {
  const Storage& storage = *impl_of(x)->storage;
  return impl_of(x)->unique() && storage.unique() && !storage.copied_by;
}

void refuse_undefined(const char* op, int place, const char* list) {
  fail<RuntimeError>(op, place == 0 ? ": this Tensor" : message(": Tensor ", place, " of the ", list),
                     " is undefined (default-constructed or moved from)\n"
                     "grad() of a tensor is undefined until a backward() has reached it, and again after zero_grad()");
}

void refuse_lost_write(const std::string& writer, const char* op, const char* remedy) {
  fail<RuntimeError>(
      writer, " to what ", op,
      " returned: in PyTorch a view of another tensor, here a copy, so that the write would not reach that tensor\n"
      "write into a part of x with x.index_put_({Slice(), 2}, values), into rows with x[i] or x.narrow(0, …); to "
      "change the copy, clone() it first",
      remedy);
}

Tensor own(const Tensor& x) { return owned_alone(x) ? x : x.clone(); }

void bump_version(const Tensor& x) noexcept { ++impl_of(x)->storage->version; }

void replace_elements(const Tensor& x, const Tensor& source) {
  TensorImpl& to = *impl_of(x);
  const TensorImpl& from = *impl_of(source);
  if (to.storage.get() == from.storage.get()) return;
  to.dtype = from.dtype;
  to.elements = from.elements;
  if (to.lies_in_storage && !to.home) to.home = std::move(to.storage);
  to.storage = from.storage;
}

}  // namespace detail

using detail::check_defined, detail::fail, detail::throw_if;

namespace {

detail::TensorImpl& checked(const Tensor& x, const char* op = __builtin_FUNCTION()) {
  check_defined(x, op);
  return *impl_of(x);
}

}  // namespace

std::uint32_t Tensor::version() const { return checked(*this).storage->version; }
std::int64_t Tensor::size(Integer dim) const {
  check_defined(*this);
  throw_if<IndexError>(shape().empty(), "Dimension specified as ", dim, " but tensor has no dimensions");
  return shape()[normalize_dim(dim, shape().rank())];
}

bool Tensor::shares_storage(const Tensor& other) const {
  return checked(*this).storage.get() == checked(other).storage.get();
}

void* Tensor::data_of(Dtype dtype) const {
  detail::TensorImpl& impl = checked(*this, "data");
  if (impl.dtype != dtype) {
    fail<TypeError>("expected scalar type ", detail::type_name(dtype), " but found ", detail::type_name(impl.dtype),
                    "\nthis tensor is ", impl.dtype, ": ask for that, or convert with to(", dtype, ")");
  }
  return impl.elements;
}

void* Tensor::data_to_write(Dtype dtype) {
  void* const elements = data_of(dtype);
  if (const char* op = impl_of(*this)->storage->copied_by) {
    detail::refuse_lost_write("data() of a Tensor that is not const, applied", op,
                              "; to read it, ask a const Tensor, std::as_const(x).data<T>(), or x.to_vector<T>()");
  }
  return elements;
}

Tensor& detail::lasting(Tensor&& x) {
  throw_if<RuntimeError>(
      x.defined() && owned_alone(x),
      "a temporary on the left of +=, -=, *= or /=: it is a copy, which nobody could see after the write\n"
      "write into the tensor itself: x.index_put_({mask}, x[mask] + y)");
  return x;
}

Scalar Tensor::item_number() const {
  check_defined(*this, "item");
  throw_if<ValueError>(numel() != 1,
                       "only one element tensors can be converted to Python scalars\nitem() of a tensor of shape ",
                       shape());
  return visit(dtype(), [this]<class T>(T*) { return Scalar(*detail::elements<T>(*this)); });
}

bool Tensor::requires_grad() const { return checked(*this).tracked(); }
bool Tensor::is_leaf() const { return !checked(*this).grad_fn; }
std::string Tensor::grad_fn() const {
  const detail::Ref<detail::Node>& node = checked(*this).grad_fn;
  return node ? node->name() : "";
}

Tensor& Tensor::requires_grad_(bool requires_grad) {
  check_defined(*this);
  throw_if<RuntimeError>(requires_grad && !is_floating(dtype()),
                         "only Tensors of floating point dtype can require gradients\nthis one is ", dtype());
  if (!is_leaf()) {
    if (requires_grad) return *this;
    throw RuntimeError(
        "you can only change requires_grad flags of leaf variables. If you want to use a computed variable "
        "in a subgraph that doesn't require differentiation use var_no_grad = var.detach().");
  }
  detail::TensorImpl& impl = *impl_of(*this);
  if (detail::records_graphs && requires_grad && impl.lost_history()) detail::refuse_changed_view(impl);
  impl.requires_grad = requires_grad;
  if (requires_grad) impl.storage->copied_by = nullptr;  // a leaf is a tensor of its own
  return *this;
}

Tensor Tensor::grad() const {
  detail::TensorImpl& impl = checked(*this);
  if (impl.grad_fn) return impl.tensor_notes ? impl.tensor_notes->retained_grad : Tensor();
  const std::lock_guard lock(impl.lock);
  return impl.grad;
}

void Tensor::set_grad(Tensor gradient) const {
  detail::TensorImpl& impl = checked(*this);
  if (gradient.defined() && (gradient.shape() != shape() || gradient.dtype() != dtype())) {
    fail<RuntimeError>("set_grad: expected a gradient of shape ", shape(), " and dtype ", dtype(), ", got ",
                       gradient.shape(), " and ", gradient.dtype());
  }
  if (gradient.defined()) gradient = gradient.contiguous();  // which may be added to
  throw_if<RuntimeError>(gradient.is_same(*this), "can't assign Variable as its own grad");
  if (impl.grad_fn) {
    impl.shared_notes().retained_grad = std::move(gradient);
  } else {
    const std::lock_guard lock(impl.lock);
    std::swap(impl.grad, gradient);  // the old one goes after the lock: a graph may hang on it
  }
}

Tensor Tensor::detach() const {
  check_defined(*this);
  Tensor x = detail::make_view(*this, shape(), 0);
  impl_of(x)->is_view = impl_of(*this)->is_view;
  impl_of(x)->family = detail::new_family();
  return x;
}

const Tensor& Tensor::retain_grad() const {
  check_defined(*this);
  throw_if<RuntimeError>(!requires_grad(), "can't retain_grad on Tensor that has requires_grad=False");
  if (impl_of(*this)->grad_fn) impl_of(*this)->shared_notes().retains_grad = true;
  return *this;
}

void Tensor::add_hook(std::unique_ptr<detail::Hook<const Tensor&>> hook) const {
  check_defined(*this, "register_hook");
  throw_if<RuntimeError>(!requires_grad(), "cannot register a hook on a tensor that doesn't require gradient");
  impl_of(*this)->shared_notes().hooks.push_back(std::move(hook));
}

void Tensor::backward() const { backward({}); }

void Tensor::backward(const BackwardOptions& options) const {
  detail::backward({this, 1}, {&options.gradient, 1}, options.retain_graph, options.create_graph);
}

}  // namespace gradus
