// index_add, scatter_add, scatter, take_along_dim, one_hot.
#include "ops/pairs.hpp"

namespace gradus {

using namespace detail;

namespace {

/// x with f(its element, element of source) where index points along `dim`, outside the graph.
template <class F>
Tensor changed_at(const Tensor& x, int dim, const Tensor& index, const Tensor& source, F f) {
  Tensor y = clone(x.detach());
  visit(y.dtype(), [&]<class T>(T*) { pair_gathered<T>(y, dim, index, source, f); });
  return y;
}

void check_scatter(const Tensor& x, int dim, const Tensor& index, const Shape& source) {
  throw_if<RuntimeError>(index.dtype() != int64, "scatter(): Expected dtype int64 for index\ngot ", index.dtype());
  throw_if<RuntimeError>(index.dim() != x.dim() || source.rank() != x.dim(),
                         "Index tensor must have the same number of dimensions as self tensor\nx ", x.shape(),
                         ", index ", index.shape(), ", src ", source);
  for (int d = 0; d < x.dim(); ++d) {
    const std::int64_t n = index.shape()[d];
    if (n <= source[d] && (d == dim || n <= x.shape()[d])) continue;
    fail<RuntimeError>("Expected index ", index.shape(), " to be smaller than self ", x.shape(),
                       " apart from dimension ", dim, " and to be smaller size than src ", source);
  }
}

/// The part of `source` that index has places for.
Tensor part_for(const Tensor& index, const Tensor& source) {
  Tensor part = source;
  for (int d = 0; d < source.dim(); ++d) {
    if (part.shape()[d] != index.shape()[d]) part = narrow(part, d, 0, index.shape()[d]);
  }
  return part;
}

}  // namespace

Tensor index_add(const Tensor& x, Integer dim_, const Tensor& index, const Tensor& source, Scalar alpha) {
  check_defined(x, index, source);
  const int dim = normalize_dim(dim_, x.dim());
  throw_if<RuntimeError>(index.dtype() != int64,
                         "index_add_(): Expected dtype int32/int64 for index but got: ", type_name(index.dtype()));
  throw_if<IndexError>(index.dim() > 1, "index_add_(): Index is supposed to be a vector, but got dim: ", index.dim(),
                       " with type: ", type_name(index.dtype()), " and size: ", index.shape());
  throw_if<RuntimeError>(x.dtype() != source.dtype(), "index_add_(): self (", type_name(x.dtype()), ") and source (",
                         type_name(source.dtype()), ") must have the same scalar type");
  if (x.dim() == 0) return index_add(x.reshape(1), 0, index, source.reshape(-1), alpha).reshape({});
  Shape expected = x.shape();
  expected[dim] = index.numel();
  if (source.dim() == x.dim() && source.shape()[dim] != index.numel()) {
    fail<RuntimeError>("index_add_(): Number of indices (", index.numel(), ") should be equal to source.size(dim): (",
                       source.shape()[dim], "), for dim: ", dim);
  }
  throw_if<RuntimeError>(source.shape() != expected, "index_add_(): expected a source of shape ", expected, ", got ",
                         source.shape());
  check_slices(index, dim, x.shape());
  Tensor y = clone(x.detach());
  visit(y.dtype(), [&]<class T>(T*) {
    const T factor = alpha.to<T>();
    pair_selected<T>(y, dim, index, source, [=](T& sum, T& value) { sum = plus(sum, times(factor, value)); });
  });
  return recorded(y, "IndexAddBackward0", {x, source}, keep(index),
                  [dim, alpha](const Tensor& dy, const Tensor& index, InputGradients& dx) {
                    if (dx.needs(0)) dx[0] = dy;
                    if (dx.needs(1)) dx[1] = index_select(dy, dim, index) * alpha;
                  });
}

namespace {

/// x with the elements of src where index points: added, or in their place.
Tensor scattered(const Tensor& x, Integer dim_, const Tensor& index, const Tensor& src, bool adds, const char* name,
                 const char* op = __builtin_FUNCTION()) {
  check_defined(x, index, src, op);
  const int dim = normalize_dim(dim_, x.dim());
  throw_if<RuntimeError>(x.dtype() != src.dtype(), "scatter(): Expected self.dtype to be equal to src.dtype\nthey are ",
                         x.dtype(), " and ", src.dtype(), ": convert one with to(dtype)");
  check_scatter(x, dim, index, src.shape());
  const Tensor source = part_for(index, src);
  Tensor y = adds ? changed_at(x, dim, index, source, add_back) : changed_at(x, dim, index, source, write);
  return recorded(y, name, {x, source}, keep(index),
                  [dim, adds](const Tensor& dy, const Tensor& index, InputGradients& dx) {
                    if (dx.needs(0)) dx[0] = adds ? dy : scatter(dy, dim, index, 0);
                    if (dx.needs(1)) dx[1] = gather(dy, dim, index);
                  });
}

}  // namespace

Tensor scatter_add(const Tensor& x, Integer dim, const Tensor& index, const Tensor& src) {
  return scattered(x, dim, index, src, true, "ScatterAddBackward0");
}

Tensor scatter(const Tensor& x, Integer dim, const Tensor& index, const Tensor& src) {
  return scattered(x, dim, index, src, false, "ScatterBackward0");
}

Tensor scatter(const Tensor& x, Integer dim_, const Tensor& index, Scalar value) {
  check_defined(x, index);
  const int dim = normalize_dim(dim_, x.dim());
  check_scatter(x, dim, index, index.shape());
  Tensor y = changed_at(x, dim, index, full(index.shape(), value, x.dtype()), write);
  return recorded(y, "ScatterBackward1", {x}, keep(index),
                  [dim](const Tensor& dy, const Tensor& index) { return scatter(dy, dim, index, 0); });
}

Tensor take_along_dim(const Tensor& x, const Tensor& index) {
  check_defined(x, index);
  return gather(x.reshape(-1), 0, index.reshape(-1));
}

Tensor take_along_dim(const Tensor& x, const Tensor& index, Integer dim_) {
  check_defined(x, index);
  throw_if<RuntimeError>(index.dtype() != int64, "torch.take_along_dim(): dtype of indices should be Long but got ",
                         type_name(index.dtype()));
  throw_if<RuntimeError>(
      index.dim() != x.dim(),
      "torch.take_along_dim(): input and indices should have the same number of dimensions, but got ", x.dim(),
      " dimensions for input, and ", index.dim(), " dimensions for indices");
  const int dim = normalize_dim(dim_, x.dim());
  if (x.dim() == 0) return gather(x, 0, index);
  Shape from = x.shape(), at = index.shape();
  from[dim] = at[dim] = 1;
  Shape common = broadcast_shapes(from, at);
  const auto along = [&common, dim](const Tensor& tensor) {
    common[dim] = tensor.shape()[dim];
    return tensor.shape() == common ? tensor : tensor.expand(common);
  };
  const Tensor expanded = along(x);
  return gather(expanded, dim, along(index));
}

Tensor one_hot(const Tensor& x, std::int64_t num_classes) {
  check_defined(x);
  throw_if<RuntimeError>(x.dtype() != int64, "one_hot is only applicable to index tensor.\ngot ", x.dtype(),
                         ": convert with to(int64)");
  throw_if<RuntimeError>(x.numel() == 0 && num_classes < 0,
                         "Can not infer total number of classes from empty tensor.\npass num_classes");
  if (x.numel() > 0 && x.min().item<std::int64_t>() < 0) {
    fail<RuntimeError>("Class values must be non-negative.\none_hot: found ", x.min().item<std::int64_t>());
  }
  const std::int64_t needed = x.numel() > 0 ? x.max().item<std::int64_t>() + 1 : 0;
  const std::int64_t classes = num_classes < 0 ? needed : num_classes;
  throw_if<RuntimeError>(needed > classes, "Class values must be smaller than num_classes.\none_hot: found ",
                         needed - 1, ", with ", classes, " classes");
  Shape shape = x.shape();
  shape.push_back(classes);
  Tensor y = zeros(shape, int64);
  auto* row = elements<std::int64_t>(y);
  const auto* position = elements<std::int64_t>(x);
  for (std::int64_t i = 0; i < x.numel(); ++i, row += classes) row[position[i]] = 1;
  return y;
}

}  // namespace gradus
