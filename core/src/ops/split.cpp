// chunk, split, unbind: parts along one dimension. Along dimension 0 they share storage, as narrow and select do.
#include "ops/views.hpp"
#include "tensor/message.hpp"

#include <algorithm>

namespace gradus {

using namespace detail;

namespace {

int dimension_to_split(const Tensor& x, std::int64_t dim, const char* op) {
  check_defined(x, op);
  throw_if<RuntimeError>(x.dim() == 0, op, " expects at least a 1-dimensional tensor");
  return normalize_dim(dim, x.dim());
}

/// Parts of these lengths, which add up to the extent.
std::vector<Tensor> parts(const Tensor& x, int dim, std::span<const std::int64_t> lengths, const char* name) {
  std::vector<Tensor> all;
  std::int64_t start = 0;
  for (const std::int64_t length : lengths) {
    all.push_back(take_range(x, dim, start, length, name));
    start += length;
  }
  return all;
}

std::vector<Tensor> equal_parts(const Tensor& x, int dim, std::int64_t size) {
  const std::int64_t extent = x.shape()[dim];
  std::vector<std::int64_t> lengths;
  for (std::int64_t start = 0; start < extent; start += size) lengths.push_back(std::min(size, extent - start));
  if (lengths.empty()) lengths.push_back(0);
  return parts(x, dim, lengths, "SplitBackward0");
}

}  // namespace

std::vector<Tensor> split(const Tensor& x, Integer size, Integer dim_) {
  const int dim = dimension_to_split(x, dim_, "split");
  throw_if<RuntimeError>(size < 0, "split expects split_size be non-negative, but got split_size=", size);
  throw_if<RuntimeError>(size == 0 && x.shape()[dim] != 0,
                         "split_size can only be 0 if dimension size is 0, but got dimension size of ", x.shape()[dim]);
  return equal_parts(x, dim, std::max<std::int64_t>(size, 1));
}

std::vector<Tensor> split(const Tensor& x, const std::vector<std::int64_t>& sizes, Integer dim_) {
  const int dim = dimension_to_split(x, dim_, "split");
  const auto list = [&sizes] { return "[" + listed(sizes, [](std::int64_t n) { return std::to_string(n); }) + "]"; };
  std::int64_t left = x.shape()[dim];
  for (const std::int64_t size : sizes) {
    if (size < 0) {
      fail<RuntimeError>("split_with_sizes expects split_sizes have only non-negative entries, but got split_sizes=",
                         list());
    }
    left = size > left ? -1 : left - size;
  }
  if (left != 0) {
    fail<RuntimeError>("split_with_sizes expects split_sizes to sum exactly to ", x.shape()[dim],
                       " (input tensor's size at dimension ", dim, "), but got split_sizes=", list());
  }
  return parts(x, dim, sizes, "SplitWithSizesBackward0");
}

std::vector<Tensor> chunk(const Tensor& x, Integer chunks, Integer dim_) {
  const int dim = dimension_to_split(x, dim_, "chunk");
  throw_if<RuntimeError>(chunks <= 0, "chunk expects `chunks` to be greater than 0, got: ", chunks);
  const std::int64_t extent = x.shape()[dim];
  if (extent == 0)
    return parts(x, dim, std::vector<std::int64_t>(static_cast<std::size_t>(std::int64_t{chunks})),
                 "SplitWithSizesBackward0");
  return equal_parts(x, dim, (extent - 1) / chunks + 1);
}

std::vector<Tensor> unbind(const Tensor& x, Integer dim_) {
  check_defined(x);
  throw_if<IndexError>(x.dim() == 0, "Dimension specified as ", dim_, " but tensor has no dimensions");
  const int dim = normalize_dim(dim_, x.dim());
  std::vector<Tensor> all;
  for (std::int64_t i = 0; i < x.shape()[dim]; ++i) all.push_back(take_one(x, dim, i, "UnbindBackward0"));
  return all;
}

}  // namespace gradus
