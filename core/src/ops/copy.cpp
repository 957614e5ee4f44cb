// Copies: in another order of dimensions, repeated, joined, in another dtype.
#include "ops/elementwise.hpp"

#include <algorithm>

namespace gradus {

using namespace detail;

namespace {

/// y[i_0, i_1, …]: dimension d of y is dimension order[d] of x.
Tensor permuted(const Tensor& x, const Dims& order, const char* name, const char* op) {
  const Shape strides = strides_of(x.shape());
  Shape shape = order, walked = order, inverse = order;
  for (int d = 0; d < order.rank(); ++d) {
    const int from = static_cast<int>(order[d]);
    shape[d] = x.shape()[from];
    walked[d] = strides[from];
    inverse[from] = d;
  }
  Tensor y = strided_copy(x, shape, walked);
  mark_as_copy(y, op);
  return recorded(y, name, {x}, [inverse, name, op](const Tensor& dy) { return permuted(dy, inverse, name, op); });
}

Tensor transposed(const Tensor& x, int dim0, int dim1, const char* name, const char* op) {
  Dims order;
  for (int d = 0; d < x.dim(); ++d) order.push_back(d == dim0 ? dim1 : d == dim1 ? dim0 : d);
  return permuted(x, order, name, op);
}

}  // namespace

Tensor transpose(const Tensor& x, Integer dim0, Integer dim1) {
  check_defined(x);
  return transposed(x, normalize_dim(dim0, x.dim()), normalize_dim(dim1, x.dim()), "TransposeBackward0", "transpose()");
}

Tensor t(const Tensor& x) {
  check_defined(x);
  throw_if<RuntimeError>(x.dim() > 2, "t() expects a tensor with <= 2 dimensions, but self is ", x.dim(),
                         "D\nuse transpose(dim0, dim1) or permute(dims)");
  return transposed(x, 0, x.dim() - 1, "TBackward0", "t()");
}

Tensor permute(const Tensor& x, Dims dims) {
  check_defined(x);
  throw_if<RuntimeError>(dims.rank() != x.dim(),
                         "permute(sparse_coo): number of dimensions in the tensor input does not match the length of "
                         "the desired ordering of dimensions i.e. input.dim() = ",
                         x.dim(), " is not equal to len(dims) = ", dims.rank(), "\npermute: x ", x.shape(),
                         " needs a list of all its dimensions in their new order, got ", dims);
  bool seen[Shape::max_rank] = {};
  for (int d = 0; d < dims.rank(); ++d) {
    dims[d] = normalize_dim(dims[d], x.dim());
    throw_if<RuntimeError>(std::exchange(seen[dims[d]], true), "permute(): duplicate dims are not allowed.\ndimension ",
                           dims[d], " of x ", x.shape(), " is named twice");
  }
  return permuted(x, dims, "PermuteBackward0", "permute()");
}

Tensor flip(const Tensor& x, Dims dims) {
  check_defined(x);
  const auto flipped = named(dims, x.dim());
  Shape strides = strides_of(x.shape());
  std::int64_t offset = 0;
  for (int d = 0; d < x.dim(); ++d) {
    if (!flipped[d]) continue;
    offset += (x.shape()[d] - 1) * strides[d];
    strides[d] = -strides[d];
  }
  Tensor y = strided_copy(x, x.shape(), strides, offset);
  return recorded(y, "FlipBackward0", {x}, [dims](const Tensor& dy) { return flip(dy, dims); });
}

Tensor expand(const Tensor& x, Shape shape) {
  check_defined(x);
  const int extra = shape.rank() - x.dim();
  throw_if<RuntimeError>(extra < 0, "expand(torch.", type_name(x.dtype()), "Tensor{", x.shape(), "}, size=", shape,
                         "): the number of sizes provided (", shape.rank(),
                         ") must be greater or equal to the number of dimensions in the tensor (", x.dim(), ")");
  const Shape wanted = shape, strides = strides_of(x.shape());
  Shape walked = shape;
  for (int d = 0; d < shape.rank(); ++d) {
    const std::int64_t extent = d < extra ? 1 : x.shape()[d - extra];
    throw_if<RuntimeError>(shape[d] == -1 && d < extra,
                           "The expanded size of the tensor (-1) isn't allowed in a leading, non-existing dimension ",
                           d);
    if (shape[d] == -1) shape[d] = extent;
    throw_if<RuntimeError>(shape[d] != extent && extent != 1, "The expanded size of the tensor (", shape[d],
                           ") must match the existing size (", extent, ") at non-singleton dimension ", d,
                           ".  Target sizes: ", wanted, ".  Tensor sizes: ", x.shape());
    walked[d] = extent == 1 ? 0 : strides[d - extra];
  }
  Tensor y = strided_copy(x, shape, walked);
  mark_as_copy(y, "expand()");
  return recorded(y, "ExpandBackward0", {x}, [from = x.shape()](const Tensor& dy) { return sum_to(dy, from); });
}

namespace {

bool legacy_empty(const Tensor& x) { return x.shape() == Shape{0}; }  // goes with any shape, as in PyTorch

void check_joinable(const Shape& expected, const Shape& got, int dim, std::size_t position) {
  throw_if<RuntimeError>(expected.rank() != got.rank(), "Tensors must have same number of dimensions: got ",
                         expected.rank(), " and ", got.rank());
  for (int d = 0; d < expected.rank(); ++d) {
    throw_if<RuntimeError>(d != dim && expected[d] != got[d], "Sizes of tensors must match except in dimension ", dim,
                           ". Expected size ", expected[d], " but got size ", got[d], " for tensor number ", position,
                           " in the list.");
  }
}

/// Each part gets its own range of dy.
struct CatBackward {
  std::vector<std::int64_t> lengths;
  int dim;
  void operator()(const Tensor& dy, InputGradients& dx) const {
    std::int64_t at = 0;
    for (std::size_t i = 0; i < lengths.size(); at += lengths[i++]) {
      if (dx.needs(i)) dx[i] = narrow(dy, dim, at, lengths[i]);
    }
  }
};

bool any_tracked(std::span<const Tensor> tensors) {
  return std::ranges::any_of(tensors, [](const Tensor& x) { return tracks(x); });
}

}  // namespace

template <>
inline constexpr bool detail::captures_no_tensor<CatBackward> = true;

Tensor cat(std::span<const Tensor> tensors, Integer dim_) {
  check_defined(tensors);
  throw_if<RuntimeError>(tensors.empty(), "torch.cat(): expected a non-empty list of Tensors");
  Dtype dtype = boolean;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    dtype = promote(dtype, tensors[i].dtype());
    throw_if<RuntimeError>(tensors[i].dim() == 0, "zero-dimensional tensor (at position ", i,
                           ") cannot be concatenated\nstack() joins 0-d tensors");
  }
  const auto first = std::ranges::find_if_not(tensors, legacy_empty);
  Shape nothing = (first == tensors.end() ? tensors.front() : *first).shape();
  const int dim = normalize_dim(dim_, nothing.rank());
  nothing[dim] = 0;  // what an empty vector among matrices stands for
  Shape shape = nothing;
  std::vector<Tensor> parts;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const Tensor x = legacy_empty(tensors[i]) ? tensors[i].reshape(nothing) : tensors[i];
    check_joinable(nothing, x.shape(), dim, i);
    shape[dim] += x.shape()[dim];
    parts.push_back(x.to(dtype));
  }

  Tensor y = make_tensor(shape, dtype);
  join(y, parts, dim);
  if (any_tracked(parts)) {
    std::vector<std::int64_t> lengths;
    for (const Tensor& x : parts) lengths.push_back(x.shape()[dim]);
    record(y, "CatBackward0", parts, CatBackward{std::move(lengths), dim});
  }
  return y;
}

Tensor cat(std::initializer_list<Tensor> tensors, Integer dim) {
  return cat(std::span(tensors.begin(), tensors.size()), dim);
}

Tensor stack(std::span<const Tensor> tensors, Integer dim_) {
  check_defined(tensors);
  throw_if<RuntimeError>(tensors.empty(), "stack expects a non-empty TensorList");
  const Shape& shape = tensors.front().shape();
  const int dim = normalize_dim(dim_, shape.rank() + 1);
  Dtype dtype = boolean;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    dtype = promote(dtype, tensors[i].dtype());
    throw_if<RuntimeError>(tensors[i].shape() != shape, "stack expects each tensor to be equal size, but got ", shape,
                           " at entry 0 and ", tensors[i].shape(), " at entry ", i);
  }
  std::vector<Tensor> parts, slices;
  Shape slice = shape;
  slice.insert(dim, 1);
  for (const Tensor& x : tensors) {
    parts.push_back(x.to(dtype));
    slices.push_back(part_of(parts.back(), slice));
  }
  Tensor y = cat(slices, dim);
  if (any_tracked(parts)) {
    record(y, "StackBackward0", parts, [dim](const Tensor& dy, InputGradients& dx) {
      for (std::size_t i = 0; i < dx.size(); ++i) {
        if (dx.needs(i)) dx[i] = select(dy, dim, static_cast<std::int64_t>(i));
      }
    });
  }
  return y;
}

Tensor stack(std::initializer_list<Tensor> tensors, Integer dim) {
  return stack(std::span(tensors.begin(), tensors.size()), dim);
}

Tensor outer(const Tensor& a, const Tensor& b) {
  check_defined(a, b);
  for (const auto& [x, name] : {std::pair(&a, "self"), std::pair(&b, "vec2")}) {
    if (x->dim() != 1) fail<RuntimeError>("outer: Expected 1-D argument ", name, ", but got ", x->dim(), "-D");
  }
  return a.unsqueeze(1) * b;
}

Tensor clone(const Tensor& x) {
  check_defined(x);
  Tensor y = strided_copy(x, x.shape(), strides_of(x.shape()));
  return recorded(y, "CloneBackward0", {x}, [](const Tensor& dy) { return dy; });
}

Tensor Tensor::contiguous() const {
  check_defined(*this);
  return impl_of(*this)->storage->copied_by ? clone() : *this;
}

namespace {

template <class R, class T>
R converted(T value) {
  if constexpr (std::is_same_v<R, std::int64_t> && std::is_floating_point_v<T>) {
    const bool fits = value >= T(-0x1p63) && value < T(0x1p63);  // not so for NaN
    return static_cast<R>(fits ? value : T(-0x1p63));            // the least integer
  } else if constexpr (std::is_same_v<R, bool>) {
    return value != 0;
  } else {
    return static_cast<R>(value);
  }
}

}  // namespace

Tensor to(const Tensor& x, Dtype dtype) {
  check_defined(x);
  if (x.dtype() == dtype) return x;
  Tensor y = visit(x.dtype(), [&]<class T>(T*) {
    return visit(dtype, [&]<class R>(R*) {
      if constexpr (std::floating_point<T> && std::same_as<R, kernels::OtherWidth<T>>) {
        Tensor y = make_tensor(x.shape(), dtype);
        kernels::convert(elements<R>(y), elements<T>(x), x.numel());
        return y;
      } else {
        return map<T, R>(x, [](T value) { return converted<R>(value); });
      }
    });
  });
  if (!is_floating(dtype)) return y;
  return recorded(y, "ToCopyBackward0", {x}, [from = x.dtype()](const Tensor& dy) { return dy.to(from); });
}

}  // namespace gradus
