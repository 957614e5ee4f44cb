#include "random/fill.hpp"
#include "tensor/message.hpp"
#include "tensor/tensor_impl.hpp"

#include <gradus/core/data.hpp>

namespace gradus::detail {

std::int64_t common_rows(std::span<const Tensor> tensors) {
  check_defined(tensors, "tensors", "TensorDataset");
  const std::int64_t rows = tensors[0].size(0);
  for (const Tensor& x : tensors) {
    if (x.size(0) != rows) {
      fail<ValueError>("Size mismatch between tensors\nTensorDataset: shapes ", tensors[0].shape(), " and ", x.shape(),
                       " differ in the first extent, the number of examples");
    }
  }
  return rows;
}

std::vector<Tensor> split_rows(std::int64_t rows, std::span<const std::int64_t> lengths, Generator& generator) {
  std::int64_t left = rows;
  for (const std::int64_t length : lengths) {
    left = length < 0 || length > left ? -1 : left - length;
    if (left < 0) break;
  }
  throw_if<ValueError>(left != 0,
                       "Sum of input lengths does not equal the length of the input dataset!\n"
                       "random_split: expected lengths of at least 0 that add up to ",
                       rows);
  const Tensor order = randperm(rows, generator);
  std::vector<Tensor> parts;
  std::int64_t start = 0;
  for (const std::int64_t length : lengths) {
    parts.push_back(order.narrow(0, start, length));
    start += length;
  }
  return parts;
}

void check_loader(std::int64_t examples, const DataLoaderOptions& options) {
  throw_if<ValueError>(options.batch_size < 1,
                       "batch_size should be a positive integer value, but got batch_size=", options.batch_size);
  const auto [rank, size] = options.sampler;
  throw_if<ValueError>(rank < 0 || rank >= size, "DataLoader: expected a sampler with 0 <= rank < size, got rank ",
                       rank, " of ", size);
  throw_if<ValueError>(
      options.shuffle && size > 1 && !options.generator,
      "DataLoader: processes shuffle alike only from generators that nothing else draws from\ngive each of them one, "
      "seeded alike: Generator order(0); DataLoader loader(…, {.generator = &order, …})");
  throw_if<ValueError>(
      options.shuffle && examples == 0,
      "num_samples should be a positive integer value, but got num_samples=0\nDataLoader: the dataset has "
      "no examples to shuffle");
}

Epoch::Epoch(std::int64_t examples, const DataLoaderOptions& options) : options_(options) {
  Generator& generator = options.generator ? *options.generator : default_generator();
  const auto draw = [&generator] {
    const Turn turn(generator);
    return generator.next_uint64();
  };
  draw();
  if (!options.shuffle) {
    order_ = arange(examples);
  } else if (options.generator) {
    order_ = randperm(examples, generator);
  } else {
    Generator of_this_epoch(draw());
    order_ = randperm(examples, of_this_epoch);
  }
}

Tensor Epoch::next_batch() {
  const std::int64_t left = order_.numel() - position_;
  const std::int64_t length = std::min(left, options_.batch_size);
  if (length < options_.batch_size && !exhausted_) {
    exhausted_ = true;
    if (options_.shuffle && options_.generator) randperm(order_.numel(), *options_.generator);
  }
  if (length == 0 || (options_.drop_last && length < options_.batch_size)) return Tensor();
  const auto [rank, size] = options_.sampler;
  const std::int64_t begin = length * rank / size, end = length * (rank + 1) / size;
  position_ += length;
  return order_.narrow(0, position_ - length + begin, end - begin);
}

}  // namespace gradus::detail
