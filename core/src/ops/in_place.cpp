// Writing into a tensor. Inside a graph, an in-place operation is the ordinary one whose result then moves into the
// tensor: y.mul_(x) makes y the result of y * x.
#include "ops/pairs.hpp"
#include "ops/places.hpp"

namespace gradus {

using namespace detail;

namespace {

/// Refuses what must not be written to.
void check_writable(const Tensor& x, bool recorded) {
  const TensorImpl& impl = *impl_of(x);
  if (const char* op = impl.storage->copied_by) refuse_lost_write("writing in place", op);
  if (!grad_enabled()) return;
  throw_if<RuntimeError>(impl.requires_grad,
                         "a leaf Variable that requires grad is being used in an in-place operation.\n"
                         "to change it outside the graph, as an optimiser does, write under a NoGradGuard");
  if (impl.is_view && recorded) {
    const bool of_leaf = impl.grad_fn && impl.grad_fn->inputs()[0] && impl.grad_fn->inputs()[0]->leaf();
    fail<RuntimeError>("a view of a ",
                       of_leaf ? "leaf Variable that requires grad" : "tensor that takes part in a graph",
                       " is being used in an in-place operation.\n"
                       "write under a NoGradGuard, or build the new tensor with where, cat or index operations");
  }
}

/// The same where the new elements are computed from `source`, too.
void check_writable(const Tensor& x, const Tensor& source, const char* op = __builtin_FUNCTION()) {
  check_defined(x, source, op);
  check_writable(x, tracks(x, source));
}

void check_shape(const Tensor& x, const Shape& result) {
  throw_if<RuntimeError>(result != x.shape(), "output with shape ", x.shape(), " doesn't match the broadcast shape ",
                         result);
}

void note_writer(const Tensor& x) {
  Storage& storage = *impl_of(x)->storage;
  const std::uint32_t family = impl_of(x)->family;
  const bool first = storage.written_at == 0 || storage.written_family == family;
  storage.written_family = first ? family : Storage::several_families;
  storage.written_by = impl_of(x)->grad_fn->name();
  storage.written_at = storage.version;
}

/// Moves the elements of `result`, and its place in the graph, into x.
Tensor& move_into(Tensor& x, const Tensor& result_) {
  check_shape(x, result_.shape());
  throw_if<RuntimeError>(is_floating(result_.dtype()) && !is_floating(x.dtype()), "result type ",
                         type_name(result_.dtype()), " can't be cast to the desired output type ", type_name(x.dtype()),
                         "\nconvert first: x = x.to(", result_.dtype(), ")");
  const Tensor result = result_.to(x.dtype());
  copy_elements(x, result);
  bump_version(x);
  if (impl_of(result)->grad_fn) {
    set_history(x, impl_of(result)->grad_fn);
    note_writer(x);
  }
  return x;
}

/// x = f(x, b) by a kernel, where nothing needs recording and the kernel serves.
bool write_directly(Tensor& x, const Tensor& b, BinaryLoop kernel) {
  if (tracks(x, b) || !is_floating(x.dtype()) || x.dtype() != b.dtype()) return false;
  if (x.shape() != b.shape() && broadcast_shapes(x.shape(), b.shape()) != x.shape()) return false;
  const bool same = elements<std::byte>(x) == elements<std::byte>(b) && x.shape() == b.shape();
  if (x.shares_storage(b) && !same) return false;  // b would change under way
  zip_into(x, x, b, kernel);
  bump_version(x);
  return true;
}

bool write_directly(Tensor& x, Scalar b, BinaryLoop kernel) {
  if (tracks(x) || !is_floating(x.dtype())) return false;
  visit_floating(x.dtype(), [&]<class T>(T*) {
    const T number = b.rounded<T>();
    kernel(elements<T>(x), {elements<T>(x), 0, 1}, {&number, 0, 0}, 1, x.numel());
  });
  bump_version(x);
  return true;
}

/// x for an operation that keeps it for the gradient of `other`: a copy in the same place of the graph, which the write
/// to x will not touch.
Tensor copy_to_save(const Tensor& x, const Tensor& other) {
  if (!tracks(other)) return x;
  Tensor copy = clone(x.detach());
  if (impl_of(x)->grad_fn) set_history(copy, impl_of(x)->grad_fn);
  return copy;
}

/// `source` where it is no part of x, else a copy: the write to x must not change it.
Tensor apart(const Tensor& source, const Tensor& x) { return x.shares_storage(source) ? source.clone() : source; }

/// other * alpha, checked: the number must fit the dtype in which x and other meet.
Tensor scaled(const Tensor& x, const Tensor& other, Scalar alpha) {
  const Dtype dtype = result_type(x, other);
  throw_if<RuntimeError>(alpha.kind() == boolean && dtype != boolean,
                         "Boolean alpha only supported for Boolean results.");
  throw_if<RuntimeError>(is_floating(alpha.kind()) && !is_floating(dtype),
                         "For integral input tensors, argument alpha must not be a floating point number.");
  visit(dtype, [alpha]<class T>(T*) { static_cast<void>(alpha.to<T>()); });
  return alpha.to<double>() == 1 ? other : mul(other, alpha);
}

enum class Keeps { nothing, x };

/// x = f(x, other), where f may keep x for the gradient of other.
Tensor& update(Tensor& x, const Tensor& other, BinaryLoop kernel, Tensor (*f)(const Tensor&, const Tensor&),
               Keeps keeps = Keeps::nothing) {
  if (write_directly(x, other, kernel)) return x;
  const Tensor before = keeps == Keeps::x ? copy_to_save(x, other) : x;
  return move_into(x, f(before, other.is_same(x) ? before : other));
}

Tensor& update(Tensor& x, Scalar other, BinaryLoop kernel, Tensor (*f)(const Tensor&, Scalar),
               const char* op = __builtin_FUNCTION()) {
  check_defined(x, op);
  check_writable(x, tracks(x));
  return write_directly(x, other, kernel) ? x : move_into(x, f(x, other));
}

}  // namespace

Tensor& Tensor::add_(const Tensor& other, Scalar alpha) {
  check_writable(*this, other);
  return update(*this, scaled(*this, other, alpha), loop<Binary::add>, add);
}

Tensor& Tensor::sub_(const Tensor& other, Scalar alpha) {
  check_writable(*this, other);
  return update(*this, scaled(*this, other, alpha), loop<Binary::sub>, sub);
}

Tensor& Tensor::mul_(const Tensor& other) {
  check_writable(*this, other);
  return update(*this, other, loop<Binary::mul>, mul, Keeps::x);
}

Tensor& Tensor::div_(const Tensor& other) {
  check_writable(*this, other);
  return update(*this, other, loop<Binary::div>, div, Keeps::x);
}

Tensor& Tensor::add_(Scalar other) { return update(*this, other, loop<Binary::add>, add); }
Tensor& Tensor::sub_(Scalar other) { return update(*this, other, loop<Binary::sub>, sub); }
Tensor& Tensor::mul_(Scalar other) { return update(*this, other, loop<Binary::mul>, mul); }
Tensor& Tensor::div_(Scalar other) { return update(*this, other, loop<Binary::div>, div); }

void detail::prepare_overwrite(const Tensor& x, const char* name) {
  check_writable(x, tracks(x));
  bump_version(x);
  if (!tracks(x)) return;
  record(x, name, {x}, [](const Tensor& dy) { return zeros_like(dy); });
  note_writer(x);
}

namespace {

Tensor& fill(Tensor& x, Scalar value, const char* name, const char* op = __builtin_FUNCTION()) {
  check_defined(x, op);
  visit(x.dtype(), [&]<class T>(T*) {
    const T filling = value.to<T>();
    prepare_overwrite(x, name);
    kernels::fill(elements<T>(x), filling, x.numel());
  });
  return x;
}

}  // namespace

Tensor& Tensor::zero_() { return fill(*this, 0, "ZeroBackward0"); }

Tensor& Tensor::fill_(Scalar value) { return fill(*this, value, "FillBackward2"); }

namespace {

bool broadcasts_to(const Shape& from, const Shape& to) {
  const int extra = to.rank() - from.rank();
  for (int d = 0; d < from.rank() && extra >= 0; ++d) {
    if (from[d] != 1 && from[d] != to[d + extra]) return false;
  }
  return extra >= 0;
}

}  // namespace

Tensor& Tensor::copy_(const Tensor& source_) {
  check_writable(*this, source_);
  if (source_.is_same(*this)) return *this;
  check_shape(*this, broadcast_shapes(shape(), source_.shape()));
  const Tensor source = apart(source_, *this);
  const bool recorded = tracks(*this, source);
  {
    const NoGradGuard no_grad;
    const Tensor same = source.to(dtype()), values = same.shape() == shape() ? same : same.expand(shape());
    copy_elements(*this, values);
  }
  bump_version(*this);
  if (recorded) {
    record(*this, "CopyBackwards", {*this, broadcast_input(source, shape())},
           [dtype = source.dtype()](const Tensor& dy, InputGradients& dx) {
             if (dx.needs(0)) dx[0] = zeros_like(dy);
             if (dx.needs(1)) dx[1] = dy.to(dtype);
           });
    note_writer(*this);
  }
  return *this;
}

Tensor& Tensor::index_put_(std::initializer_list<Index> indices, const Tensor& values_, bool accumulate) {
  check_writable(*this, values_);
  const Places places(shape(), {indices.begin(), indices.size()});
  throw_if<RuntimeError>(!broadcasts_to(values_.shape(), places.shape()), "shape mismatch: value tensor of shape ",
                         values_.shape(), " cannot be broadcast to indexing result of shape ", places.shape());
  const Tensor source = apart(values_, *this);
  const bool recorded = tracks(*this, source);
  const Tensor offsets = places.offsets();
  {
    const NoGradGuard no_grad;
    const Tensor values = source.to(dtype()).expand(places.shape());
    visit(dtype(), [&]<class T>(T*) {
      const auto put = [&](auto change) {
        pair_runs(elements<T>(*this), numel(), offsets, places.run(), elements<T>(values), change);
      };
      accumulate ? put(add_back) : put(write);
    });
  }
  bump_version(*this);
  if (recorded) {
    record(*this, places.by_tensors() ? "IndexPutBackward0" : "CopySlices",
           {*this, broadcast_input(source, places.shape())}, keep(offsets),
           [run = places.run(), shape = places.shape(), dtype = source.dtype(), accumulate](
               const Tensor& dy, const Tensor& offsets, InputGradients& dx) {
             if (dx.needs(0)) dx[0] = accumulate ? dy : zero_at(dy, offsets, run);
             if (dx.needs(1)) dx[1] = take_at(dy, offsets, run, shape, "IndexBackward0").to(dtype);
           });
    note_writer(*this);
  }
  return *this;
}

Tensor& Tensor::index_put_(std::initializer_list<Index> indices, Scalar value, bool accumulate) {
  check_defined(*this);
  return index_put_(indices, full({}, value, dtype()), accumulate);
}

}  // namespace gradus
