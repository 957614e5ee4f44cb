// Where in a tensor the elements lie that a list of indices names.
#pragma once

#include "ops/strided.hpp"

#include <gradus/core/index.hpp>

namespace gradus::detail {

/// The position in [0, extent) that an index means, which may count from the end. Throws IndexError.
std::int64_t position_in(std::int64_t extent, std::int64_t index, int dim);
/// Throws IndexError: a number has no elements to index.
[[noreturn]] void refuse_0d();

/// The elements in the order of the result: runs of `run` neighbours.
class Places {
 public:
  /// Throws IndexError for too many indices, for a position out of range, for a mask or index tensor that does not fit.
  Places(const Shape& shape, std::span<const Index> indices);

  const Shape& shape() const { return result_; }
  std::int64_t run() const { return run_; }
  bool by_tensors() const { return !gathered_.empty(); }
  /// Whether they are one run, and where it begins.
  bool dense() const { return !by_tensors() && count_ == 1; }
  std::int64_t start() const { return start_; }
  /// Whether the last index was a Slice, or a dimension without an index.
  bool ends_with_slice() const { return ends_with_slice_; }
  /// The begin of every run, in elements from the first one of the tensor: int64.
  Tensor offsets() const;

 private:
  struct Gathered {
    Tensor positions;  // int64, not negative
    std::int64_t stride;
  };
  void take_position(std::int64_t position, int dim);
  void take_slice(Slice::Range range);
  void take_tensor(const Tensor& index, int dim);
  void finish();
  Tensor gathered_offsets(const Shape& shape) const;

  const Shape& from_;
  Shape strides_;
  std::vector<Walk<1>::Dimension> before_, after_;  // slices before and after the tensors
  std::vector<Gathered> gathered_;
  int next_ = 0;  // the dimension that the next index is for
  bool apart_ = false, ends_with_slice_ = true;
  std::int64_t start_ = 0, run_ = 1, count_ = 1;
  Shape result_, gathered_shape_;
};

/// The elements at these offsets, `run` neighbours each, as a tensor of `shape`. Differentiable.
Tensor take_at(const Tensor& x, const Tensor& offsets, std::int64_t run, const Shape& shape, const char* name);
/// Zeros of `shape`, with y added there: the adjoint. Differentiable.
Tensor add_at(const Tensor& y, const Tensor& offsets, std::int64_t run, const Shape& shape, const char* name);
/// x with zeros there. Differentiable.
Tensor zero_at(const Tensor& x, const Tensor& offsets, std::int64_t run);

}  // namespace gradus::detail
