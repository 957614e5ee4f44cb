// Embedding: a row of a table for every number.
#pragma once

#include <gradus/core/random.hpp>
#include <gradus/nn/module.hpp>

namespace gradus::nn {

struct EmbeddingOptions {
  std::optional<std::int64_t> padding_idx = {};  ///< a row that starts as zeros and learns nothing; -1 is the last one
  Dtype dtype = float32;
};

namespace functional {

/// y[…, :] = weight[index[…], :]. index int64 of any shape, weight (rows, D) floating; y (…, D). Row padding_idx gets
/// no gradient. Saves index. Throws IndexError for a number that is no row, RuntimeError for other shapes and dtypes.
/// As PyTorch.
Tensor embedding(const Tensor& index, const Tensor& weight, std::optional<std::int64_t> padding_idx = {});

}  // namespace functional

/// functional::embedding with a weight (num_embeddings, embedding_dim) of its own, normal with mean 0 and deviation 1,
/// drawn from the generator.
/// Throws ValueError for a padding_idx that is no row.
class Embedding : public Module {
 public:
  Embedding(std::int64_t num_embeddings, std::int64_t embedding_dim, const EmbeddingOptions& options = {},
            Generator& generator = default_generator());

  void state(StateList& list) override { list("weight", weight); }
  Tensor forward(const Tensor& index) const override { return functional::embedding(index, weight, padding_idx_); }
  std::string extra_repr() const override;

  Parameter weight;

 private:
  std::optional<std::int64_t> padding_idx_;
};

}  // namespace gradus::nn
