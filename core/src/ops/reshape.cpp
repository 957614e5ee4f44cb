// Other shapes for the same elements: each result shares the storage of its argument.
#include "ops/reshape.hpp"

#include "autograd/record.hpp"
#include "ops/strided.hpp"
#include "tensor/message.hpp"

namespace gradus {

using namespace detail;

Tensor detail::reshaped(const Tensor& x, const Shape& shape, const char* name) {
  Tensor y = part_of(x, shape);
  if (tracks(x)) {
    record(y, name, {x}, [from = x.shape()](const Tensor& dy, InputGradients& dx) { dx[0] = reshape(dy, from); });
  }
  return y;
}

namespace {

/// `wanted` with its -1, if any, replaced by what makes it a shape of `count` elements.
Shape infer(const Shape& wanted, std::int64_t count) {
  Shape shape = wanted;
  int unknown = -1;
  for (int d = 0; d < wanted.rank(); ++d) {
    if (wanted[d] < -1) throw RuntimeError(message("invalid shape dimension ", wanted[d]));
    if (wanted[d] != -1) continue;
    if (unknown >= 0) throw RuntimeError("only one dimension can be inferred");
    unknown = d;
    shape[d] = 1;
  }
  const std::int64_t known = numel(shape);
  if (unknown >= 0) {
    if (known == 0 && count == 0) {
      throw RuntimeError(message("cannot reshape tensor of 0 elements into shape ", wanted,
                                 " because the unspecified dimension size -1 can be any value and is ambiguous"));
    }
    if (known != 0) shape[unknown] = count / known;
  }
  if (numel(shape) != count) {
    throw RuntimeError(message("shape '", wanted, "' is invalid for input of size ", count));
  }
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
  if (start > end) throw RuntimeError("flatten() has invalid args: start_dim cannot come after end_dim");
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
