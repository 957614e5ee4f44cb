// What stands between the brackets of x[…] and x(…): numbers, slices, tensors of numbers, masks.
#pragma once

#include <gradus/core/tensor.hpp>

namespace gradus {

/// A range of one dimension, as start:stop:step in Python: negative ends count from the last element, ends beyond it
/// are cut off. `Slice()` is all of the dimension, `Slice(2)` is 2:, `Slice(std::nullopt, 3)` is :3. Throws ValueError
/// unless step is positive.
class Slice {
 public:
  explicit Slice(std::optional<std::int64_t> start = std::nullopt, std::optional<std::int64_t> stop = std::nullopt,
                 Integer step = 1);

  /// First position, number of positions and step in a dimension of this extent.
  struct Range {
    std::int64_t first, count, step;
  };
  Range in(std::int64_t extent) const;

 private:
  std::optional<std::int64_t> start_, stop_;
  std::int64_t step_;
};

/// One index: a number takes away a dimension, a Slice keeps a part of it. An int64 tensor, negative elements counting
/// from the end, puts its own dimensions in the place of one; a boolean tensor, the mask of one or more dimensions,
/// stands for the positions where it is true. Several tensors go together element by element and broadcast; where a
/// Slice parts them, their dimensions come first, as in PyTorch and NumPy.
class Index {
 public:
  Index(Integer position) : position_(position) {}
  template <std::integral T>
  requires(!std::same_as<T, bool>) Index(T position) : Index(Integer(position)) {}
  Index(Slice slice) : kind_(Kind::slice), slice_(slice) {}
  Index(Tensor tensor) : kind_(Kind::tensor), tensor_(std::move(tensor)) {}

  enum class Kind : std::uint8_t { position, slice, tensor };
  Kind kind() const { return kind_; }
  std::int64_t position() const { return position_; }
  const Slice& slice() const { return slice_; }
  const Tensor& tensor() const { return tensor_; }

 private:
  Kind kind_ = Kind::position;
  std::int64_t position_ = 0;
  Slice slice_;
  Tensor tensor_;
};

template <class... Indices>
requires(sizeof...(Indices) > 0) Tensor Tensor::operator()(const Indices&... indices) const {
  return index({Index(indices)...});
}

}  // namespace gradus
