#include "ops/groups.hpp"

#include "tensor/message.hpp"

namespace gradus::detail {

Groups::Groups(const Shape& shape, const Dims& dims) : kept_shape_(shape) {
  bool reduced[Shape::max_rank] = {};
  for (std::int64_t dim : dims) {
    const int d = normalize_dim(dim, shape.rank());
    if (std::exchange(reduced[d], true)) {
      throw RuntimeError(message("dim ", d, " appears multiple times in the list of dims"));
    }
  }
  const Shape strides = strides_of(shape);
  for (int d = 0; d < shape.rank(); ++d) {
    if (dims.empty() || reduced[d]) {
      kept_shape_[d] = 1;
      size *= shape[d];
      inner.push(shape[d], {strides[d]});
    } else {
      short_shape_.push_back(shape[d]);
      count *= shape[d];
      outer.push(shape[d], {strides[d]});
    }
  }
  const auto dense = [](const Walk<1>& walk) { return walk.innermost() && walk.innermost()->stride[0] == 1; };
  if (dense(inner)) {
    run = inner.pop().extent;
  } else if (dense(outer)) {
    width = outer.pop().extent;
  }
}

}  // namespace gradus::detail
