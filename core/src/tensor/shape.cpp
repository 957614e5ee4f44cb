#include "tensor/message.hpp"

#include <gradus/core/error.hpp>
#include <gradus/core/shape.hpp>

#include <algorithm>

namespace gradus {

using detail::throw_if;

namespace {

int checked_rank(std::size_t rank) {
  throw_if<RuntimeError>(rank > Shape::max_rank, "a shape has at most ", Shape::max_rank, " dimensions, got ", rank);
  return static_cast<int>(rank);
}

}  // namespace

Shape::Shape(std::initializer_list<Integer> extents) : rank_(checked_rank(extents.size())) {
  std::copy(extents.begin(), extents.end(), extents_);
}

Shape::Shape(std::span<const std::int64_t> extents) : rank_(checked_rank(extents.size())) {
  std::copy(extents.begin(), extents.end(), extents_);
}

void Shape::push_back(std::int64_t extent) {
  throw_if<RuntimeError>(rank_ == max_rank, "a shape has at most ", max_rank, " dimensions");
  extents_[rank_++] = extent;
}

void Shape::insert(int position, std::int64_t extent) {
  push_back(extent);
  std::copy_backward(extents_ + position, extents_ + rank_ - 1, extents_ + rank_);
  extents_[position] = extent;
}

void Shape::erase(int position) {
  std::copy(extents_ + position + 1, extents_ + rank_, extents_ + position);
  extents_[--rank_] = 0;
}

std::string to_string(const Shape& shape) {
  std::string text = "[";
  for (int i = 0; i < shape.rank(); ++i) text += (i ? ", " : "") + std::to_string(shape[i]);
  return text + "]";
}

namespace {

/// Of a shape with an extent below 1, or with too many elements.
[[gnu::noinline, gnu::cold]] std::int64_t unusual_numel(const Shape& shape) {
  bool empty = false;
  for (std::int64_t extent : shape) {
    throw_if<RuntimeError>(extent < 0, "Trying to create tensor with negative dimension ", extent, ": ", shape);
    empty |= extent == 0;
  }
  throw_if<RuntimeError>(!empty, "a tensor of shape ", shape, " has more elements than 63 bits can count");
  return 0;
}

}  // namespace

std::int64_t numel(const Shape& shape) {
  std::int64_t product = 1;
  for (std::int64_t extent : shape) {
    if (extent < 1 || __builtin_mul_overflow(product, extent, &product)) return unusual_numel(shape);
  }
  return product;
}

Shape broadcast_shapes(const Shape& a, const Shape& b) {
  if (a == b) return a;
  const Shape& longer = a.rank() >= b.rank() ? a : b;
  Shape result = longer;
  for (int i = longer.rank() - 1, ia = a.rank() - 1, ib = b.rank() - 1; i >= 0; --i, --ia, --ib) {
    const std::int64_t na = ia >= 0 ? a[ia] : 1;
    const std::int64_t nb = ib >= 0 ? b[ib] : 1;
    throw_if<RuntimeError>(na != nb && na != 1 && nb != 1, "The size of tensor a (", na,
                           ") must match the size of tensor b (", nb, ") at non-singleton dimension ", i,
                           "\nshapes: ", a, " and ", b);
    result[i] = na == 1 ? nb : na;
  }
  return result;
}

int normalize_dim(std::int64_t dim, int rank) {
  const int extent = rank == 0 ? 1 : rank;
  throw_if<IndexError>(dim < -extent || dim >= extent, "Dimension out of range (expected to be in range of [", -extent,
                       ", ", extent - 1, "], but got ", dim, ")");
  return static_cast<int>(dim < 0 ? dim + extent : dim);
}

}  // namespace gradus
