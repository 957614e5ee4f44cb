// select, narrow, index_select, gather, masked_fill, and the adjoints that put elements back where an index took them.
#include "ops/pairs.hpp"
#include "ops/places.hpp"
#include "ops/views.hpp"

#include <algorithm>

namespace gradus {

using namespace detail;

namespace {

/// Elements [start, start + length) of one dimension, outside the graph; those of dimension 0 share storage.
Tensor range_of(const Tensor& x, int dim, std::int64_t start, std::int64_t length, const char* op) {
  Shape shape = x.shape();
  const Shape strides = strides_of(shape);
  shape[dim] = length;
  const std::int64_t offset = start * strides[dim];
  if (dim == 0) return part_of(x, shape, offset);
  Tensor y = strided_copy(x, shape, strides, offset);
  mark_as_copy(y, op);
  return y;
}

/// Zeros of `shape` with x where narrow would take it from.
Tensor embed(const Tensor& x, const Shape& shape, int dim, std::int64_t start, const char* name) {
  Tensor y = zeros(shape, x.dtype());
  paste(y, x, dim, start);
  return recorded(y, name, {x},
                  [dim, start, length = x.shape()[dim]](const Tensor& dy) { return narrow(dy, dim, start, length); });
}

[[noreturn]] void refuse_changed_index(const Tensor&, int, const Shape&) {  // data() writes to an index unseen
  fail<RuntimeError>("the index of index_select or gather was changed after the forward pass");
}

/// Zeros of `shape` with the slices of x added at `index` of `dim`: the adjoint of index_select.
Tensor index_add(const Tensor& x, const Shape& shape, int dim, const Tensor& index) {
  if (index_outside(index, shape[dim])) refuse_changed_index(index, dim, shape);
  Tensor y = zeros(shape, x.dtype());
  visit(x.dtype(), [&]<class T>(T*) { pair_selected<T>(y, dim, index, x, add_back); });
  return recorded(y, "IndexAddBackward0", {x}, keep(index),
                  [dim](const Tensor& dy, const Tensor& index) { return index_select(dy, dim, index); });
}

}  // namespace

std::optional<std::int64_t> detail::index_outside(const Tensor& index, std::int64_t extent) {
  const auto all = index.data<std::int64_t>();
  std::uint64_t signs = 0;  // the sign of i is set below 0, that of extent - 1 - i from extent on
  for (const std::int64_t i : all) {
    const auto place = static_cast<std::uint64_t>(i);
    signs |= place | (static_cast<std::uint64_t>(extent) - 1 - place);
  }
  if (static_cast<std::int64_t>(signs) >= 0) return {};
  return *std::find_if(all.begin(), all.end(), [extent](std::int64_t i) { return i < 0 || i >= extent; });
}

void detail::check_slices(const Tensor& index, int dim, const Shape& shape, const char* op) {
  if (const auto outside = index_outside(index, shape[dim])) {
    fail<IndexError>("index out of range in self\n", op, ": ", *outside, " is out of bounds for dimension ", dim,
                     " with size ", shape[dim]);
  }
}

void detail::refuse_index(const Tensor& index, int dim, const Shape& shape) {
  const std::int64_t extent = shape.empty() ? 1 : shape[dim];
  fail<RuntimeError>("index ", *index_outside(index, extent), " is out of bounds for dimension ", dim, " with size ",
                     extent);
}

Tensor detail::scatter_add(const Tensor& x, const Shape& shape, int dim, const Tensor& index) {
  Tensor y = zeros(shape, x.dtype());
  visit(x.dtype(), [&]<class T>(T*) { pair_gathered<T, refuse_changed_index>(y, dim, index, x, add_back); });
  return recorded(y, "ScatterAddBackward0", {x}, keep(index),
                  [dim](const Tensor& dy, const Tensor& index) { return gather(dy, dim, index); });
}

Tensor Tensor::operator[](Integer index) const {
  check_defined(*this);
  if (dim() == 0) refuse_0d();
  return take_one(*this, 0, position_in(shape()[0], index, 0), "SelectBackward0");
}

Tensor select(const Tensor& x, Integer dim_, Integer index) {
  check_defined(x);
  throw_if<IndexError>(x.dim() == 0, "select() cannot be applied to a 0-dim tensor.");
  const int dim = normalize_dim(dim_, x.dim());
  const std::int64_t extent = x.shape()[dim];
  throw_if<IndexError>(index < -extent || index >= extent, "select(): index ", index,
                       " out of range for tensor of size ", x.shape(), " at dimension ", dim);
  return take_one(x, dim, index < 0 ? index + extent : std::int64_t{index}, "SelectBackward0");
}

Tensor detail::take_one(const Tensor& x, int dim, std::int64_t index, const char* name) {
  Tensor y = range_of(x, dim, index, 1, "select()");
  impl_of(y)->shape.erase(dim);
  return recorded(y, name, {x}, [shape = x.shape(), dim, index](const Tensor& dy) {
    return embed(dy.unsqueeze(dim), shape, dim, index, "SelectBackwardBackward0");
  });
}

Tensor narrow(const Tensor& x, Integer dim_, Integer start_, Integer length) {
  check_defined(x);
  std::int64_t start = start_;
  throw_if<RuntimeError>(x.dim() == 0, "narrow() cannot be applied to a 0-dim tensor.");
  const int dim = normalize_dim(dim_, x.dim());
  const std::int64_t extent = x.shape()[dim];
  throw_if<IndexError>(start < -extent || start > extent, "Dimension out of range (expected to be in range of [",
                       -extent, ", ", extent - 1, "], but got ", start, ")\nnarrow: this is the start in dimension ",
                       dim, " of ", x.shape());
  if (start < 0) start += extent;
  throw_if<RuntimeError>(length < 0 || length > extent - start, "start (", start, ") + length (", length,
                         ") exceeds dimension size (", extent, ").");
  return take_range(x, dim, start, length, "SliceBackward0");
}

Tensor detail::take_range(const Tensor& x, int dim, std::int64_t start, std::int64_t length, const char* name) {
  Tensor y = range_of(x, dim, start, length, "narrow()");
  return recorded(y, name, {x}, [shape = x.shape(), dim, start](const Tensor& dy) {
    return embed(dy, shape, dim, start, "SliceBackwardBackward0");
  });
}

Tensor index_select(const Tensor& x, Integer dim_, const Tensor& index) {
  check_defined(x, index);
  const int dim = normalize_dim(dim_, x.dim());
  throw_if<RuntimeError>(index.dtype() != int64, "index_select(): Expected dtype int32 or int64 for index\ngot ",
                         index.dtype());
  throw_if<IndexError>(index.dim() > 1, "index_select(): Index is supposed to be a vector\ngot the shape ",
                       index.shape(), ": x[index] takes an index of any shape along dimension 0");
  if (x.dim() == 0) return index_select(x.reshape(1), 0, index).reshape({});
  check_slices(index, dim, x.shape());
  Shape shape = x.shape();
  shape[dim] = index.numel();
  Tensor y = make_tensor(shape, x.dtype());
  visit_moved(x.dtype(), [&]<class T>(T*) { pair_selected<T>(x, dim, index, y, read); });
  return recorded(
      y, "IndexSelectBackward0", {x}, keep(index),
      [from = x.shape(), dim](const Tensor& dy, const Tensor& index) { return index_add(dy, from, dim, index); });
}

Tensor gather(const Tensor& x, Integer dim_, const Tensor& index) {
  check_defined(x, index);
  const int dim = normalize_dim(dim_, x.dim());
  throw_if<RuntimeError>(index.dtype() != int64, "gather(): Expected dtype int64 for index\ngot ", index.dtype());
  throw_if<RuntimeError>(index.dim() != x.dim(),
                         "Index tensor must have the same number of dimensions as input tensor\ngot ", index.shape(),
                         " and ", x.shape());
  for (int d = 0; d < x.dim(); ++d) {
    throw_if<RuntimeError>(d != dim && index.shape()[d] > x.shape()[d], "Size does not match at dimension ", d,
                           " expected index ", index.shape(), " to be smaller than self ", x.shape(),
                           " apart from dimension ", dim);
  }
  Tensor y = make_tensor(index.shape(), x.dtype());
  visit_moved(x.dtype(), [&]<class T>(T*) { pair_gathered<T>(x, dim, index, y, read); });
  return recorded(
      y, "GatherBackward0", {x}, keep(index),
      [from = x.shape(), dim](const Tensor& dy, const Tensor& index) { return scatter_add(dy, from, dim, index); });
}

Tensor masked_fill(const Tensor& x, const Tensor& mask, Scalar value) {
  check_defined(x, mask);
  throw_if<RuntimeError>(mask.dtype() != boolean, "masked_fill only supports boolean masks, but got mask with dtype ",
                         mask.dtype());
  const Shape shape = broadcast_shapes(mask.shape(), x.shape());
  Tensor y = choose(shape, mask, full({}, value, x.dtype()), x);
  return recorded(y, "MaskedFillBackward0", {broadcast_input(x, shape)}, keep(mask),
                  [](const Tensor& dy, const Tensor& mask) { return masked_fill(dy, mask, 0); });
}

}  // namespace gradus
