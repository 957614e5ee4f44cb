// Other shapes for the same elements: each result shares the storage of its argument.
#include "autograd/record.hpp"
#include "ops/strided.hpp"
#include "ops/views.hpp"
#include "tensor/message.hpp"

namespace gradus {

using namespace detail;

Tensor detail::reshaped(const Tensor& x, const Shape& shape, const char* name) {
  Tensor y = part_of(x, shape);
  return recorded(y, name, {x}, [from = x.shape()](const Tensor& dy) { return reshape(dy, from); });
}

namespace {

/// `wanted` with its -1, if any, replaced by what makes it a shape of `count` elements.
Shape infer(const Shape& wanted, std::int64_t count) {
  Shape shape = wanted;
  int unknown = -1;
  for (int d = 0; d < wanted.rank(); ++d) {
    if (wanted[d] < -1) fail<RuntimeError>("invalid shape dimension ", wanted[d]);
    if (wanted[d] != -1) continue;
    throw_if<RuntimeError>(unknown >= 0, "only one dimension can be inferred");
    unknown = d;
    shape[d] = 1;
  }
  const std::int64_t known = numel(shape);
  if (unknown >= 0) {
    throw_if<RuntimeError>(known == 0 && count == 0, "cannot reshape tensor of 0 elements into shape ", wanted,
                           " because the unspecified dimension size -1 can be any value and is ambiguous");
    if (known != 0) shape[unknown] = count / known;
  }
  throw_if<RuntimeError>(numel(shape) != count, "shape '", wanted, "' is invalid for input of size ", count);
  return shape;
}

}  // namespace

Tensor reshape(const Tensor& x, Shape shape) {
  check_defined(x);
  return reshaped(x, infer(shape, x.numel()), "ReshapeAliasBackward0");
}

Tensor view(const Tensor& x, Shape shape) {
  check_defined(x);
  return reshaped(x, infer(shape, x.numel()), "ViewBackward0");
}

Tensor flatten(const Tensor& x, Integer start_dim, Integer end_dim) {
  check_defined(x);
  const int start = normalize_dim(start_dim, x.dim()), end = normalize_dim(end_dim, x.dim());
  throw_if<RuntimeError>(start > end, "flatten() has invalid args: start_dim cannot come after end_dim");
  if (x.dim() == 0) return reshape(x, 1);
  if (start == end) return x;
  Shape shape = x.shape();
  for (int d = start; d < end; ++d) {
    shape[start] *= shape[start + 1];
    shape.erase(start + 1);
  }
  return reshape(x, shape);
}

Tensor squeeze(const Tensor& x) {
  check_defined(x);
  Shape shape;
  for (std::int64_t extent : x.shape()) {
    if (extent != 1) shape.push_back(extent);
  }
  return reshaped(x, shape, "SqueezeBackward0");
}

Tensor squeeze(const Tensor& x, Integer dim_) {
  check_defined(x);
  const int dim = normalize_dim(dim_, x.dim());
  Shape shape = x.shape();
  if (x.dim() > 0 && shape[dim] == 1) shape.erase(dim);
  return reshaped(x, shape, "SqueezeBackward1");
}

Tensor unsqueeze(const Tensor& x, Integer dim) {
  check_defined(x);
  Shape shape = x.shape();
  shape.insert(normalize_dim(dim, x.dim() + 1), 1);
  return reshaped(x, shape, "UnsqueezeBackward0");
}

}  // namespace gradus
