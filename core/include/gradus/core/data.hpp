// Data for training: examples in tensors, their batches in random order, and a reader of MNIST's files.
//
//   TensorDataset digits{x, y};
//   auto [train, test] = random_split(digits, {1500, 297});
//   DataLoader loader(train, {.batch_size = 32, .shuffle = true});
//   for (auto [x, y] : loader) …
#pragma once

#include <gradus/core/csv.hpp>
#include <gradus/core/random.hpp>

#include <iterator>
#include <utility>

namespace gradus {

/// Some examples: one tensor for each of a dataset's, all with as many rows as there are examples.
template <std::size_t N>
using Batch = std::array<Tensor, N>;

namespace detail {

/// Throws ValueError unless all tensors have the same number of rows, which it returns.
std::int64_t common_rows(std::span<const Tensor> tensors);
/// Row numbers of the parts of a random split, int64. Throws ValueError unless the lengths add up to `rows`.
std::vector<Tensor> split_rows(std::int64_t rows, std::span<const std::int64_t> lengths, Generator& generator);

}  // namespace detail

/// Examples held in N tensors: example i is row i (the i-th part along dimension 0) of each. It shares the tensors'
/// storage. Throws ValueError when the tensors differ in their number of rows.
template <std::size_t N>
class TensorDataset {
 public:
  template <class... Rest>
  explicit TensorDataset(const Tensor& first, const Rest&... rest) requires(1 + sizeof...(Rest) == N)
      : TensorDataset(Batch<N>{first, rest...}) {}
  explicit TensorDataset(Batch<N> tensors) : tensors_(std::move(tensors)), size_(detail::common_rows(tensors_)) {}

  std::int64_t size() const { return size_; }
  const Batch<N>& tensors() const { return tensors_; }
  /// One example. Throws IndexError.
  Batch<N> operator[](std::int64_t index) const {
    return map([index](const Tensor& x) { return x[index]; });
  }
  /// Copies of the examples with these numbers (int64, one dimension), in this order. Throws IndexError.
  Batch<N> rows(const Tensor& numbers) const {
    return map([&numbers](const Tensor& x) { return x.index_select(0, numbers); });
  }

 private:
  template <class F>
  Batch<N> map(F f) const {
    Batch<N> results;
    for (std::size_t i = 0; i < N; ++i) results[i] = f(tensors_[i]);
    return results;
  }

  Batch<N> tensors_;
  std::int64_t size_;
};

template <class... Rest>
TensorDataset(const Tensor&, const Rest&...) -> TensorDataset<1 + sizeof...(Rest)>;

/// Cuts a dataset at random into parts of these lengths, copies of its examples.
/// Throws ValueError unless the lengths add up to the size of the dataset. As `torch.utils.data.random_split`.
template <std::size_t N, std::size_t Parts>
std::array<TensorDataset<N>, Parts> random_split(const TensorDataset<N>& dataset, const std::int64_t (&lengths)[Parts],
                                                 Generator& generator = default_generator()) {
  const std::vector<Tensor> rows = detail::split_rows(dataset.size(), lengths, generator);
  return [&]<std::size_t... I>(std::index_sequence<I...>) {
    return std::array{TensorDataset<N>(dataset.rows(rows[I]))...};
  }
  (std::make_index_sequence<Parts>());
}

/// Which part of every batch is this process's when several train together: of n rows, those from n rank / size to
/// n (rank + 1) / size. Every row is in one part, so parts may differ by a row, or have none. To shuffle, each process
/// needs a generator of the same state that nothing else draws from.
struct DistributedSampler {
  int rank = 0;
  int size = 1;
};

struct DataLoaderOptions {
  std::int64_t batch_size = 1;
  bool shuffle = false;            ///< a new random order in every epoch
  bool drop_last = false;          ///< leave out a last batch that is smaller than the others
  Generator* generator = nullptr;  ///< of the order; must outlive the loader. Null: the default generator
  DistributedSampler sampler = {};
};

namespace detail {

/// The order of one epoch: which examples make up each batch.
class Epoch {
 public:
  Epoch(std::int64_t examples, const DataLoaderOptions& options);
  /// Numbers of the examples in the next batch; undefined after the last.
  Tensor next_batch();

 private:
  DataLoaderOptions options_;
  Tensor order_;
  std::int64_t position_ = 0;
  bool exhausted_ = false;
};

void check_loader(std::int64_t examples, const DataLoaderOptions& options);

}  // namespace detail

/// The batches of a dataset: each `for` loop over the loader is an epoch, each batch a copy of `batch_size` examples.
///
/// The draws are PyTorch's (`torch.utils.data.DataLoader`), so that the same seed gives the same batches. An epoch
/// takes from the generator two words (in PyTorch a seed for worker processes) and, when it shuffles:
/// - without a generator of its own, two words of the default generator, the seed of another one that gives the order;
/// - with one, the order from that, and, when the loop asks for more examples than there are left, an order that nobody
///   uses. A loop left early does not ask.
///
/// The constructor throws ValueError for a batch size below 1, for shuffling no examples, and for shuffling in several
/// processes without a generator of their own.
template <std::size_t N>
class DataLoader {
 public:
  explicit DataLoader(TensorDataset<N> dataset, DataLoaderOptions options = {})
      : dataset_(std::move(dataset)), options_(options) {
    detail::check_loader(dataset_.size(), options_);
  }

  /// Number of batches in an epoch.
  std::int64_t size() const {
    const std::int64_t full = dataset_.size() / options_.batch_size;
    return full + (options_.drop_last || dataset_.size() % options_.batch_size == 0 ? 0 : 1);
  }
  const TensorDataset<N>& dataset() const { return dataset_; }

  class Iterator {
   public:
    Batch<N>& operator*() { return batch_; }
    Iterator& operator++() {
      const Tensor numbers = epoch_.next_batch();
      done_ = !numbers.defined();
      if (!done_) batch_ = dataset_->rows(numbers);
      return *this;
    }
    bool operator==(std::default_sentinel_t) const { return done_; }

   private:
    friend class DataLoader;
    explicit Iterator(const DataLoader& loader)
        : dataset_(&loader.dataset_), epoch_(loader.dataset_.size(), loader.options_) {
      ++*this;
    }

    const TensorDataset<N>* dataset_;
    detail::Epoch epoch_;
    Batch<N> batch_;
    bool done_ = false;
  };

  Iterator begin() const { return Iterator(*this); }
  std::default_sentinel_t end() const { return {}; }

 private:
  TensorDataset<N> dataset_;
  DataLoaderOptions options_;
};

/// A file in the format of the MNIST database, also compressed with gzip: shape as stored; integers become int64 and
/// real numbers float32 or float64, unless `dtype` asks for something else.
/// Throws FileError when the file is not complete or not of this format. It never takes more memory than such a file of
/// that length can need.
/// Source: Y. LeCun, C. Cortes, C. Burges, "The MNIST database of handwritten digits" (the IDX file format).
Tensor read_idx(const std::string& path, std::optional<Dtype> dtype = std::nullopt);

}  // namespace gradus
